//! `waxseal init`: a working policy directory to start from.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `init` takes.
#[derive(Args)]
pub(crate) struct InitArgs {
    /// Where to make it; must not exist, or be empty
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Makes the directory.
pub(crate) fn run(_args: InitArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("init"))
}
