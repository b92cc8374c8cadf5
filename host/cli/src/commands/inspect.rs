//! `waxseal inspect`: what a component may ask for, in words.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::report::Failure;
use crate::{component, input, output};

/// Octets of the largest component that is looked at; a Python interpreter has 18 million.
const LARGEST: usize = 256 << 20;

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
pub(crate) fn run(args: InspectArgs) -> Result<ExitCode, Failure> {
    let octets = input::octets(Some(&args.file), LARGEST)?;
    let description = component::describe(&octets, &args.file)?;
    if args.json {
        output::print_json(&description)?;
    } else {
        output::print(component::in_words(&description))?;
    }
    Ok(ExitCode::SUCCESS)
}
