//! Identities from files: which certificate belongs to which key, which certificates go along,
//! and which of several identities signs.

use crate::bundle;
use crate::error::{Defect, Error};
use crate::files::{self, MAX_SIZE};
use crate::passphrase::{Passphrase, Secret};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use waxseal_smime::{Certificate, Identity, PrivateKey, Provider, Time};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

/// The identities of one file: one for each certificate whose private key is there.
#[derive(Debug)]
pub struct LoadedIdentity {
    /// The identities, the youngest certificate first.
    pub identities: Vec<Identity>,
    path: PathBuf,
}

/// Reads certificates and private keys and puts together what belongs together.
///
/// `file` is PKCS #12, or PEM or DER of certificates and keys; `key` names a file of its own
/// for the private key. The passphrase opens whatever is encrypted in either. Authorities'
/// certificates that lead from a certificate upwards become its chain, without the root.
pub fn load_identity(
    name: &str,
    file: &Path,
    key: Option<&Path>,
    passphrase: Option<Passphrase>,
    provider: &dyn Provider,
) -> Result<LoadedIdentity, Error> {
    let secret = passphrase.map(|passphrase| passphrase.read()).transpose()?;
    let mut contents = open(file, secret.as_ref())?;
    if let Some(key) = key {
        let beside = open(key, secret.as_ref())?;
        if beside.keys.is_empty() {
            return Err(Error::content(key, Defect::NoKey));
        }
        contents.keys = beside.keys;
        contents.certificates.extend(beside.certificates);
    }
    let identities =
        assemble(name, &contents, provider).map_err(|defect| Error::content(file, defect))?;
    Ok(LoadedIdentity {
        identities,
        path: file.to_owned(),
    })
}

/// The certificates of a file that a passphrase may seal, whatever the keys beside them are.
pub fn load_sealed_certificates(
    file: &Path,
    passphrase: Option<Passphrase>,
) -> Result<Vec<Certificate>, Error> {
    let secret = passphrase.map(|passphrase| passphrase.read()).transpose()?;
    let contents = open(file, secret.as_ref())?;
    if contents.certificates.is_empty() {
        return Err(Error::content(file, Defect::NoCertificate));
    }
    let mut found: Vec<Certificate> = Vec::new();
    for octets in &contents.certificates {
        let certificate = Certificate::from_der(octets)
            .map_err(|error| Error::content(file, Defect::Certificate(error.to_string())))?;
        if !found.contains(&certificate) {
            found.push(certificate);
        }
    }
    Ok(found)
}

/// The identities in the octets of such a file, the youngest certificate first.
pub fn read_identities(
    name: &str,
    octets: &[u8],
    secret: Option<&Secret>,
    provider: &dyn Provider,
) -> Result<Vec<Identity>, Defect> {
    assemble(name, &bundle::open(octets, secret)?, provider)
}

fn open(path: &Path, secret: Option<&Secret>) -> Result<bundle::Contents, Error> {
    let octets = files::read(path, MAX_SIZE)?;
    bundle::open(&octets, secret).map_err(|defect| Error::content(path, defect))
}

impl LoadedIdentity {
    /// The one that signs at this time: of those that may sign, the youngest valid one; if none
    /// is valid the youngest, so that signing reports that it has expired (rule 14).
    pub fn signer(&self, at: Time) -> Result<&Identity, Error> {
        let valid = |identity: &&Identity| {
            let certificate = &identity.certificate;
            certificate.not_before() <= at && at <= certificate.not_after()
        };
        let mut signers = self
            .identities
            .iter()
            .filter(|identity| identity.certificate.can_sign());
        let youngest = signers.clone().next();
        signers
            .find(valid)
            .or(youngest)
            .ok_or_else(|| Error::content(&self.path, Defect::NoSigner))
    }

    /// The same, taken out.
    pub fn into_signer(self, at: Time) -> Result<Identity, Error> {
        self.signer(at).cloned()
    }
}

