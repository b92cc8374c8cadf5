//! A directory of other people's certificates, read once and held in memory.
//!
//! ```text
//! certificates/            what the operator imported
//! certificates/partners/   the same, one level of order
//! certificates/pinned/     what the operator insists on: preferred over everything else
//! ```
//!
//! File names mean nothing, except that hidden files (a leading dot) are passed over. A bad
//! file or certificate is a named [`Problem`] and hides none of the others. A directory that
//! changes is opened anew.

use crate::bundle;
use crate::error::{Defect, Error};
use crate::files::{self, MAX_SIZE};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use waxseal_message::Address;
use waxseal_smime::{Certificate, CertificateSource, Found, Origin, SourceError};

/// Certificates by address and by domain.
#[derive(Default)]
pub struct CertificateDirectory {
    entries: Vec<Entry>,
    by_address: BTreeMap<String, Vec<usize>>,
    by_domain: BTreeMap<String, Vec<usize>>,
    problems: Vec<Problem>,
}

/// A certificate and where it came from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The certificate.
    pub certificate: Certificate,
    /// Pinned or imported.
    pub origin: Origin,
    /// The file that holds it.
    pub file: PathBuf,
}

/// Something in the directory that could not be used.
#[derive(Debug)]
pub struct Problem {
    /// The file, below the directory that was opened.
    pub file: PathBuf,
    /// What is wrong with it.
    pub error: Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

const PINNED: &str = "pinned";

impl CertificateDirectory {
    /// Reads the directory and the directories in it. An error only if it cannot be listed.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let mut store = Self::default();
        for path in listed(directory)? {
            if path.is_dir() {
                let pinned = path.file_name().is_some_and(|name| name == PINNED);
                let origin = if pinned {
                    Origin::Pinned
                } else {
                    Origin::Imported
                };
                match listed(&path) {
                    Ok(files) => files
                        .iter()
                        .for_each(|file| store.read(directory, file, origin)),
                    Err(error) => store.note(directory, &path, error),
                }
            } else {
                store.read(directory, &path, Origin::Imported);
            }
        }
        store.index();
        Ok(store)
    }

    /// What could not be used, in the order of the files.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Every certificate, pinned ones first, then by file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Certificates that may issue others, for building paths.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        self.entries
            .iter()
            .map(|entry| &entry.certificate)
            .filter(|each| each.can_issue())
    }

    fn note(&mut self, directory: &Path, path: &Path, error: Error) {
        let file = path.strip_prefix(directory).unwrap_or(path).to_owned();
        self.problems.push(Problem { file, error });
    }

    fn read(&mut self, directory: &Path, path: &Path, origin: Origin) {
        if path.is_dir() {
            return;
        }
        match parsed_file(path) {
            Ok(all) => all.into_iter().for_each(|each| match each {
                Ok(certificate) => self.take(directory, path, certificate, origin),
                Err(defect) => self.note(directory, path, Error::content(path, defect)),
            }),
            Err(error) if is_certificate_name(path) => self.note(directory, path, error),
            // A README, a key that lies astray: no business of this directory.
            Err(Error::Content { .. }) => {}
            Err(error) => self.note(directory, path, error),
        }
    }

    /// A certificate that names nobody is kept, and said to be of little use.
    fn take(&mut self, directory: &Path, path: &Path, certificate: Certificate, origin: Origin) {
        let names_nobody = certificate.addresses().is_empty() && certificate.domains().is_empty();
        if names_nobody && !certificate.can_issue() {
            let defect = Defect::NoAddress(certificate.subject());
            self.note(directory, path, Error::content(path, defect));
        }
        self.entries.push(Entry {
            certificate,
            origin,
            file: path.to_owned(),
        });
    }

    /// Pinned before imported, and of two copies the first.
    fn index(&mut self) {
        self.entries
            .sort_by(|one, other| (one.origin, &one.file).cmp(&(other.origin, &other.file)));
        let mut seen = std::collections::HashSet::new();
        self.entries
            .retain(|entry| seen.insert(entry.certificate.fingerprint()));
        for (at, entry) in self.entries.iter().enumerate() {
            for address in entry.certificate.addresses() {
                let at_address = self.by_address.entry(folded(address)).or_default();
                if at_address.last() != Some(&at) {
                    at_address.push(at);
                }
            }
            for domain in entry.certificate.domains() {
                self.by_domain.entry(domain.clone()).or_default().push(at);
            }
        }
    }
}

