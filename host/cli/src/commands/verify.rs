//! `waxseal verify`: is this signed, and by whom?
//!
//! As `open`, but what is not signed at all exits with 1 too. `--out` gets the content that was
//! signed.

use std::process::ExitCode;

use clap::Args;

use crate::opening::OpeningArgs;
use crate::report::{Failure, note};

/// What `verify` takes.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    opening: OpeningArgs,
}

/// Verifies it.
pub(crate) fn run(args: VerifyArgs) -> Result<ExitCode, Failure> {
    let opener = args.opening.read()?;
    let opened = opener.open()?;
    args.opening.write_content(&opened)?;
    args.opening.print(&opened, opener.rule)?;
    let verdict = opened.verdict(opener.rule);
    if verdict.is_good() && verdict.name() != "valid" {
        note("nothing is signed");
    }
    Ok(if verdict.name() == "valid" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
