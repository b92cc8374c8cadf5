//! The certificates that a directory, a policy or a store knows: what `list`, `show`, `export`,
//! `remove` and `pin` look through.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use waxseal_config::{FILE, open_store, read_identities};
use waxseal_message::Address;
use waxseal_smime::{Certificate, Origin, Time};
use waxseal_stores::{
    CertificateDirectory, CertificateStore, StoreOptions, StoredCertificate, SystemClock,
};

use super::describe;
use crate::commands::check;
use crate::crypto::providers;
use crate::report::{Exit, Failure, warn};

/// The directory of certificates in a policy.
const CERTIFICATES: &str = "certificates";

/// Which store is meant.
#[derive(Args)]
pub(super) struct StoreArgs {
    /// A policy directory, whose store is meant
    #[arg(long, value_name = "DIR", conflicts_with = "store")]
    pub(super) policy: Option<PathBuf>,

    /// The file of a store
    #[arg(long, value_name = "FILE")]
    pub(super) store: Option<PathBuf>,
}

impl StoreArgs {
    /// The store that is named. Its file need not be there.
    pub(super) fn open(&self) -> Result<Arc<CertificateStore>, Failure> {
        match (&self.policy, &self.store) {
            (Some(dir), _) => open_store(dir).map_err(|errors| check::failure(dir, &errors)),
            (None, Some(file)) => Ok(of_file(file)),
            (None, None) => Err(Failure::new(Exit::Usage, "no store given")
                .hint("name a policy directory with --policy, or the file with --store")),
        }
    }

