//! A certificate with everything that paths ask of it, read once.

use crate::extensions::{Extensions, key_usage};
use crate::names::Name;
use std::collections::HashMap;
use std::sync::Arc;
use waxseal_smime::Certificate;
use waxseal_smime::asn1::Malformed;

/// A certificate, its names ready for comparison, its extensions read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) certificate: Certificate,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) extensions: Extensions,
    pub(crate) fingerprint: [u8; 32],
}

/// One that several paths may lead through.
pub(crate) type Entry = Arc<Parsed>;

impl Parsed {
    pub(crate) fn of(certificate: &Certificate) -> Result<Entry, Malformed> {
        Ok(Arc::new(Self {
            subject: Name::parse(certificate.subject_der())?,
            issuer: Name::parse(certificate.issuer_der())?,
            extensions: Extensions::of(certificate)?,
            fingerprint: certificate.fingerprint(),
            certificate: certificate.clone(),
        }))
    }

    /// Subject and issuer are the same name (RFC 5280 §6.1).
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// basicConstraints says CA.
    pub(crate) fn is_authority(&self) -> bool {
        self.extensions.authority == Some(true)
    }

    /// keyUsage allows signing lists, or is absent (RFC 5280 §6.3.3 (f)).
    pub(crate) fn signs_lists(&self) -> bool {
        self.extensions.allows(key_usage::CRL_SIGN)
    }

    /// The key identifiers of an issuer and of what it signed agree, or one of them is absent.
    pub(crate) fn may_have_signed(&self, authority_key: Option<&[u8]>) -> bool {
        match (authority_key, &self.extensions.subject_key) {
            (Some(wanted), Some(own)) => wanted == own.as_slice(),
            _ => true,
        }
    }
}

/// Certificates by subject.
#[derive(Debug, Default, Clone)]
pub(crate) struct Pool(HashMap<Name, Vec<Entry>>);

impl Pool {
    /// Those of the certificates that can be read.
    pub(crate) fn new(certificates: &[Certificate]) -> Self {
        let mut pool = Self::default();
        for certificate in certificates {
            if let Ok(entry) = Parsed::of(certificate) {
                pool.add(entry);
            }
        }
        pool
    }

    /// Adds one, if it is not there.
    pub(crate) fn add(&mut self, entry: Entry) {
        let named = self.0.entry(entry.subject.clone()).or_default();
        if named
            .iter()
            .all(|each| each.fingerprint != entry.fingerprint)
        {
            named.push(entry);
        }
    }

    pub(crate) fn named(&self, subject: &Name) -> &[Entry] {
        self.0.get(subject).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn contains(&self, entry: &Parsed) -> bool {
        let named = self.named(&entry.subject);
        named
            .iter()
            .any(|each| each.fingerprint == entry.fingerprint)
    }
}
