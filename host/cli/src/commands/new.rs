//! `waxseal new`: a filter project with everything it needs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;

/// What `new` takes.
#[derive(Args)]
pub(crate) struct NewArgs {
    /// The directory to make; its last part names the filter
    #[arg(value_name = "NAME")]
    pub(crate) dir: PathBuf,

    /// The language of the filter
    #[arg(long, value_name = "NAME", default_value = "rust", value_parser = ["rust"])]
    pub(crate) lang: String,
}

/// Makes the project.
pub(crate) fn run(_args: NewArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("new"))
}
