//! `componentize MODULE COMPONENT`: the step after the compiler, for `filters/build`.
//!
//! The function is that of `waxseal build`; a program of its own, so that building
//! the stock filters does not build the gateway first.

use std::{env, fs, process::ExitCode};

#[path = "../../../host/cli/src/build/componentize.rs"]
mod componentize;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, component] = arguments.as_slice() else {
        return Err("usage: componentize MODULE COMPONENT".to_owned());
    };
    let octets = fs::read(module).map_err(|error| format!("cannot read {module}: {error}"))?;
    let encoded = componentize::componentize(&octets)?;
    fs::write(component, encoded).map_err(|error| format!("cannot write {component}: {error}"))
}
