//! A store of certificates in one SQLite file: those that came with received mail, and those
//! that an operator imports or pins.
//!
//! ```text
//! certificates.sqlite       mode 0600, made when the first certificate is kept
//! certificates.sqlite-wal   the write-ahead log and its index, while somebody has it open
//! certificates.sqlite-shm
//! ```
//!
//! **What is kept.** Each certificate once, with everyone who finds it: the addresses that it
//! names (domain as [`Address`] has it, local part in lower case) and the domains. Beside it the
//! best [`Origin`] for each of them, the message that it came with, what its holder's program
//! reads, and when it was last looked up, to the day.
//!
//! **Rules.** A harvested certificate never changes another one, and never the origin of one
//! that is there already. What the signer's program reads, and which certificate it prefers,
//! is taken from verified messages alone; the later signing time wins (or the first stays, by
//! [`HarvestRules`](waxseal_smime::HarvestRules)); a signing time of the future counts as now.
//! A message that verified replaces one that did not as provenance, never the other way round.
//!
//! **Size.** Above [`StoreOptions::capacity`] certificates, and above
//! [`StoreOptions::per_address`] for one name, the expired go, then those of messages that did
//! not verify, then those unused for longest. What was pinned or imported counts and stays.
//!
//! **Processes and threads.** Any number of both may use one file at a time: readers never wait,
//! writers take turns, and each change is there whole or not at all. The file must be on a
//! local file system, and must not be replaced while somebody has it open.
//!
//! **Failures.** A busy or full file is a passing [`SourceError`]; a damaged one, one that
//! another program made, or one of a newer version is a lasting one. Reading makes no file:
//! without one there are no certificates.

mod connection;
mod keep;
mod read;
mod sql;

use crate::directory::folded;
use crate::error::{Defect, Error};
use connection::Database;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use waxseal_message::Address;
use waxseal_smime::{
    Capabilities, Certificate, CertificateKeeper, CertificateSource, Clock, Found, HarvestRules,
    Harvested, Origin, SourceError, Time,
};

/// How a store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Certificates in all.
    pub capacity: u64,
    /// Certificates for one address or domain.
    pub per_address: u64,
    /// What of received mail is kept.
    pub rules: HarvestRules,
    /// How long a writer waits for another one.
    pub busy: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            capacity: 100_000,
            per_address: 16,
            rules: HarvestRules::default(),
            busy: Duration::from_secs(5),
        }
    }
}

/// A certificate in the store, with all that is known of it.
#[derive(Debug, Clone)]
pub struct StoredCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// Who finds it, best origin first.
    pub holders: Vec<Holder>,
    /// What its holder's program reads.
    pub capabilities: Option<Capabilities>,
    /// The message that it came with.
    pub provenance: Option<Provenance>,
    /// When it was last looked up or kept.
    pub used: Time,
}

impl StoredCertificate {
    /// The best origin among its holders.
    pub fn origin(&self) -> Option<Origin> {
        self.holders.iter().map(|holder| holder.origin).min()
    }
}

/// Somebody who finds a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// An address with its local part in lower case, or a domain.
    pub name: String,
    /// How it came to be theirs.
    pub origin: Origin,
}

/// The message that a certificate came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// For people: the Message-ID.
    pub message: String,
    /// When it was signed, else received.
    pub at: Time,
    /// Its signature was valid and trusted.
    pub verified: bool,
}

