//! One policy directory → one [`Generation`].
//!
//! The only crate that parses configuration. It reads `waxseal.toml` and what stands beside it
//! (`filters/`, `identities/`, `certificates/`, `anchors/`, `crls/`, `lists/`, `dictionaries/`), checks
//! every name against what it refers to, and loads the filters. It makes no decision about
//! mail, writes nothing, and keeps no file open.
//!
//! On failure nothing is loaded, and [`Errors`] has every problem that was found, each with
//! its file, its line, its place in the file, and what to try. What an operator should know
//! although it does not stand in the way is in [`Loaded::warnings`].
//!
//! File names in `waxseal.toml` are relative to the directory and inside it, or absolute.
//! Secrets are read from files or the environment and never enter the generation's id.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod certificates;
mod crypto;
mod directory;
mod document;
mod fetch;
mod filter;
mod identity;
mod inventory;
mod nearest;
mod origin;
mod problem;
mod profile;
mod quarantine;
pub mod serve;
mod store;
mod trust;
mod words;

pub use crypto::Providers;
pub use inventory::{open_store, read_identities};
pub use problem::{Errors, Problem};

use std::path::Path;
use std::sync::Arc;

use waxseal_engine::{Generation, GenerationParts, Inbound};
use waxseal_message::Limits;
use waxseal_policy::{PolicyConfig, Runtime};
use waxseal_smime::{CertificateSource, Time};

use crate::directory::Directory;
use crate::document::{Section, Source};
use crate::filter::Names;
use crate::problem::Collector;
use crate::store::RequiresPath;

/// The name of the file that makes a directory a policy.
pub const FILE: &str = "waxseal.toml";

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// The time now, for identities that expire soon.
    pub now: Time,
}

/// A policy that loaded.
pub struct Loaded {
    /// What the engine works by.
    pub generation: Generation,
    /// What an operator should know.
    pub warnings: Vec<Problem>,
    /// Where the generation finds certificates, to explain a choice.
    pub certificates: Vec<Arc<dyn CertificateSource>>,
}

/// Loads a policy directory.
pub fn load(
    dir: &Path,
    runtime: &Arc<Runtime>,
    providers: &Providers,
    options: &LoadOptions,
) -> Result<Loaded, Errors> {
    load_copy(dir, dir, runtime, providers, options)
}

/// Loads a copy of a policy directory. What the service writes, the store of certificates,
/// stays in the original.
pub fn load_copy(
    copy: &Path,
    original: &Path,
    runtime: &Arc<Runtime>,
    providers: &Providers,
    options: &LoadOptions,
) -> Result<Loaded, Errors> {
    let (problems, warnings) = (Collector::default(), Collector::default());
    let read = {
        let directory = Directory::new(copy, &problems, &warnings).copy_of(original);
        read(&directory, runtime, providers, options)
    };
    match read {
        Some(loaded) if problems.is_empty() => Ok(Loaded {
            warnings: warnings.into_problems(),
            ..loaded
        }),
        _ => Err(Errors(problems.into_problems())),
    }
}

fn read(
    directory: &Directory<'_>,
    runtime: &Arc<Runtime>,
    providers: &Providers,
    options: &LoadOptions,
) -> Option<Loaded> {
    let text = directory.read_text(Path::new(FILE))?;
    let source = Source::new(Path::new(FILE), &text, directory.problems);
    let table = source.parse();
    if !directory.problems.is_empty() {
        return None; // What follows a syntax error would be about things that are there.
    }
    let root = Section::root(&source, &table);
    let provider = crypto::read(&root, providers);
    let mut config = PolicyConfig {
        filters: Vec::new(),
        lists: words::lists(directory),
        dictionaries: words::dictionaries(directory),
        profiles: Vec::new(),
        time: options.now.unix(),
    };
    let (identities, profiles) = (root.named("identity"), root.named("profile"));
    let names = names(&identities, &profiles, &config);
    config.profiles.clone_from(&names.profiles);
    let profiles: Vec<_> = profiles
        .into_iter()
        .filter_map(|(name, section)| profile::read(name, section, &names.identities))
        .collect();
    let quarantine = root
        .section("quarantine")
        .and_then(|section| quarantine::read(section, &profiles, &names.profiles));
    let identities = identities
        .into_iter()
        .flat_map(|(name, section)| {
            identity::read(name, section, directory, provider.as_ref(), options.now)
        })
        .collect();
    let drafts = filter::read(root.sections("filter"), &names, directory);
    let origin = root.section("origin").map(origin::read).unwrap_or_default();
    let limits = root.section("limits").map(limits).unwrap_or_default();
    let files = certificates::read(directory);
    let trusted = trust::read(
        root.section("trust"),
        directory,
        files.as_deref(),
        &provider,
    );
    let store = store::read(&root, directory);
    let requires_path = match trusted.recipients {
        Some(_) => RequiresPath::Yes,
        None => RequiresPath::No,
    };
    store::check(&store, requires_path, directory);
    let files = files.map(|files| files as Arc<dyn CertificateSource>);
    let certificates = files.into_iter().chain([store.source()]).collect();
    root.finish();
    filter::warn_about_order(&drafts, directory);
    loaded(
        GenerationParts {
            id: directory.id(),
            policy: filter::load(runtime, config, &drafts, directory)?,
            profiles,
            identities,
            certificates,
            keeper: store.keeper(),
            harvest: store.rules,
            trust: trusted.recipients,
            origin,
            provider,
            limits,
            inbound: Inbound {
                trust: trusted.signers,
                allow_weak: trusted.allow_weak,
                ..Inbound::default()
            },
            quarantine,
        },
        directory,
    )
}

/// What grants and profiles may refer to, sound or not: a problem is reported once.
fn names(
    identities: &[(&str, Section<'_>)],
    profiles: &[(&str, Section<'_>)],
    config: &PolicyConfig,
) -> Names {
    let of = |sections: &[(&str, Section<'_>)]| -> Vec<String> {
        sections
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect()
    };
    Names {
        profiles: of(profiles),
        identities: of(identities),
        lists: config.lists.names().map(str::to_owned).collect(),
        dictionaries: config.dictionaries.names().map(str::to_owned).collect(),
    }
}

fn loaded(parts: GenerationParts, directory: &Directory<'_>) -> Option<Loaded> {
    let certificates = parts.certificates.clone();
    match Generation::new(parts) {
        Ok(generation) => Some(Loaded {
            generation,
            warnings: Vec::new(),
            certificates,
        }),
        Err(error) => {
            let problem = Problem::with_file(FILE, error.to_string());
            directory.problems.add(problem);
            None
        }
    }
}

/// `[limits]`: how much of a message is read before it is refused.
fn limits(section: Section<'_>) -> Limits {
    let default = Limits::default();
    let size = |number: Option<u64>, shift: u32, default: usize| {
        number
            .and_then(|number| usize::try_from(number << shift).ok())
            .unwrap_or(default)
    };
    let limits = Limits {
        octets: size(section.number("message-mib", 1..=1024), 20, default.octets),
        header_fields: size(
            section.number("header-fields", 10..=100_000),
            0,
            default.header_fields,
        ),
        header_octets: size(
            section.number("header-kib", 16..=65_536),
            10,
            default.header_octets,
        ),
        depth: size(section.number("depth", 2..=256), 0, default.depth),
        parts: size(section.number("parts", 1..=1_000_000), 0, default.parts),
    };
    section.finish();
    limits
}
