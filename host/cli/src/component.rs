//! A component in words: what it is, and what it may ask for.

use std::fmt::Write;
use std::path::Path;

use waxseal_policy::{ComponentDescription, Import};

use crate::report::{Exit, Failure};

/// How a WebAssembly file begins, and the layer that makes it a component (component model,
/// binary format, preamble).
const MAGIC: &[u8] = b"\0asm";
const COMPONENT_LAYER: &[u8] = &[0x01, 0x00];

/// Reads what a component says of itself; `file` is for the message.
pub(crate) fn describe(octets: &[u8], file: &Path) -> Result<ComponentDescription, Failure> {
    let file = file.display();
    if !octets.starts_with(MAGIC) {
        return Err(Failure::new(
            Exit::Data,
            format_args!("not WebAssembly: {file}"),
        ));
    }
    if octets.get(6..8) != Some(COMPONENT_LAYER) {
        return Err(Failure::new(
            Exit::Data,
            format_args!("a module, not a component: {file}"),
        )
        .hint("`waxseal build` makes a component of a filter project"));
    }
    waxseal_policy::describe(octets)
        .map_err(|error| Failure::new(Exit::Data, format_args!("{error}: {file}")))
}

/// Everything that `inspect` prints.
pub(crate) fn in_words(description: &ComponentDescription) -> String {
    let mut text = facts(description);
    let (asks, free): (Vec<&Import>, Vec<&Import>) = description
        .imports
        .iter()
        .partition(|import| import.needs_grant);
    let unknown: Vec<&Import> = description
        .imports
        .iter()
        .filter(|it| !it.offered)
        .collect();
    section(
        &mut text,
        "may, like every filter",
        free.iter().filter(|it| it.offered),
    );
    section(
        &mut text,
        "may, once granted",
        asks.iter().filter(|it| it.offered),
    );
    section(
        &mut text,
        "asks for what this host does not offer",
        unknown.iter(),
    );
    if !description.needs.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(text, "\ngrant = {:?}\n", description.needs);
    }
    text
}

/// Size, digest and version: a line each.
pub(crate) fn facts(description: &ComponentDescription) -> String {
    let version = match (&description.version, &description.world) {
        (Some(version), Some(world)) => format!("waxseal:filter {version}, world {world}"),
        (Some(version), None) => format!("waxseal:filter {version}"),
        (None, _) => "not built against waxseal:filter".to_owned(),
    };
    format!(
        "{:<10}{} octets\n{:<10}{}\n{:<10}{version}\n",
        "size", description.size, "sha-256", description.sha256, "contract"
    )
}

fn section<'a>(text: &mut String, title: &str, imports: impl Iterator<Item = &'a &'a Import>) {
    let mut imports = imports.peekable();
    if imports.peek().is_none() {
        return;
    }
    // Writing to a string does not fail.
    let _ = write!(text, "\n{title}:\n");
    for import in imports {
        let _ = writeln!(text, "  {:<14}{}", import.interface, import.in_words);
    }
}
