//! `waxseal demo`: a throw-away CA, sample mail through the stock filters, results to look at.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `demo` takes.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where the results go; a new temporary directory when not given
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
}

/// Runs the demonstration.
pub(crate) fn run(_args: DemoArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("demo"))
}
