//! `[store]` and `[harvest]`: the file that keeps certificates, and what of received mail goes
//! into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use waxseal_smime::{CertificateKeeper, CertificateSource, HarvestRules, Unverified, WhenKnown};
use waxseal_stores::{CertificateStore, StoreOptions, SystemClock};

use crate::directory::Directory;
use crate::document::Section;
use crate::problem::Problem;

/// The store's file when `[store]` names none.
const DEFAULT_FILE: &str = "certificates.sqlite";

/// The store, and whether received mail may add to it.
pub(crate) struct Store {
    pub(crate) certificates: Arc<CertificateStore>,
    pub(crate) rules: HarvestRules,
    harvests: bool,
}

impl Store {
    /// The store as a place to look certificates up in.
    pub(crate) fn source(&self) -> Arc<dyn CertificateSource> {
        Arc::clone(&self.certificates) as Arc<dyn CertificateSource>
    }

    /// What keeps certificates of received mail; `None` with `enabled = false`.
    pub(crate) fn keeper(&self) -> Option<Arc<dyn CertificateKeeper>> {
        let keeper = Arc::clone(&self.certificates) as Arc<dyn CertificateKeeper>;
        self.harvests.then_some(keeper)
    }
}

/// Reads both sections. The file need not be there: it is made when something is kept.
pub(crate) fn read(root: &Section<'_>, directory: &Directory<'_>) -> Store {
    let section = root.section("harvest");
    let (harvests, rules) = section
        .map(harvest)
        .unwrap_or((true, HarvestRules::default()));
    let default = StoreOptions::default();
    let mut options = StoreOptions { rules, ..default };
    let mut file = None;
    if let Some(section) = root.section("store") {
        let named = section.value("file");
        file = named.and_then(|value| directory.named_by(&value));
        let number = |key, most| section.number(key, 1..=most);
        options.capacity = number("cap", 100_000_000).unwrap_or(default.capacity);
        options.per_address = number("per-address", 1000).unwrap_or(default.per_address);
        section.finish();
    }
    let file = file.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let path = directory.data(&file);
    Store {
        certificates: Arc::new(CertificateStore::new(path, options, Arc::new(SystemClock))),
        rules,
        harvests,
    }
}

fn harvest(section: Section<'_>) -> (bool, HarvestRules) {
    let unverified = match section.flag("unverified") {
        Some(true) => Unverified::Keep,
        _ => Unverified::Refuse,
    };
    let known = [("update", WhenKnown::Update), ("keep", WhenKnown::Keep)];
    let rules = HarvestRules {
        unverified,
        known: section.word("existing", &known).unwrap_or_default(),
    };
    let enabled = section.flag("enabled").unwrap_or(true);
    section.finish();
    (enabled, rules)
}

/// Says at once what would otherwise be said for every message: a file that is no store, or one
/// that cannot be read.
pub(crate) fn check(store: &Store, requires_path: RequiresPath, directory: &Directory<'_>) {
    let certificates = &store.certificates;
    let name = directory.name(certificates.path());
    if let Err(error) = certificates.size() {
        let problem = Problem::with_file(name, message(&error, certificates.path()))
            .hint(error.hint().map(str::to_owned));
        match error.is_passing() {
            true => directory.warnings.add(problem),
            false => directory.problems.add(problem),
        }
    }
    if store.rules.unverified == Unverified::Keep && requires_path == RequiresPath::No {
        let message = "[harvest] keeps what did not verify, and [trust] requires no path: whoever \
                       writes as somebody gets the mail that is encrypted to them";
        let hint = "set require-path = true under [trust], or unverified = false under [harvest]";
        let problem = Problem::with_file(crate::FILE, message).hint(hint.to_owned());
        directory.warnings.add(problem);
    }
}

/// Whether a certificate needs a path to an anchor before anything is encrypted to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequiresPath {
    Yes,
    No,
}

/// The error without the file, which stands before it.
fn message(error: &waxseal_stores::Error, path: &Path) -> String {
    let text = error.to_string();
    let prefix = format!("{}: ", path.display());
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}
