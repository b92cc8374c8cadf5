//! Signs a message.

use crate::Context;
use crate::algorithm::{DigestAlgorithm, HeaderProtection, RsaScheme, SignatureFormat};
use crate::error::Error;
use crate::identity::Identity;
use waxseal_message::Message;

/// What happens to a message after it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// It leaves as it is.
    #[default]
    Send,
    /// It is encrypted: protected header fields are marked `hp="cipher"` (RFC 9788 §2.1.1).
    Encrypt,
}

/// How to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOptions {
    /// Detached or opaque.
    pub format: SignatureFormat,
    /// The digest of content and attributes. Ed25519 uses SHA-512 whatever this says.
    pub digest: DigestAlgorithm,
    /// How an RSA key signs.
    pub rsa_scheme: RsaScheme,
    /// Whether header fields are copied inside.
    pub header_protection: HeaderProtection,
    /// Whether encryption follows.
    pub then: Then,
}

impl Default for SignOptions {
    fn default() -> Self {
        Self {
            format: SignatureFormat::Detached,
            digest: DigestAlgorithm::Sha256,
            rsa_scheme: RsaScheme::Pkcs1v15,
            header_protection: HeaderProtection::Off,
            then: Then::Send,
        }
    }
}

/// A message whose signature has been verified from the octets as written.
#[derive(Clone)]
pub struct Signed(Message);

impl Signed {
    /// The signed message.
    pub fn message(&self) -> &Message {
        &self.0
    }

    /// The signed message.
    pub fn into_message(self) -> Message {
        self.0
    }
}

/// Signs a whole mail.
pub fn sign(
    _message: &Message,
    _signer: &Identity,
    _options: &SignOptions,
    _context: &Context<'_>,
) -> Result<Signed, Error> {
    Err(Error::NotBuilt("sign"))
}
