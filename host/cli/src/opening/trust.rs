//! Whose certificates are trusted.

use std::path::PathBuf;

use clap::Args;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::path::validate;
use waxseal_smime::{
    Anchors, Certificate, Distrust, DistrustKind, Path, PathError, Revocation, Trust, TrustRequest,
};
use waxseal_stores::load_certificates;

use crate::report::Failure;

/// The options about trust.
#[derive(Args)]
pub(super) struct TrustArgs {
    /// A trusted authority's certificates: a file or a directory; may be repeated
    #[arg(long, value_name = "CERT|DIR")]
    anchor: Vec<PathBuf>,

    /// Other certificates that may be needed, of signers and authorities; may be repeated
    #[arg(long, value_name = "CERT|DIR")]
    cert: Vec<PathBuf>,

    /// Do not look at certificate paths
    #[arg(long, conflicts_with = "anchor")]
    no_trust: bool,
}

/// What they say, read.
pub(super) struct CommandTrust {
    anchors: Option<PlainTrust>,
    /// Certificates that help.
    pub(super) certificates: Vec<Certificate>,
}

struct PlainTrust(Anchors);

impl TrustArgs {
    /// Reads the files.
    pub(super) fn read(&self) -> Result<CommandTrust, Failure> {
        let anchors = Anchors::new(certificates(&self.anchor)?);
        Ok(CommandTrust {
            anchors: (!self.no_trust).then_some(PlainTrust(anchors)),
            certificates: certificates(&self.cert)?,
        })
    }
}

impl CommandTrust {
    /// The judge; `None` when paths do not count.
    pub(super) fn judge(&self) -> Option<&dyn Trust> {
        self.anchors.as_ref().map(|trust| trust as &dyn Trust)
    }
}

fn certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.extend(load_certificates(path)?);
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| Failure::reading(path, &error))?;
        for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
            all.extend(load_certificates(&entry.path()).unwrap_or_default());
        }
    }
    Ok(all)
}

impl Trust for PlainTrust {
    fn judge(
        &self,
        certificate: &Certificate,
        request: &TrustRequest<'_>,
    ) -> Result<Path, Distrust> {
        let trusted = Path {
            certificates: vec![certificate.clone()],
            revocation: Revocation::NotChecked,
            policies: Vec::new(),
            weak: Vec::new(),
        };
        let path = validate(
            certificate,
            request.certificates,
            &self.0,
            request.at,
            &RustCrypto,
        );
        path.map(|()| trusted).map_err(|error| Distrust {
            kind: match error {
                PathError::Expired(_) => DistrustKind::Expired,
                PathError::NotYetValid(_) => DistrustKind::NotYetValid,
                _ => DistrustKind::Untrusted,
            },
            code: "certificate.untrusted",
            message: error.to_string(),
            subject: None,
        })
    }
}
