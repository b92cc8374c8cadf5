//! Where certificates come from. The stores implement [`CertificateSource`]; this crate only
//! asks.

use crate::algorithm::ContentCipher;
use crate::certificate::Certificate;
use crate::time::Time;
use waxseal_message::Address;

/// How a certificate came to us, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The operator set it for this address.
    Pinned,
    /// The operator put it into the store.
    Imported,
    /// A directory answered with it.
    Directory,
    /// It came with a signed message.
    Harvested,
}

/// What a recipient's program can read (RFC 8551 §2.5.2), as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Content ciphers, best first.
    pub ciphers: Vec<ContentCipher>,
    /// RSAES-OAEP is among them.
    pub oaep: bool,
}

/// A certificate that a source knows for an address or its domain.
#[derive(Debug, Clone)]
pub struct Found {
    /// The certificate.
    pub certificate: Certificate,
    /// How it came to us.
    pub origin: Origin,
    /// What its holder's program reads; `None` when nobody knows.
    pub capabilities: Option<Capabilities>,
}

/// A source that could not answer. "Nobody has a certificate" is an empty answer, no error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// A stable token for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// True when a retry may succeed.
    pub passing: bool,
}

/// Finds certificates. An implementation gives every certificate that names the address or its
/// domain, usable or not: choosing among them, and saying why others were not chosen, is
/// [`crate::choose`]'s.
pub trait CertificateSource: Send + Sync {
    /// Every certificate that names the address or its domain.
    fn find(&self, address: &Address) -> Result<Vec<Found>, SourceError>;

    /// Names what it asks when that lives on its own: a store, a directory service. Two sources
    /// of one place give the same answers. `None`: what it holds never changes.
    fn place(&self) -> Option<String> {
        None
    }
}

/// A certificate that a received message brought.
#[derive(Debug, Clone)]
pub struct Harvested {
    /// The certificate.
    pub certificate: Certificate,
    /// Whom it is for: addresses that it names itself.
    pub addresses: Vec<Address>,
    /// What the signer's program reads. `None` unless the signature was valid and trusted: of a
    /// message that failed nothing but the certificate is ever taken.
    pub capabilities: Option<Capabilities>,
    /// The signer asks for mail to be encrypted to this one (RFC 8551 §2.5.3).
    pub preferred: bool,
    /// The signature was valid and trusted.
    pub verified: bool,
    /// When it was signed; else when it was received.
    pub at: Time,
    /// Where it came from, for people: the Message-ID.
    pub provenance: String,
}

/// Keeps certificates that came with received mail, for later encryption.
pub trait CertificateKeeper: Send + Sync {
    /// Keeps these, all or none. A certificate that is there with a better [`Origin`] stays as
    /// it is; of two messages of one signer, the later says what its program reads.
    fn keep(&self, harvested: &[Harvested]) -> Result<(), SourceError>;
}

/// The operator's rules for what is kept of received mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HarvestRules {
    /// What becomes of certificates whose message did not verify.
    pub unverified: Unverified,
    /// What becomes of a certificate that is known already.
    pub known: WhenKnown,
}

/// What becomes of certificates whose message's signature was not valid and trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unverified {
    /// They are not kept.
    #[default]
    Refuse,
    /// They are kept, and never their capabilities.
    Keep,
}

/// What becomes of what is known of a certificate that comes again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenKnown {
    /// The later message says what its signer's program reads.
    #[default]
    Update,
    /// The first message says it, for good.
    Keep,
}