/// Everything that fits together; an error only if nothing does.
fn assemble(
    name: &str,
    contents: &bundle::Contents,
    provider: &dyn Provider,
) -> Result<Vec<Identity>, Defect> {
    let mut unusable = None;
    let mut certificates = Vec::new();
    for octets in &contents.certificates {
        match Certificate::from_der(octets) {
            Ok(certificate) if certificates.contains(&certificate) => {}
            Ok(certificate) => certificates.push(certificate),
            Err(error) => unusable = Some(Defect::Certificate(error.to_string())),
        }
    }
    let mut keys: Vec<Arc<dyn PrivateKey>> = Vec::new();
    for octets in &contents.keys {
        match provider.load_key(octets) {
            Ok(key) => keys.push(key.into()),
            Err(error) => unusable = Some(Defect::Key(error)),
        }
    }
    let identities = matched(name, &certificates, &keys);
    if identities.is_empty() {
        return Err(match unusable {
            Some(defect) => defect,
            None if contents.certificates.is_empty() => Defect::NoCertificate,
            None if contents.keys.is_empty() => Defect::NoKey,
            None => Defect::NoMatch,
        });
    }
    Ok(with_encryption_certificates(identities))
}

fn matched(
    name: &str,
    certificates: &[Certificate],
    keys: &[Arc<dyn PrivateKey>],
) -> Vec<Identity> {
    let mut identities: Vec<Identity> = Vec::new();
    for certificate in certificates {
        for key in keys {
            let chain = chain_of(certificate, certificates);
            // Refused when the key is another certificate's.
            if let Ok(identity) = Identity::new(name, certificate.clone(), chain, Arc::clone(key)) {
                identities.push(identity);
                break;
            }
        }
    }
    identities.sort_by_key(|identity| {
        (
            std::cmp::Reverse(identity.certificate.not_before()),
            identity.certificate.fingerprint(),
        )
    });
    identities
}

/// The issuers among these certificates, from the leaf upwards, until a root or a gap.
pub(crate) fn chain_of(leaf: &Certificate, among: &[Certificate]) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut last = leaf;
    while let Some(issuer) = among.iter().find(|candidate| {
        // A root says nothing that a verifier could trust: it is left out (rule 2).
        !candidate.is_self_issued()
            && is_issuer(candidate, last)
            && *candidate != leaf
            && !chain.contains(candidate)
    }) {
        chain.push(issuer.clone());
        last = issuer;
    }
    chain
}

/// RFC 5280 §4.1.2.4, §4.2.1.1: names chain, and so do the key identifiers where both are there.
fn is_issuer(issuer: &Certificate, subject: &Certificate) -> bool {
    let authority = subject
        .x509()
        .tbs_certificate()
        .get_extension::<AuthorityKeyIdentifier>();
    let own = issuer
        .x509()
        .tbs_certificate()
        .get_extension::<SubjectKeyIdentifier>();
    let keys_agree = match (authority, own) {
        (
            Ok(Some((
                _,
                AuthorityKeyIdentifier {
                    key_identifier: Some(wanted),
                    ..
                },
            ))),
            Ok(Some((_, own))),
        ) => wanted == own.0,
        _ => true,
    };
    issuer.can_issue() && issuer.subject_der() == subject.issuer_der() && keys_agree
}

/// A key pair that only signs names the certificate of the pair beside it that others should
/// encrypt for (RFC 8551 §2.5.3).
fn with_encryption_certificates(identities: Vec<Identity>) -> Vec<Identity> {
    let encrypting: Vec<Certificate> = identities
        .iter()
        .map(|identity| identity.certificate.clone())
        .filter(Certificate::can_encrypt)
        .collect();
    let beside = |certificate: &Certificate| {
        encrypting
            .iter()
            .find(|other| same_holder(certificate, other))
            .cloned()
    };
    identities
        .into_iter()
        .map(|identity| match beside(&identity.certificate) {
            Some(other) if !identity.certificate.can_encrypt() => {
                identity.with_encryption_certificate(other)
            }
            _ => identity,
        })
        .collect()
}

fn same_holder(one: &Certificate, other: &Certificate) -> bool {
    one.subject_der() == other.subject_der()
        || one
            .addresses()
            .iter()
            .any(|address| other.addresses().contains(address))
}
