//! Encrypts a whole mail: EnvelopedData for AES-CBC, AuthEnvelopedData for AES-GCM (rule 3),
//! and the triple wrap.
//!
//! Every call draws a fresh key and nonce. What comes out is read back (rule 7). On failure
//! there is an [`Error`] and no message.

use crate::Context;
use crate::algorithm::{ContentCipher, HeaderProtection, KeyTransport};
use crate::armor::{SmimeType, pkcs7_mime};
use crate::certificate::Certificate;
use crate::classify::{Protected, classify};
use crate::enveloped_data;
use crate::error::Error;
use crate::header_protection::{self, Payload, Protection};
use crate::identity::Identity;
use crate::read_back;
use crate::sign::{SignOptions, Signing, Then, check_floor, check_validity, sign};
use bytes::Bytes;
use std::collections::HashSet;
use waxseal_message::Message;
use waxseal_message::base64::{encode_in_place, encoded_size};
use waxseal_message::entity::{assemble, content_head};

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
    let recipients = checked(recipients, context)?;
    let payload =
        header_protection::payload(message, options.header_protection, Protection::Cipher);
    let sealing = Sealing::new(&payload, &recipients, options, context);
    let mut content = Vec::with_capacity(sealing.capacity(payload.entity.size()));
    for piece in payload.entity.pieces() {
        content.extend_from_slice(piece);
    }
    drop(payload);
    sealing.seal(content)
}

/// Signs, and encrypts what is signed: the same as [`sign`] and then [`encrypt`], without a copy
/// of the signed message beside the encrypted one.
///
/// The signature is read back from the very octets that are then encrypted in place. Header
/// protection is that of `encrypt_options`.
pub fn sign_encrypt(
    message: &Message,
    signer: &Identity,
    sign_options: &SignOptions,
    recipients: &[Certificate],
    encrypt_options: &EncryptOptions,
    context: &Context<'_>,
) -> Result<Enveloped, Error> {
    let sign_options = before_encryption(sign_options, encrypt_options);
    let protects_header = encrypt_options.header_protection != HeaderProtection::Off;
    if protects_header && classify(message) != Protected::No {
        // Whose fields are protected is seen in the signed message.
        let signed = sign(message, signer, &sign_options, context)?;
        return encrypt(signed.message(), recipients, encrypt_options, context);
    }
    let signing = Signing::new(message, signer, &sign_options, context)?;
    let recipients = checked(recipients, context)?;
    let sealing = Sealing::new(&signing.payload, &recipients, encrypt_options, context);
    let capacity = sealing.capacity(signing.size());
    let (octets, written) = signing.write(|fields| content_head(fields).into(), capacity)?;
    drop(signing);
    let octets = Bytes::from(octets);
    let signed = Message::parse(octets.clone(), context.limits)?;
    read_back::signed(&signed, &written, signer, context)?;
    drop(signed);
    // Nobody else holds the octets any more, so that they are not copied.
    sealing.seal(octets.into())
}

/// Fields are protected for the envelope that follows.
fn before_encryption(options: &SignOptions, encryption: &EncryptOptions) -> SignOptions {
    SignOptions {
        header_protection: encryption.header_protection,
        then: Then::Encrypt,
        ..options.clone()
    }
}

/// An envelope that may be made: its head and its recipients are known, its content is not.
struct Sealing<'a> {
    head: Bytes,
    recipients: &'a [Certificate],
    options: &'a EncryptOptions,
    context: &'a Context<'a>,
}

impl<'a> Sealing<'a> {
    fn new(
        payload: &Payload,
        recipients: &'a [Certificate],
        options: &'a EncryptOptions,
        context: &'a Context<'a>,
    ) -> Self {
        let kind = if options.cipher.is_authenticated() {
            SmimeType::AuthEnveloped
        } else {
            SmimeType::Enveloped
        };
        let outer = payload.outer_when_encrypted(options.header_protection);
        Self {
            head: assemble(&outer, &pkcs7_mime(kind), b""),
            recipients,
            options,
            context,
        }
    }

    /// Octets of the message when the content has this size, at most.
    fn capacity(&self, content: usize) -> usize {
        self.head.len() + encoded_size(content + enveloped_data::growth(self.recipients))
    }

    /// Encrypts the content where it stands, and makes the message of it in the same place, for
    /// which the vector should have the capacity.
    fn seal(&self, content: Vec<u8>) -> Result<Enveloped, Error> {
        let size = content.len();
        let (cipher, transport) = (self.options.cipher, self.options.key_transport);
        let cms = enveloped_data::write(content, self.recipients, cipher, transport, self.context)?;
        let octets = encode_in_place(cms.ciphertext, &self.head, &cms.head, &cms.tail);
        let enveloped = Message::parse(octets, self.context.limits)?;
        read_back::enveloped(&enveloped, self.recipients, cms.head.len(), size)?;
        Ok(Enveloped(enveloped))
    }
}

/// Each once, and fit to encrypt to.
fn checked(recipients: &[Certificate], context: &Context<'_>) -> Result<Vec<Certificate>, Error> {
    let recipients = distinct(recipients);
    if recipients.is_empty() {
        return Err(Error::NoRecipients);
    }
    for recipient in &recipients {
        check_recipient(recipient, context)?;
    }
    Ok(recipients)
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
    let enveloped = sign_encrypt(message, signer, inner, recipients, encrypt_options, context)?;
    let outer = SignOptions {
        header_protection: HeaderProtection::Off,
        then: Then::Send,
        ..outer.clone()
    };
    let wrapped = sign(enveloped.message(), signer, &outer, context)?;
    Ok(TripleWrapped(wrapped.into_message()))
}
