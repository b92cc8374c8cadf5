//! `waxseal test`: fixtures, mail and envelope → expected plan.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `test` takes.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// The policy directory or filter project
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Write what came out as what is expected
    #[arg(long)]
    pub(crate) update: bool,

    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the fixtures.
pub(crate) fn run(_args: TestArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("test"))
}
