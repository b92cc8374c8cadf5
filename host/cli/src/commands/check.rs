//! `waxseal check`: load a policy directory as the service would, say what is wrong and where.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::Time;

use crate::clock;
use crate::report::Failure;

/// What `check` takes.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The policy directory
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Print the problems as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The time at which certificates are looked at (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    pub(crate) at: Option<Time>,
}

/// Loads everything and prints every problem.
pub(crate) fn run(_args: CheckArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("check"))
}
