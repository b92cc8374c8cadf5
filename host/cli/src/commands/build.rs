//! `waxseal build`: a filter project into a component.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::output::{self, Access};
use crate::report::Failure;
use crate::{build, component};

/// What `build` takes.
#[derive(Args)]
pub(crate) struct BuildArgs {
    /// The filter project
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Where the component goes; NAME.wasm in the project when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Builds it. Cargo's words and the progress are on standard error.
pub(crate) fn run(args: BuildArgs) -> Result<ExitCode, Failure> {
    let built = build::build(&args.dir)?;
    let out = args.out.unwrap_or_else(|| {
        args.dir
            .strip_prefix(".")
            .unwrap_or(&args.dir)
            .join(format!("{}.wasm", built.name))
    });
    let description = component::describe(&built.component, &out)?;
    output::create(&out, &built.component, Access::Shared)?;
    if args.json {
        let value = serde_json::json!({ "file": out, "component": description });
        output::print_json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let asks = match description.needs.as_slice() {
        [] => "nothing".to_owned(),
        needs => needs.join(", "),
    };
    let facts = component::facts(&description);
    output::print(format!(
        "{:<10}{}\n{facts}{:<10}{asks}\n",
        "component",
        out.display(),
        "asks for"
    ))?;
    Ok(ExitCode::SUCCESS)
}
