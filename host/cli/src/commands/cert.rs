//! `waxseal cert`: make certificates, show them, look after a store of them, and say which would
//! be used.

mod change;
mod describe;
mod explain;
mod files;
mod generate;
mod known;
mod list;
mod request;
mod show;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use waxseal_message::Address;
use waxseal_smime::KeyAlgorithm;

use crate::args::mailbox;
use crate::report::Failure;

/// What `cert` does.
#[derive(Subcommand)]
pub(crate) enum CertCommand {
    /// Make a certificate that vouches for itself, or a small CA with certificates under it
    Generate(generate::GenerateArgs),
    /// Make a key and a PKCS #10 request for another CA to sign
    Request(request::RequestArgs),
    /// Show what the certificates of a file say, or those with a fingerprint
    Show(show::ShowArgs),
    /// List the certificates of a directory, a policy or a store
    List(list::ListArgs),
    /// Put certificates into the store of a policy
    Import(change::ImportArgs),
    /// Write a certificate that a policy or a store knows as PEM
    Export(change::ExportArgs),
    /// Set a certificate for an address: it is preferred to all others
    Pin(change::PinArgs),
    /// Remove a certificate from the store
    Remove(change::RemoveArgs),
    /// Say which certificate would be used for an address, and why not the others
    Explain(explain::ExplainArgs),
    /// Say whether a certificate is trusted: its path, or why there is none
    Verify(verify::VerifyArgs),
}

/// Does it.
pub(crate) fn run(command: CertCommand) -> Result<ExitCode, Failure> {
    match command {
        CertCommand::Generate(args) => generate::run(args),
        CertCommand::Request(args) => request::run(args),
        CertCommand::Show(args) => show::run(args),
        CertCommand::List(args) => list::run(args),
        CertCommand::Import(args) => change::import(args),
        CertCommand::Export(args) => change::export(args),
        CertCommand::Pin(args) => change::pin(args),
        CertCommand::Remove(args) => change::remove(args),
        CertCommand::Explain(args) => explain::run(args),
        CertCommand::Verify(args) => verify::run(args),
    }
}

/// Whom a new certificate or request names.
#[derive(Args)]
pub(crate) struct SubjectArgs {
    /// A mail address that it is for; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = mailbox)]
    address: Vec<Address>,

    /// The holder's name; the first address when not given
    #[arg(long)]
    name: Option<String>,

    /// The holder's organization
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
}

/// The key that is made, and where the files go.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519 (signs only), x25519
    /// (encrypts only)
    #[arg(long, value_name = "KIND", default_value = "rsa-3072", value_parser = key_kind)]
    key: KeyAlgorithm,

    /// The directory for the files, made when it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

fn key_kind(name: &str) -> Result<KeyAlgorithm, String> {
    let kind: KeyAlgorithm = name.parse().map_err(|error| format!("{error}"))?;
    if kind.is_within_floor() {
        Ok(kind)
    } else {
        Err("RSA keys have 2048 to 8192 bits".to_owned())
    }
}
