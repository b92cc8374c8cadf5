//! From a filter project to a component: find a compiler, run cargo, encode in process.
//!
//! It installs nothing. What is missing is named, with the command that gets it.

mod cargo;
mod componentize;
mod paths;
mod toolchain;

use std::path::Path;

use crate::progress::Spinner;
use crate::report::{Exit, Failure};

/// A built component.
pub(crate) struct Built {
    /// The package's name.
    pub(crate) name: String,
    /// The component's octets.
    pub(crate) component: Vec<u8>,
}

/// Builds the filter project in a directory. Cargo reports on standard error.
pub(crate) fn build(project: &Path) -> Result<Built, Failure> {
    let name = cargo::package_name(project)?;
    let toolchain = toolchain::find(project)?;
    let module = cargo::compile(project, &toolchain)?;
    let _spinner = Spinner::start("making a component");
    let octets = std::fs::read(&module).map_err(|error| Failure::reading(&module, &error))?;
    let component =
        componentize::componentize(&octets).map_err(|error| {
            Failure::new(Exit::Data, format_args!("the module makes no component: {error}")).hint(
            "a filter implements `waxseal_guest::Filter`, names it with `filter!`, and is built \
             for wasm32-unknown-unknown",
        )
        })?;
    Ok(Built { name, component })
}
