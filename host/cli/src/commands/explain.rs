//! `waxseal explain`: what `run` would do, and why.

use std::process::ExitCode;

use crate::commands::run::RunArgs;
use crate::report::Failure;

/// Prints the plan, the calls, the rules that matched and the time of each step.
pub(crate) fn run(_args: RunArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("explain"))
}