/// RFC 8550 §3: the domain is folded already, the local part is compared both ways by the
/// chooser.
pub(crate) fn folded(address: &Address) -> String {
    format!("{}@{}", address.local().to_lowercase(), address.domain())
}

impl CertificateSource for CertificateDirectory {
    /// Those that name the address, then those that name its domain; among them pinned ones
    /// first, then the youngest.
    fn find(&self, address: &Address) -> Result<Vec<Found>, SourceError> {
        let named = self
            .by_address
            .get(&folded(address))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let domain = self
            .by_domain
            .get(address.domain())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let others = domain.iter().filter(|at| !named.contains(at));
        let mut found = Vec::new();
        for group in [named.iter().collect::<Vec<_>>(), others.collect()] {
            let mut group: Vec<&Entry> = group
                .into_iter()
                .filter_map(|at| self.entries.get(*at))
                .collect();
            group.sort_by_key(|entry| {
                (
                    entry.origin,
                    std::cmp::Reverse(entry.certificate.not_before()),
                )
            });
            found.extend(group.into_iter().map(|entry| Found {
                certificate: entry.certificate.clone(),
                origin: entry.origin,
                capabilities: None,
            }));
        }
        Ok(found)
    }
}

/// All certificates of one file: PEM, DER, PKCS #7, or PKCS #12 that needs no passphrase.
pub fn load_certificates(path: &Path) -> Result<Vec<Certificate>, Error> {
    let octets = files::read(path, MAX_SIZE)?;
    read_certificates(&octets).map_err(|defect| Error::content(path, defect))
}

/// Trust anchors: of one file, or of all files in a directory. Unlike in a store of
/// certificates, every bad file is an error: a missing anchor would change whom we trust.
pub fn load_anchors(path: &Path) -> Result<Vec<Certificate>, Error> {
    let files = if path.is_dir() {
        listed(path)?
    } else {
        vec![path.to_owned()]
    };
    let mut anchors = Vec::new();
    for file in files.iter().filter(|file| !file.is_dir()) {
        match load_certificates(file) {
            Ok(certificates) => anchors.extend(certificates),
            Err(Error::Content { .. }) if path.is_dir() && !is_certificate_name(file) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(anchors)
}

/// All certificates in the octets of such a file.
pub fn read_certificates(octets: &[u8]) -> Result<Vec<Certificate>, Defect> {
    parsed(octets)?.into_iter().collect()
}

type Parsed = Result<Certificate, Defect>;

fn parsed_file(path: &Path) -> Result<Vec<Parsed>, Error> {
    let octets = files::read(path, MAX_SIZE)?;
    parsed(&octets).map_err(|defect| Error::content(path, defect))
}

fn parsed(octets: &[u8]) -> Result<Vec<Parsed>, Defect> {
    let certificates = bundle::certificates(octets)?;
    if certificates.is_empty() {
        return Err(Defect::NoCertificate);
    }
    let parse = |octets: &Vec<u8>| {
        Certificate::from_der(octets).map_err(|error| Defect::Certificate(error.to_string()))
    };
    Ok(certificates.iter().map(parse).collect())
}

/// Whether somebody who gave the file this name meant it to hold certificates.
fn is_certificate_name(path: &Path) -> bool {
    const ENDINGS: [&str; 10] = [
        "pem", "crt", "cer", "cert", "der", "p7b", "p7c", "p7s", "p12", "pfx",
    ];
    path.extension().is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// What lies in a directory, sorted, without hidden entries.
pub(crate) fn listed(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: directory.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
