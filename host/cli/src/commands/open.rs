//! `waxseal open`: take all layers off a mail or a CMS object, and say what they are.

use std::process::ExitCode;

use clap::Args;

use crate::opening::{OpeningArgs, layers};
use crate::output;
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
    if let (Some(file), Some(content)) = (&args.opening.out, &opened.content) {
        output::write(Some(file), content)?;
    }
    if args.opening.json {
        output::print_json(&opened.to_json(opener.rule))?;
    } else {
        output::print(layers::text(&opened, opener.rule))?;
    }
    Ok(ExitCode::from(u8::from(
        !opened.verdict(opener.rule).is_good(),
    )))
}
