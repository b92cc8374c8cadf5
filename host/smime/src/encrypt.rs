//! Encrypts a whole mail: EnvelopedData for AES-CBC, AuthEnvelopedData for AES-GCM (rule 3),
//! and the triple wrap.
//!
//! Every call draws a fresh key and nonce. What comes out is read back (rule 7). On failure
//! there is an [`Error`] and no message.

use crate::Context;
use crate::algorithm::{ContentCipher, HeaderProtection, KeyTransport};
use crate::armor::pkcs7_mime;
use crate::certificate::Certificate;
use crate::enveloped_data;
use crate::error::Error;
use crate::header_protection::{self, Protection};
use crate::identity::Identity;
use crate::read_back;
use crate::sign::{SignOptions, Then, check_floor, check_validity, sign};
use std::collections::HashSet;
use waxseal_message::Message;

/// How to encrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptOptions {
    /// The content cipher.
    pub cipher: ContentCipher,
    /// How the content key reaches RSA recipients.
    pub key_transport: KeyTransport,
    /// Whether header fields are copied inside, and which leave the outer header. For a message
    /// signed with [`Then::Encrypt`], give what it was signed with.
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

/// Encrypts a whole mail for exactly these certificates; one given twice counts once.
///
/// A certificate that has expired, whose time has not come, whose usage forbids it or whose key
/// is outside rule 11 is an error: choosing is [`crate::choose`]'s. What is signed already stays
/// as it is, octet for octet, inside.
pub fn encrypt(
    message: &Message,
    recipients: &[Certificate],
    options: &EncryptOptions,
    context: &Context<'_>,
) -> Result<Enveloped, Error> {
    let recipients = distinct(recipients);
    if recipients.is_empty() {
        return Err(Error::NoRecipients);
    }
    for recipient in &recipients {
        check_recipient(recipient, context)?;
    }
    let payload =
        header_protection::payload(message, options.header_protection, Protection::Cipher);
    let outer = payload.outer_when_encrypted(options.header_protection);
    let (cipher, transport) = (options.cipher, options.key_transport);
    let cms = enveloped_data::write(&payload.entity, &recipients, cipher, transport, context)?;
    let content_size = payload.entity.len();
    let octets = pkcs7_mime(&outer, cms.kind, &[&cms.head, &cms.ciphertext, &cms.tail]);
    drop((payload, cms));
    let enveloped = Message::parse(octets, context.limits)?;
    read_back::enveloped(&enveloped, &recipients, content_size)?;
    Ok(Enveloped(enveloped))
}

fn distinct(recipients: &[Certificate]) -> Vec<Certificate> {
    let mut seen = HashSet::new();
    recipients
        .iter()
        .filter(|each| seen.insert(each.fingerprint()))
        .cloned()
        .collect()
}

/// Rule 5, rule 11.
fn check_recipient(certificate: &Certificate, context: &Context<'_>) -> Result<(), Error> {
    check_validity(certificate, context.now)?;
    check_floor(certificate)?;
    if certificate.can_encrypt() {
        return Ok(());
    }
    Err(Error::WrongKeyUsage {
        subject: certificate.subject(),
        purpose: "encrypt",
    })
}

/// Signs, encrypts, and signs again (RFC 2634 §1.1).
///
/// Both signatures are the signer's. Header protection is the inner signature's and the
/// encryption's, by `encrypt`; the outer signature covers the envelope alone.
pub fn triple_wrap(
    message: &Message,
    signer: &Identity,
    inner: &SignOptions,
    recipients: &[Certificate],
    encrypt_options: &EncryptOptions,
    outer: &SignOptions,
    context: &Context<'_>,
) -> Result<TripleWrapped, Error> {
    let inner = SignOptions {
        header_protection: encrypt_options.header_protection,
        then: Then::Encrypt,
        ..inner.clone()
    };
    let signed = sign(message, signer, &inner, context)?;
    let enveloped = encrypt(signed.message(), recipients, encrypt_options, context)?;
    drop(signed);
    let outer = SignOptions {
        header_protection: HeaderProtection::Off,
        then: Then::Send,
        ..outer.clone()
    };
    let wrapped = sign(enveloped.message(), signer, &outer, context)?;
    Ok(TripleWrapped(wrapped.into_message()))
}