    /// Everything that the policy or the store knows; nothing when neither is named.
    pub(super) fn all(&self, now: Time) -> Result<Vec<Known>, Failure> {
        match (&self.policy, &self.store) {
            (Some(dir), _) => of_policy(dir, now),
            (None, Some(_)) => of_store(self.open()?.as_ref()),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// A store by its file, with the limits that a policy has when it sets none.
fn of_file(file: &Path) -> Arc<CertificateStore> {
    let (options, clock) = (StoreOptions::default(), Arc::new(SystemClock));
    Arc::new(CertificateStore::new(file, options, clock))
}

/// A certificate, and how it is known.
pub(super) struct Known {
    pub(super) certificate: Certificate,
    /// `pinned`, `imported`, `directory`, `harvested`, or `identity`.
    pub(super) origin: &'static str,
    /// The file, or the name of the identity.
    pub(super) place: String,
    source: Source,
}

enum Source {
    File,
    Identity,
    Store(Box<StoredCertificate>),
}

impl Known {
    /// Is it found for this address, whether by it or by its domain?
    pub(super) fn names(&self, address: &Address) -> bool {
        let mut named = self.certificate.addresses().iter();
        named.any(|each| each.matches_folded(address))
            || (self.certificate.domains().iter()).any(|each| each == address.domain())
    }

    /// Does its fingerprint begin with these digits, colons or not?
    pub(super) fn has_fingerprint(&self, digits: &str) -> bool {
        let all = describe::fingerprint(&self.certificate).replace(':', "");
        all.starts_with(&digits.replace(':', "").to_lowercase())
    }

    /// Where it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.source {
            Source::File => "a file",
            Source::Identity => "an identity",
            Source::Store(_) => "a store",
        }
    }

    /// What `list --json` has for each.
    pub(super) fn as_json(&self) -> Value {
        let mut value = json!({
            "origin": self.origin,
            "certificate": describe::as_json(&self.certificate),
        });
        match &self.source {
            Source::Identity => value["identity"] = json!(self.place),
            Source::File => value["file"] = json!(self.place),
            Source::Store(stored) => {
                value["store"] = json!(self.place);
                let holders = stored.holders.iter();
                value["holders"] = holders
                    .map(|each| json!({ "name": each.name, "origin": name(each.origin) }))
                    .collect();
                value["provenance"] = json!(stored.provenance.as_ref().map(|it| json!({
                    "message": it.message,
                    "at": it.at.to_string(),
                    "verified": it.verified,
                })));
                value["capabilities"] = json!(stored.capabilities.as_ref().map(|it| {
                    let ciphers: Vec<String> = it.ciphers.iter().map(ToString::to_string).collect();
                    json!({ "ciphers": ciphers, "oaep": it.oaep })
                }));
                value["used"] = json!(stored.used.to_string());
            }
        }
        value
    }

    /// What the store knows beside the certificate, one line each.
    pub(super) fn lines(&self) -> String {
        let Source::Store(stored) = &self.source else {
            return String::new();
        };
        let mut lines: Vec<(&str, String)> = Vec::new();
        for holder in &stored.holders {
            let text = format!("{} for {}", name(holder.origin), holder.name);
            lines.push(("origin", text));
        }
        if let Some(it) = &stored.provenance {
            let how = if it.verified {
                "verified"
            } else {
                "not verified"
            };
            lines.push(("came with", format!("{} of {}, {how}", it.message, it.at)));
        }
        if let Some(it) = &stored.capabilities {
            let mut words: Vec<String> = it.ciphers.iter().map(ToString::to_string).collect();
            words.extend(it.oaep.then(|| "oaep".to_owned()));
            lines.push(("reads", words.join(", ")));
        }
        lines.push(("used", stored.used.to_string()));
        lines
            .iter()
            .map(|(name, text)| format!("{name:<12}{}\n", describe::printable(text)))
            .collect()
    }
}

/// The certificates in a directory of files; what cannot be used in it is warned of.
pub(super) fn of_directory(directory: &Path) -> Result<Vec<Known>, Failure> {
    let files = open(directory)?;
    let known = |entry: &waxseal_stores::Entry| Known {
        certificate: entry.certificate.clone(),
        origin: name(entry.origin),
        place: (entry.file.strip_prefix(directory).unwrap_or(&entry.file))
            .display()
            .to_string(),
        source: Source::File,
    };
    Ok(files.entries().iter().map(known).collect())
}

/// Opens a directory and warns of what in it cannot be used.
pub(super) fn open(directory: &Path) -> Result<CertificateDirectory, Failure> {
    let files = CertificateDirectory::open(directory)?;
    for problem in files.problems() {
        warn(problem);
    }
    Ok(files)
}

fn of_store(store: &CertificateStore) -> Result<Vec<Known>, Failure> {
    let place = store.path().file_name().unwrap_or_default();
    let place = place.to_string_lossy().into_owned();
    let known = |stored: StoredCertificate| Known {
        certificate: stored.certificate.clone(),
        origin: stored.origin().map(name).unwrap_or_default(),
        place: place.clone(),
        source: Source::Store(Box::new(stored)),
    };
    Ok(store.entries()?.into_iter().map(known).collect())
}

/// Identities, then files, then the store. What is wrong with an identity is a warning: the rest
/// can be shown.
fn of_policy(dir: &Path, now: Time) -> Result<Vec<Known>, Failure> {
    let mut all = Vec::new();
    let is_policy = dir.join(FILE).is_file();
    if is_policy {
        match read_identities(dir, providers(), now) {
            Ok(identities) => all.extend(identities.into_iter().map(|own| Known {
                certificate: own.identity.certificate,
                origin: "identity",
                place: own.identity.name,
                source: Source::Identity,
            })),
            Err(errors) => errors.problems().iter().for_each(warn),
        }
    }
    let directory = dir.join(CERTIFICATES);
    if directory.is_dir() || !is_policy {
        all.extend(of_directory(&directory)?);
    }
    if is_policy {
        let store = open_store(dir).map_err(|errors| check::failure(dir, &errors))?;
        all.extend(of_store(&store)?);
    }
    Ok(all)
}

/// The one certificate in the store with this fingerprint, or its beginning.
pub(super) fn in_store(
    store: &CertificateStore,
    fingerprint: &str,
) -> Result<StoredCertificate, Failure> {
    let mut found = store.entries_with(fingerprint)?;
    let last = found.pop();
    match last {
        Some(only) if found.is_empty() => Ok(only),
        Some(_) => Err(ambiguous(fingerprint)),
        None => Err(unknown(fingerprint)),
    }
}

/// Several certificates share the beginning of a fingerprint.
pub(super) fn ambiguous(fingerprint: &str) -> Failure {
    let message = format!("more than one certificate begins with: {fingerprint}");
    Failure::new(Exit::Usage, message).hint("give more digits")
}

/// No certificate has the fingerprint.
pub(super) fn unknown(fingerprint: &str) -> Failure {
    let message = format!("no certificate with this fingerprint: {fingerprint}");
    Failure::new(Exit::NoInput, message)
        .hint("`waxseal cert list` shows them; the first digits will do")
}

/// Digits with colons or without: what is shown as a fingerprint.
pub(super) fn is_fingerprint(text: &str) -> bool {
    let digits = text.replace(':', "");
    digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_hexdigit())
}

/// How the certificate came to be there.
pub(super) fn name(origin: Origin) -> &'static str {
    match origin {
        Origin::Pinned => "pinned",
        Origin::Imported => "imported",
        Origin::Directory => "directory",
        Origin::Harvested => "harvested",
    }
}
