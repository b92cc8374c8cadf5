//! What a component may ask for, in words: read from its octets, nothing compiled.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::component::{names, of_contract};
use crate::error::{LoadError, LoadReason, LoadStep};
use crate::grants::{DECIDER, GRANTABLE};
use crate::load::{hex, is_offered};

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
    /// `None` when it exports no handler, or imports what no world has.
    pub world: Option<String>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports, by full name.
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
pub fn describe(component: &[u8]) -> Result<ComponentDescription, LoadError> {
    let unreadable = |why| LoadError::new(LoadStep::Imports, LoadReason::NotAComponent(why));
    let names = names(component).map_err(unreadable)?;
    // Functions are a courtesy: a component whose types do not decode is described too.
    let decoded = wit_component::decode(component).ok();
    let imports: Vec<Import> = names
        .imports
        .iter()
        .map(|name| import(name, decoded.as_ref()))
        .collect();
    Ok(ComponentDescription {
        size: component.len(),
        sha256: hex(&Sha256::digest(component)),
        version: version(&names.imports, &names.exports),
        world: world(&imports, &names.exports).map(str::to_owned),
        needs: imports
            .iter()
            .filter(|import| import.needs_grant)
            .map(|import| import.interface.clone())
            .collect(),
        imports,
        exports: names.exports,
    })
}

fn import(name: &str, decoded: Option<&wit_component::DecodedWasm>) -> Import {
    let ours = of_contract(name);
    let interface = ours.map_or(name, |(interface, _)| interface);
    Import {
        interface: interface.to_owned(),
        version: ours.and_then(|(_, version)| version.map(str::to_owned)),
        in_words: words(ours.map(|(interface, _)| interface)).to_owned(),
        offered: is_offered(name),
        needs_grant: ours.is_some() && GRANTABLE.contains(&interface),
        functions: decoded.map_or_else(Vec::new, |decoded| functions(decoded, name)),
    }
}

/// What an interface lets a filter do.
fn words(interface: Option<&str>) -> &'static str {
    match interface {
        Some("types") => "types that the others share; certificates as values",
        Some("mail") => "read the message, search it, and make versions with other header fields",
        Some("session") => "read the envelope and what the mail server knows of the session",
        Some("config") => "read its own settings and ask the lists granted to it",
        Some("log") => "write to the log; what it writes can hold content of the message",
        Some("explain") => "say why it decided",
        Some("metrics") => "count and measure",
        Some("clock") => "read the time, frozen for each message",
        Some("actions") => "set what is sent to whom, refuse recipients, and require encryption",
        Some("envelope") => "add and remove recipients, and change the sender",
        Some("certificates") => "look certificates up and check them",
        Some("profiles") => "sign and encrypt by the sending profiles granted to it",
        Some("protect") => "sign and encrypt with parameters of its own",
        Some("inspect") => "look at signatures and envelopes, and take signatures off",
        Some("harvest") => "put certificates into the store",
        Some("open") => "decrypt the message with the gateway's keys",
        Some(_) => "unknown to this host",
        None => "not of waxseal:filter; this host does not offer it",
    }
}

/// The version in the names; the exported handler's counts when nothing is imported.
fn version(imports: &[String], exports: &[String]) -> Option<String> {
    let versions = imports.iter().chain(exports);
    let mut versions = versions.filter_map(|name| of_contract(name)?.1);
    versions.next().map(str::to_owned)
}

fn world(imports: &[Import], exports: &[String]) -> Option<&'static str> {
    let handles = exports
        .iter()
        .any(|export| matches!(of_contract(export), Some(("handler", _))));
    if !handles || imports.iter().any(|import| !import.offered) {
        return None;
    }
    let within =
        |known: &dyn Fn(&str) -> bool| imports.iter().all(|import| known(&import.interface));
    if within(&|interface| DECIDER.contains(&interface)) {
        return Some("decider");
    }
    match within(&|interface| interface != "open") {
        true => Some("protector"),
        false => Some("opener"),
    }
}

/// The functions of an imported interface that the component's type mentions.
fn functions(decoded: &wit_component::DecodedWasm, name: &str) -> Vec<String> {
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Vec::new();
    };
    let imports = &resolve.worlds[*world].imports;
    imports
        .iter()
        .filter(|(key, _)| resolve.name_world_key(key) == name)
        .flat_map(|(key, item)| functions_of(resolve, key, item))
        .collect()
}

fn functions_of(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Vec<String> {
    match item {
        WorldItem::Interface { id, .. } => {
            resolve.interfaces[*id].functions.keys().cloned().collect()
        }
        WorldItem::Function(_) => vec![resolve.name_world_key(key)],
        WorldItem::Type { .. } => Vec::new(),
    }
}
