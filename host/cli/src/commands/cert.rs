//! `waxseal cert`: make certificates, show them, and say which would be used.

use std::process::ExitCode;

use clap::Subcommand;

use crate::report::Failure;

/// What `cert` does.
#[derive(Subcommand)]
pub(crate) enum CertCommand {
}

/// Does it.
pub(crate) fn run(_command: CertCommand) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("cert"))
}
