//! From the module that a compiler makes to the component that the host loads.
//!
//! The module carries the type of its world in a custom section that the bindings
//! put there. What it does not import is not in the component either: the import
//! list is the list of permissions. Sections that only name things are left out,
//! so that a component is small and equal sources give equal octets.
//!
//! Fails, with the encoder's own words, for a module that was not built with the
//! bindings, or that imports something besides `waxseal:filter` (a WASI target).

use wasmparser::{BinaryReader, BinaryReaderError};

/// What the encoder reads from the module.
const TYPE_SECTIONS: &str = "component-type";

/// Encodes a core module as a component.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    let module = without_custom_sections(module, |name| name.starts_with(TYPE_SECTIONS))
        .map_err(|error| format!("not a WebAssembly module: {error}"))?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))?;
    without_custom_sections(&component, |_| false)
        .map_err(|error| format!("the encoder made no component: {error}"))
}

/// Copies a module or a component section by section (core specification §5.5.2;
/// a component's outermost level has the same form), without those custom
/// sections whose name is not to be kept.
fn without_custom_sections(
    octets: &[u8],
    keep: impl Fn(&str) -> bool,
) -> Result<Vec<u8>, BinaryReaderError> {
    const PREAMBLE: usize = 8;
    const CUSTOM: u8 = 0;
    let mut reader = BinaryReader::new(octets, 0);
    let mut kept = reader.read_bytes(PREAMBLE)?.to_vec();
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8()?;
        let content = reader.read_reader()?;
        let end = reader.current_position();
        if id != CUSTOM || keep(content.clone().read_string()?) {
            kept.extend_from_slice(&octets[start..end]);
        }
    }
    Ok(kept)
}
