//! `waxseal open`: take all layers off a mail or a CMS object, and say what they are.
//!
//! Exits with 0 when it is S/MIME, everything was opened, and all signatures are valid, trusted
//! and the sender's own; with 1 when not; with 65 when the input cannot be parsed.
//!
//! `--out` gets the innermost content that was reached: below a signature whatever its state,
//! never what an encrypted layer held that is not in order. When nothing came off, no file is
//! written.

use std::process::ExitCode;

use clap::Args;

use crate::opening::OpeningArgs;
use crate::report::Failure;

/// What `open` takes.
#[derive(Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    opening: OpeningArgs,
}

/// Opens it.
pub(crate) fn run(args: OpenArgs) -> Result<ExitCode, Failure> {
    let opener = args.opening.read()?;
    let opened = opener.open()?;
    args.opening.write_content(&opened)?;
    args.opening.print(&opened, opener.rule)?;
    Ok(if opened.verdict(opener.rule).is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
