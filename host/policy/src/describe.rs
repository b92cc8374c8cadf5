//! What a component may ask for, in words: read from its octets, nothing compiled.

use serde::Serialize;

use crate::error::{LoadError, LoadReason, LoadStep};

/// What `inspect` says of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComponentDescription {
    /// Octets.
    pub size: usize,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Version of `waxseal:filter` that it was built against.
    pub version: Option<String>,
    /// The smallest world that covers its imports: `decider`, `protector`, `opener`.
    pub world: Option<String>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Interfaces that must be granted.
    pub needs: Vec<String>,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Import {
    /// `actions`, or the whole name when it is not of `waxseal:filter`.
    pub interface: String,
    /// Its version.
    pub version: Option<String>,
    /// What it lets the filter do.
    pub in_words: String,
    /// Does this host offer it?
    pub offered: bool,
    /// Does it need a grant?
    pub needs_grant: bool,
    /// The functions that the component uses.
    pub functions: Vec<String>,
}

/// Reads a component's octets.
pub fn describe(_component: &[u8]) -> Result<ComponentDescription, LoadError> {
    Err(LoadError::new(
        LoadStep::Imports,
        LoadReason::NotAComponent("not built yet".into()),
    ))
}
