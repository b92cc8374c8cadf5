//! Names in a component's octets: what it imports and exports, before anything is compiled.

use wasmparser::{Encoding, Parser, Payload};

/// The package that the contract is.
const PACKAGE: &str = "waxseal:filter/";

/// What a component asks for and offers, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// `waxseal:filter/mail@0.1.0`, `wasi:io/streams@0.2.0`, …
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Reads the names of the outermost component; components and modules inside it get
/// nothing that it does not pass on.
pub(crate) fn names(octets: &[u8]) -> Result<Names, String> {
    let mut names = Names::default();
    let mut depth = 0_usize;
    let mut parser = Parser::new(0);
    parser.set_features(wasmparser::WasmFeatures::all());
    for payload in parser.parse_all(octets) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => return Err("it is a core module, not componentised".to_owned()),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| error.to_string())?;
                    names.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    names.exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// The interface and version of a name of the contract's package.
pub(crate) fn of_contract(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix(PACKAGE)?;
    match rest.split_once('@') {
        Some((interface, version)) => Some((interface, Some(version))),
        None => Some((rest, None)),
    }
}

/// Can an import of this version be answered? Versions of one 0.1 line are compatible both
/// ways; what is missing from ours shows when it is linked.
pub(crate) fn is_our_line(version: Option<&str>) -> bool {
    version.is_some_and(|version| version.starts_with("0.1.") && !version.contains('-'))
}
