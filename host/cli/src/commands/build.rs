//! `waxseal build`: a filter project into a component.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `build` takes.
#[derive(Args)]
pub(crate) struct BuildArgs {
    /// The filter project
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Where the component goes; NAME.wasm in the project when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Builds it.
pub(crate) fn run(_args: BuildArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("build"))
}
