//! Parts of a policy directory, for commands that look after certificates: they work while a
//! filter is broken, and compile none. What else stands in `waxseal.toml` is not looked at.

use std::path::Path;
use std::sync::Arc;

use waxseal_engine::AssignedIdentity;
use waxseal_smime::Time;
use waxseal_stores::CertificateStore;

use crate::directory::Directory;
use crate::document::{Section, Source};
use crate::problem::{Collector, Errors};
use crate::{FILE, Providers, crypto, identity, store};

/// The store of a policy directory, with the limits of `[store]`. Its file need not be there.
pub fn open_store(dir: &Path) -> Result<Arc<CertificateStore>, Errors> {
    part(dir, |root, directory| {
        store::read(root, directory).certificates
    })
}

/// The identities of a policy directory.
pub fn read_identities(
    dir: &Path,
    providers: &Providers,
    now: Time,
) -> Result<Vec<AssignedIdentity>, Errors> {
    part(dir, |root, directory| {
        let provider = crypto::read(root, providers);
        let sections = root.named("identity").into_iter();
        let read = |(name, section)| identity::read(name, section, directory, &*provider, now);
        sections.flat_map(read).collect()
    })
}

fn part<T>(dir: &Path, read: impl FnOnce(&Section<'_>, &Directory<'_>) -> T) -> Result<T, Errors> {
    let (problems, warnings) = (Collector::default(), Collector::default());
    let read = {
        let directory = Directory::new(dir, &problems, &warnings);
        directory.read_text(Path::new(FILE)).and_then(|text| {
            let source = Source::new(Path::new(FILE), &text, directory.problems);
            let table = source.parse();
            let is_sound = directory.problems.is_empty();
            is_sound.then(|| read(&Section::root(&source, &table), &directory))
        })
    };
    match read {
        Some(read) if problems.is_empty() => Ok(read),
        _ => Err(Errors(problems.into_problems())),
    }
}
