//! `waxseal cert show`: what the certificates of a file say.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::{Certificate, Clock, Time};
use waxseal_stores::{Defect, load_certificates};

use super::describe;
use crate::clock::{self, CommandClock};
use crate::output;
use crate::passphrase::{PassphraseArgs, open_certificates};
use crate::report::Failure;

/// What `cert show` takes.
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Certificates as PEM, DER, PKCS #7 or PKCS #12
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// Prints every certificate of the file.
pub(crate) fn run(args: ShowArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
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

/// The certificates of PKCS #12 files may be encrypted too.
fn certificates(args: &ShowArgs) -> Result<Vec<Certificate>, Failure> {
    match load_certificates(&args.file) {
        Err(error)
            if matches!(
                error.defect(),
                Some(Defect::PassphraseMissing | Defect::WrongPassphrase)
            ) =>
        {
            open_certificates(&args.file, &args.passphrase)
        }
        result => Ok(result?),
    }
}
