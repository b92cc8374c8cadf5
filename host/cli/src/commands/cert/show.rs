//! `waxseal cert show`: what the certificates of a file say, or those that a policy or a store
//! knows by a fingerprint.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::{Certificate, Clock, Time};
use waxseal_stores::{Defect, load_certificates};

use super::describe;
use super::known::{Known, StoreArgs, is_fingerprint, unknown};
use crate::clock::{self, CommandClock};
use crate::output;
use crate::passphrase::{PassphraseArgs, open_certificates};
use crate::report::Failure;

/// What `cert show` takes.
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Certificates as PEM, DER, PKCS #7 or PKCS #12; or a fingerprint, or its first digits,
    /// with --policy or --store
    #[arg(value_name = "FILE|FINGERPRINT")]
    what: String,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// Prints every certificate of the file, or every one with the fingerprint.
pub(crate) fn run(args: ShowArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let is_file = Path::new(&args.what).exists() || !is_fingerprint(&args.what);
    if !is_file && (args.store.policy.is_some() || args.store.store.is_some()) {
        return show_known(&args, now);
    }
    let certificates = certificates(&args)?;
    if args.json {
        let values: Vec<_> = certificates.iter().map(describe::as_json).collect();
        output::print_json(&values)?;
    } else {
        let texts: Vec<_> = certificates
            .iter()
            .map(|each| describe::lines(each, now))
            .collect();
        output::print(texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known by a fingerprint, with what the store knows beside it.
fn show_known(args: &ShowArgs, now: Time) -> Result<ExitCode, Failure> {
    let mut found = args.store.all(now)?;
    found.retain(|known| known.has_fingerprint(&args.what));
    if found.is_empty() {
        return Err(unknown(&args.what));
    }
    if args.json {
        let values: Vec<_> = found.iter().map(Known::as_json).collect();
        output::print_json(&values)?;
    } else {
        let text = |known: &Known| describe::lines(&known.certificate, now) + &known.lines();
        let texts: Vec<_> = found.iter().map(text).collect();
        output::print(texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The certificates of PKCS #12 files may be encrypted too.
fn certificates(args: &ShowArgs) -> Result<Vec<Certificate>, Failure> {
    match load_certificates(Path::new(&args.what)) {
        Err(error)
            if matches!(
                error.defect(),
                Some(Defect::PassphraseMissing | Defect::WrongPassphrase)
            ) =>
        {
            open_certificates(Path::new(&args.what), &args.passphrase)
        }
        result => Ok(result?),
    }
}
