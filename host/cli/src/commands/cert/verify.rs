//! `waxseal cert verify`: is a certificate trusted? (RFC 5280 §6, RFC 8550 §4)
//!
//! Prints the path and its policies, or the code and the reason. Exits with 0 when it is
//! trusted and with 1 when not; what cannot be read at all has exit codes of its own.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use waxseal_smime::{Certificate, Distrust, Path, Purpose, Revocation, Trust, TrustRequest};
use waxseal_stores::load_certificates;

use super::describe;
use crate::output;
use crate::report::{Exit, Failure};
use crate::trust_args::TrustArgs;

/// What `cert verify` takes.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The certificate; further ones in the same file may stand between it and an anchor
    #[arg(value_name = "CERT")]
    file: PathBuf,

    #[command(flatten)]
    trust: TrustArgs,

    /// What the certificate is for
    #[arg(long = "for", value_name = "USE", default_value = "any")]
    purpose: Use,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Use {
    /// Signing or encrypting, whichever it allows
    Any,
    Sign,
    Encrypt,
}

impl Use {
    fn of(self, certificate: &Certificate) -> Purpose {
        match self {
            Self::Encrypt => Purpose::Encrypt,
            Self::Any if !certificate.can_sign() && certificate.can_encrypt() => Purpose::Encrypt,
            Self::Any | Self::Sign => Purpose::Sign,
        }
    }
}

/// Prints the verdict.
pub(crate) fn run(args: VerifyArgs) -> Result<ExitCode, Failure> {
    let mut certificates = load_certificates(&args.file)?.into_iter();
    let certificate = certificates.next().ok_or_else(|| {
        Failure::new(
            Exit::Data,
            format!("no certificate in: {}", args.file.display()),
        )
    })?;
    let others: Vec<_> = certificates.collect();
    let request = TrustRequest {
        at: args.trust.now(),
        purpose: args.purpose.of(&certificate),
        certificates: &others,
        crls: &[],
        ocsp_responses: &[],
    };
    let judged = args.trust.policy()?.judge(&certificate, &request);
    if args.json {
        output::print_json(&as_json(&certificate, &judged))?;
    } else {
        output::print(in_words(&judged))?;
    }
    Ok(match judged {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn in_words(judged: &Result<Path, Distrust>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = match judged {
        Ok(path) => path_in_words(path, &mut text),
        Err(distrust) => writeln!(
            text,
            "not trusted: {}\n  code     {}",
            describe::printable(&distrust.message),
            distrust.code
        ),
    };
    text
}

fn path_in_words(path: &Path, text: &mut String) -> std::fmt::Result {
    writeln!(text, "trusted")?;
    for certificate in &path.certificates {
        let subject = certificate.subject();
        writeln!(text, "  path     {}", describe::printable(&subject))?;
    }
    writeln!(text, "  revoked  {}", revocation(path.revocation))?;
    for policy in &path.policies {
        writeln!(text, "  policy   {policy}")?;
    }
    for weak in &path.weak {
        writeln!(text, "  weak     {weak}")?;
    }
    Ok(())
}

fn revocation(revocation: Revocation) -> &'static str {
    match revocation {
        Revocation::Good => "no",
        Revocation::NotChecked => "not checked",
    }
}

fn as_json(certificate: &Certificate, judged: &Result<Path, Distrust>) -> Value {
    let mut value = match judged {
        Ok(path) => json!({
            "trusted": true,
            "path": path.certificates.iter().map(Certificate::subject).collect::<Vec<_>>(),
            "revocation": match path.revocation {
                Revocation::Good => "good",
                Revocation::NotChecked => "not-checked",
            },
            "policies": path.policies,
            "weak": path.weak,
        }),
        Err(distrust) => json!({
            "trusted": false,
            "state": distrust.kind.name(),
            "code": distrust.code,
            "message": distrust.message,
            "subject": distrust.subject,
        }),
    };
    value["certificate"] = describe::as_json(certificate);
    value
}
