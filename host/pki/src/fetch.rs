//! What may be fetched while a path is judged. The stores implement [`Fetch`]; this crate only
//! asks, and only where the operator gave it a fetcher.

/// Why nothing was fetched.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered in time, or with an error that may pass.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The operator's settings forbid the address: a scheme, a host, a network.
    #[error("not allowed: {0}")]
    Refused(String),
    /// The answer is larger than the bound.
    #[error("answer too large: {0}")]
    TooLarge(String),
}

/// Fetches by URL. An implementation bounds time, size and redirects, keeps what may be kept,
/// and never follows a certificate's URL to an address that the operator did not mean.
pub trait Fetch: Send + Sync {
    /// The octets at a URL: a CertificateList or certificates (RFC 5280 §4.2.1.13, §4.2.2.1).
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;

    /// The answer of an OCSP responder to the DER of an OCSPRequest (RFC 6960 appendix A.1).
    fn ocsp(&self, url: &str, request: &[u8]) -> Result<Vec<u8>, FetchError>;
}
