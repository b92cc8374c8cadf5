//! `waxseal inspect`: what a component may ask for, in words.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `inspect` takes.
#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    pub(crate) file: PathBuf,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Describes the component.
pub(crate) fn run(_args: InspectArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("inspect"))
}
