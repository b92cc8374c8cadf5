//! S/MIME: protects messages, tells what is protected already, and chooses certificates.
//!
//! The rules are those of RFC 8551 (messages), RFC 8550 (certificates) and RFC 5652 (CMS);
//! each is cited where it is obeyed. The crate owns the traits [`Provider`], [`PrivateKey`],
//! [`CertificateSource`] and [`Clock`], and holds no algorithm, no key, no clock and no file:
//! those are passed in. The one exception is SHA-256 as a certificate's identifier.
//!
//! What comes out of [`sign`], [`encrypt`], [`sign_encrypt`] and [`triple_wrap`] has been read back:
//! its type exists only if every signature verified and every envelope has the intended
//! recipients, from the octets as written. On failure there is a named [`Error`] and no message.
//!
//! [`open`](mod@open) takes the layers of received mail off. Whether a signer's certificate is
//! trusted is asked of [`Trust`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod algorithm;
mod armor;
pub mod asn1;
pub mod certgen;
mod certificate;
mod choice;
mod classify;
mod cms_object;
mod encrypt;
mod enveloped_data;
mod error;
mod header_protection;
mod identity;
pub mod open;
mod plain_data;
mod provider;
mod read_back;
mod recipient_info;
mod recipients;
mod scheme;
mod sign;
mod signed_data;
mod source;
mod time;
mod trust;

pub use algorithm::{
    ContentCipher, DigestAlgorithm, HeaderProtection, KeyAlgorithm, KeyTransport, KeyWrap,
    RsaScheme, SignatureFormat, SignatureScheme, TransportScheme,
};
pub use certificate::Certificate;
pub use choice::{Candidates, ChoiceRules, Purpose, Reason, Rejected, choose};
pub use classify::{Protected, classify};
pub use encrypt::{EncryptOptions, Enveloped, TripleWrapped, encrypt, sign_encrypt, triple_wrap};
pub use error::Error;
pub use identity::Identity;
pub use provider::{Agreement, Hasher, KeyDerivation, PrivateKey, Provider, ProviderError};
pub use recipients::{RecipientId, recipients_of};
pub use scheme::signature_scheme;
pub use sign::{SignOptions, Signed, Then, sign};
pub use source::{
    Capabilities, CertificateKeeper, CertificateSource, Found, HarvestRules, Harvested, Origin,
    SourceError, Unverified, WhenKnown,
};
pub use time::{Clock, Time};
pub use trust::{Distrust, DistrustKind, NoAnchors, Path, Revocation, Trust, TrustRequest};

/// What protecting a message needs from outside.
pub struct Context<'a> {
    /// Algorithms and randomness.
    pub provider: &'a dyn Provider,
    /// The time now: signing time, and the time at which certificates must be valid.
    pub now: Time,
    /// Limits for reading our own output back; at least the size of the input and its growth.
    pub limits: &'a waxseal_message::Limits,
}
