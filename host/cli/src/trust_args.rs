//! Whom to trust, as the commands take it that judge certificates by hand: `open`, `verify`,
//! `decrypt`, `cert verify`. The options mean what those of OpenSSL's `verify` mean.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use waxseal_pki::{Crl, PolicyIdentifier, Profile, RevocationMode, Settings, TrustPolicy};
use waxseal_smime::{Certificate, Clock, Time};
use waxseal_stores::{
    CertificateDirectory, Defect, FetchOptions, Fetcher, Networks, SystemClock, load_certificates,
    load_crls,
};

use crate::clock::{self, CommandClock};
use crate::crypto::provider;
use crate::report::{Exit, Failure, warn};

/// Anchors, certificates, lists, time and policies.
#[derive(Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustArgs {
    /// A certificate that is trusted as it is: a file, or a directory of them; may be repeated
    #[arg(long, value_name = "PATH")]
    anchor: Vec<PathBuf>,

    /// More certificates, of authorities and signers: a file, or a directory of them; may be
    /// repeated
    #[arg(long, value_name = "PATH")]
    cert: Vec<PathBuf>,

    /// Certificate revocation lists: a file, or a directory of them; may be repeated. With any,
    /// every certificate below the anchor must be on record as not revoked
    #[arg(long, value_name = "PATH")]
    crl: Vec<PathBuf>,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    at: Option<Time>,

    /// A certificate policy that will do, or anyPolicy; may be repeated
    #[arg(long, value_name = "OID", value_parser = policy)]
    policy_oid: Vec<PolicyIdentifier>,

    /// A path without any such policy is not trusted
    #[arg(long)]
    explicit_policy: bool,

    /// anyPolicy in a certificate stands for no policy
    #[arg(long)]
    inhibit_any_policy: bool,

    /// Policy mappings in certificates are not followed
    #[arg(long)]
    inhibit_policy_mapping: bool,

    /// Whether revoked certificates are looked for; required when lists are given, else off
    #[arg(long, value_name = "MODE", value_parser = revocation())]
    revocation: Option<RevocationMode>,

    /// Fetch what certificates name, over HTTP: lists, OCSP answers, certificates of authorities
    #[arg(long)]
    fetch: bool,

    /// Fetch from private addresses too, as an authority of one's own may have
    #[arg(long, requires = "fetch")]
    fetch_private: bool,

    /// What is asked of the certificate itself: RFC 8550, or the CA/Browser Forum's S/MIME
    /// requirements as well
    #[arg(long, value_name = "NAME", default_value = "rfc8550", value_parser = profile())]
    profile: Profile,

    /// Accept SHA-1, DSA and short RSA keys, and report them
    #[arg(long)]
    allow_weak: bool,
}

fn policy(text: &str) -> Result<PolicyIdentifier, String> {
    text.parse()
}

fn revocation() -> impl TypedValueParser<Value = RevocationMode> {
    PossibleValuesParser::new(RevocationMode::NAMES).try_map(|name| name.parse::<RevocationMode>())
}

fn profile() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(Profile::NAMES).try_map(|name| name.parse::<Profile>())
}

impl TrustArgs {
    /// What time it is.
    pub(crate) fn now(&self) -> Time {
        CommandClock::from(self.at).now()
    }

    /// Weak algorithms are accepted.
    pub(crate) fn allow_weak(&self) -> bool {
        self.allow_weak
    }

    /// What `--cert` names: signers and authorities.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, Failure> {
        let mut all = Vec::new();
        for path in &self.cert {
            all.extend(certificates_at(path)?);
        }
        Ok(all)
    }

    /// Anchors, lists and settings as one policy. The certificates of [`Self::certificates`] are
    /// among its authorities.
    pub(crate) fn policy(&self) -> Result<TrustPolicy, Failure> {
        let mut anchors = Vec::new();
        for path in &self.anchor {
            anchors.extend(certificates_at(path)?);
        }
        let policy = TrustPolicy::new(anchors, self.settings(), provider().clone());
        let policy = policy
            .with_intermediates(self.certificates()?)
            .with_crls(self.crls()?);
        Ok(match self.fetch {
            true => policy.with_fetcher(Arc::new(self.fetcher())),
            false => policy,
        })
    }

    fn fetcher(&self) -> Fetcher {
        let networks = match self.fetch_private {
            true => Networks::Any,
            false => Networks::Public,
        };
        let options = FetchOptions {
            networks,
            ..FetchOptions::default()
        };
        Fetcher::new(options, Arc::new(SystemClock))
    }

    fn settings(&self) -> Settings {
        let given = match self.crl.is_empty() {
            true => RevocationMode::Off,
            false => RevocationMode::Required,
        };
        Settings {
            revocation: self.revocation.unwrap_or(given),
            profile: self.profile,
            initial_policies: self.policy_oid.clone(),
            explicit_policy: self.explicit_policy,
            inhibit_any_policy: self.inhibit_any_policy,
            inhibit_policy_mapping: self.inhibit_policy_mapping,
            allow_weak: self.allow_weak,
            ..Settings::default()
        }
    }

    /// A list that does not parse is a warning: it could only have said that more is revoked,
    /// and where answers are required its absence is one.
    fn crls(&self) -> Result<Vec<Crl>, Failure> {
        let mut all = Vec::new();
        for path in &self.crl {
            for octets in load_crls(path)? {
                match Crl::from_der(&octets) {
                    Ok(crl) => all.push(crl),
                    Err(error) => warn(format!("{error}: {}", path.display())),
                }
            }
        }
        Ok(all)
    }
}

/// The certificates of a file or a directory. In a directory, a bad file is a warning.
fn certificates_at(path: &Path) -> Result<Vec<Certificate>, Failure> {
    if !path.is_dir() {
        return Ok(load_certificates(path)?);
    }
    let store = CertificateDirectory::open(path)?;
    for problem in store.problems() {
        // An authority has no address.
        if !matches!(problem.error.defect(), Some(Defect::NoAddress(_))) {
            warn(problem);
        }
    }
    let all: Vec<_> = store
        .entries()
        .iter()
        .map(|entry| entry.certificate.clone())
        .collect();
    if all.is_empty() {
        let message = format!("no certificate in: {}", path.display());
        return Err(Failure::new(Exit::NoInput, message));
    }
    Ok(all)
}
