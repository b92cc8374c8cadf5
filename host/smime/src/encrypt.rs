//! Encrypts a message.

use crate::Context;
use crate::algorithm::{ContentCipher, HeaderProtection, KeyTransport};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::identity::Identity;
use crate::sign::SignOptions;
use waxseal_message::Message;

/// How to encrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptOptions {
    /// The content cipher.
    pub cipher: ContentCipher,
    /// How the content key reaches RSA recipients.
    pub key_transport: KeyTransport,
    /// Whether header fields are copied inside, and which leave the outer header.
    pub header_protection: HeaderProtection,
}

impl Default for EncryptOptions {
    fn default() -> Self {
        Self {
            cipher: ContentCipher::Aes256Cbc,
            key_transport: KeyTransport::Pkcs1v15,
            header_protection: HeaderProtection::Off,
        }
    }
}

/// A message whose envelope has been read back: its recipients are exactly the intended ones.
#[derive(Clone)]
pub struct Enveloped(Message);

/// A message that was signed, encrypted and signed again, each read back.
#[derive(Clone)]
pub struct TripleWrapped(Message);

macro_rules! proof {
    ($type:ident) => {
        impl $type {
            /// The protected message.
            pub fn message(&self) -> &Message {
                &self.0
            }

            /// The protected message.
            pub fn into_message(self) -> Message {
                self.0
            }
        }
    };
}

proof!(Enveloped);
proof!(TripleWrapped);

/// Encrypts a whole mail for exactly these certificates.
pub fn encrypt(
    _message: &Message,
    _recipients: &[Certificate],
    _options: &EncryptOptions,
    _context: &Context<'_>,
) -> Result<Enveloped, Error> {
    Err(Error::NotBuilt("encrypt"))
}

/// Signs, encrypts, and signs again (RFC 2634 §1.1).
pub fn triple_wrap(
    _message: &Message,
    _signer: &Identity,
    _inner: &SignOptions,
    _recipients: &[Certificate],
    _encrypt: &EncryptOptions,
    _outer: &SignOptions,
    _context: &Context<'_>,
) -> Result<TripleWrapped, Error> {
    Err(Error::NotBuilt("triple wrap"))
}
