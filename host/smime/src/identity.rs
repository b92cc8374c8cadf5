//! A certificate with its private key and chain.

use crate::certificate::Certificate;
use crate::error::Error;
use crate::provider::PrivateKey;
use std::fmt;
use std::sync::Arc;

/// Somebody who can sign.
#[derive(Clone)]
pub struct Identity {
    /// What the configuration calls it.
    pub name: String,
    /// The certificate of the key.
    pub certificate: Certificate,
    /// The authorities' certificates that go with a signature, without the root (rule 2).
    pub chain: Vec<Certificate>,
    /// The private key.
    pub key: Arc<dyn PrivateKey>,
    /// The certificate that others should encrypt for, when it is not the signing one
    /// (RFC 8551 §2.5.3).
    pub encryption_certificate: Option<Certificate>,
}

impl Identity {
    /// Puts an identity together. The key must be the certificate's ([`Error::KeyMismatch`]);
    /// self-signed certificates in `chain` are left out.
    pub fn new(
        name: impl Into<String>,
        certificate: Certificate,
        chain: Vec<Certificate>,
        key: Arc<dyn PrivateKey>,
    ) -> Result<Self, Error> {
        if !same_key(certificate.public_key_info(), key.public_key_info()) {
            return Err(Error::KeyMismatch(certificate.subject()));
        }
        let chain = chain
            .into_iter()
            .filter(|each| !each.is_self_issued())
            .collect();
        Ok(Self {
            name: name.into(),
            certificate,
            chain,
            key,
            encryption_certificate: None,
        })
    }

    /// Says which certificate others should encrypt for.
    #[must_use]
    pub fn with_encryption_certificate(mut self, certificate: Certificate) -> Self {
        self.encryption_certificate = Some(certificate);
        self
    }
}

impl fmt::Debug for Identity {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("subject", &self.certificate.subject())
            .finish_non_exhaustive()
    }
}

/// The public keys are the same, whatever their algorithm parameters look like: RSA keys come
/// as rsaEncryption with or without NULL, or as id-RSASSA-PSS (RFC 4055 §1.2).
fn same_key(one: &[u8], other: &[u8]) -> bool {
    use crate::asn1::{Element, tag};
    let bits = |info| {
        let mut reader = Element::only(info).ok()?.children();
        reader.sequence().ok()?;
        reader.expect(tag::BIT_STRING).ok().map(|bits| bits.value)
    };
    bits(one).is_some() && bits(one) == bits(other)
}
