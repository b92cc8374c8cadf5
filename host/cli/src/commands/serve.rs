//! `waxseal serve`: listeners in front of a policy.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::report::Failure;

/// What `serve` takes.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The policy directory
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: PathBuf,

    /// How to listen and where mail goes on to; serve.toml in the policy directory when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The form of log lines
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LogForm::Text)]
    pub(crate) log: LogForm,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// A line for people.
    Text,
    /// A JSON object on each line.
    Json,
}

/// Serves until SIGTERM.
pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    crate::serve::run(args)
}