/// The store. Cheap to make: the file is opened when it is first needed.
pub struct CertificateStore {
    database: Database,
    options: StoreOptions,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl CertificateStore {
    /// A store in this file, which need not be there.
    pub fn new(path: impl Into<PathBuf>, options: StoreOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            database: Database::new(path.into(), options.busy),
            options,
            clock,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// How many certificates are in it; says whether it can be read at all.
    pub fn size(&self) -> Result<u64, Error> {
        Ok(self.database.read(read::size)?.unwrap_or_default())
    }

    /// All certificates, in the order in which they came.
    pub fn entries(&self) -> Result<Vec<StoredCertificate>, Error> {
        Ok(self.database.read(read::entries)?.unwrap_or_default())
    }

    /// The certificates that an address or its domain finds.
    pub fn entries_of(&self, address: &Address) -> Result<Vec<StoredCertificate>, Error> {
        let found = self
            .database
            .read(|connection| read::entries_of(connection, address))?;
        Ok(found.unwrap_or_default())
    }

    /// The certificates whose fingerprint begins with these hexadecimal digits, colons or not.
    /// Other text finds none.
    pub fn entries_with(&self, fingerprint: &str) -> Result<Vec<StoredCertificate>, Error> {
        let Some(range) = read::fingerprints(fingerprint) else {
            return Ok(Vec::new());
        };
        let found = self
            .database
            .read(|connection| read::entries_between(connection, &range))?;
        Ok(found.unwrap_or_default())
    }

    /// Puts certificates into the store for all whom they name; all of them or none.
    pub fn import(&self, certificates: &[Certificate]) -> Result<(), Error> {
        let names_nobody =
            |each: &&Certificate| each.addresses().is_empty() && each.domains().is_empty();
        if let Some(nobody) = certificates.iter().find(names_nobody) {
            let defect = Defect::NoAddress(nobody.subject());
            return Err(Error::content(self.path(), defect));
        }
        let now = self.clock.now();
        self.database.write(|connection| {
            for certificate in certificates {
                keep::import(connection, certificate, now)?;
            }
            keep::evict(connection, &self.options, now)
        })
    }

    /// Sets a certificate for one address, which it or its domain must name (RFC 8550 §3):
    /// for anybody else it would never be chosen.
    pub fn pin(&self, certificate: &Certificate, address: &Address) -> Result<(), Error> {
        let mut named = certificate.addresses().iter();
        let names = named.any(|each| each.matches_folded(address))
            || certificate
                .domains()
                .iter()
                .any(|each| each == address.domain());
        if !names {
            let defect = Defect::OtherAddress(address.to_string());
            return Err(Error::content(self.path(), defect));
        }
        let now = self.clock.now();
        self.database.write(|connection| {
            keep::pin(connection, certificate, address, now)?;
            keep::evict(connection, &self.options, now)
        })
    }

    /// Removes a certificate, whatever its origin. Says whether it was there.
    pub fn remove(&self, certificate: &Certificate) -> Result<bool, Error> {
        if self.size()? == 0 {
            return Ok(false); // Removing makes no file.
        }
        let fingerprint = certificate.fingerprint();
        self.database
            .write(|connection| keep::remove(connection, &fingerprint))
    }
}

impl CertificateSource for CertificateStore {
    fn find(&self, address: &Address) -> Result<Vec<Found>, SourceError> {
        let now = self.clock.now();
        let found = self
            .database
            .read(|connection| read::find(connection, address, now, self.options.busy));
        Ok(found.map_err(failed)?.unwrap_or_default())
    }

    fn place(&self) -> Option<String> {
        Some(self.database.path().display().to_string())
    }
}

impl CertificateKeeper for CertificateStore {
    fn keep(&self, harvested: &[Harvested]) -> Result<(), SourceError> {
        if harvested.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let kept = self.database.write(|connection| {
            for each in harvested {
                keep::harvest(connection, each, &self.options, now)?;
            }
            keep::evict(connection, &self.options, now)
        });
        kept.map_err(failed)
    }
}

fn failed(error: Error) -> SourceError {
    SourceError {
        code: error.code(),
        message: error.to_string(),
        passing: error.is_passing(),
    }
}

/// How an address is found.
fn folded_name(address: &Address) -> String {
    folded(address)
}

/// How a domain is found: as it stands, since no domain has an `@`.
fn domain_name(domain: &str) -> String {
    domain.to_lowercase()
}
