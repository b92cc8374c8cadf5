//! Signs a whole mail: detached (multipart/signed, RFC 8551 §3.5.3) or opaque
//! (application/pkcs7-mime, RFC 8551 §3.5.2).
//!
//! The entity is made canonical and safe for transport first (rule 1); what comes out is read
//! back (rule 7). On failure there is an [`Error`] and no message.

use crate::Context;
use crate::algorithm::{
    DigestAlgorithm, HeaderProtection, RsaScheme, SignatureFormat, SignatureScheme,
};
use crate::armor::{MultipartSigned, SmimeType, pkcs7_mime};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::header_protection::{self, Payload, Protection};
use crate::identity::Identity;
use crate::read_back::{self, Place, Written};
use crate::scheme::{digest_of, is_within_restriction, restriction_of, scheme_for};
use crate::signed_data::{self, Content};
use crate::time::Time;
use bytes::Bytes;
use waxseal_message::Message;
use waxseal_message::base64::{encode_in_place, encoded_size};
use waxseal_message::entity::assemble;

/// What happens to a message after it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// It leaves as it is: protected header fields are marked `hp="clear"` (RFC 9788 §2.1.1).
    #[default]
    Send,
    /// It is encrypted: they are marked `hp="cipher"`, and the outer fields that will show are
    /// recorded in HP-Outer (RFC 9788 §2.2). [`crate::encrypt`] with the same header
    /// protection then changes the outer fields to those.
    Encrypt,
}

/// How to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOptions {
    /// Detached or opaque.
    pub format: SignatureFormat,
    /// The digest of content and attributes. Ed25519 uses SHA-512 whatever this says
    /// (RFC 8419 §3.1).
    pub digest: DigestAlgorithm,
    /// How an RSA key signs. A certificate whose key is for PSS alone gets PSS.
    pub rsa_scheme: RsaScheme,
    /// Whether header fields are copied inside, and which leave the outer header if the
    /// message is encrypted afterwards.
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
///
/// A detached signature over octets that transport may change, and that may not be re-encoded,
/// is [`Error::NotTransportSafe`]; sign opaque instead. A certificate that has expired is an
/// error (rule 14), as is one whose time has not come, whose usage forbids signing, or whose key
/// is outside rule 11.
pub fn sign(
    message: &Message,
    signer: &Identity,
    options: &SignOptions,
    context: &Context<'_>,
) -> Result<Signed, Error> {
    let signing = Signing::new(message, signer, options, context)?;
    let outer = &signing.payload.outer;
    let outer_size: usize = outer.iter().map(Bytes::len).sum();
    let capacity = outer_size + signing.size();
    let (octets, written) = signing.write(|fields| assemble(outer, fields, b""), capacity)?;
    let signed = Message::parse(octets, context.limits)?;
    read_back::signed(&signed, &written, signer, context)?;
    Ok(Signed(signed))
}

/// A signature that may be made: what can be wrong with signer and message has been looked at.
pub(crate) struct Signing<'a> {
    signer: &'a Identity,
    scheme: SignatureScheme,
    format: SignatureFormat,
    context: &'a Context<'a>,
    pub(crate) payload: Payload,
}

impl<'a> Signing<'a> {
    pub(crate) fn new(
        message: &Message,
        signer: &'a Identity,
        options: &SignOptions,
        context: &'a Context<'a>,
    ) -> Result<Self, Error> {
        check_signer(&signer.certificate, context.now)?;
        let scheme = scheme(signer, options)?;
        let protection = match options.then {
            Then::Send => Protection::Clear,
            Then::Encrypt => Protection::Cipher,
        };
        let payload = header_protection::payload(message, options.header_protection, protection);
        if options.format == SignatureFormat::Detached && !payload.transport_safe {
            return Err(Error::NotTransportSafe);
        }
        Ok(Self {
            signer,
            scheme,
            format: options.format,
            context,
            payload,
        })
    }

    /// Octets of the signed entity, at most.
    pub(crate) fn size(&self) -> usize {
        let (entity, signature) = (self.payload.entity.size(), signed_data::size(self.signer));
        let around = 2048;
        match self.format {
            SignatureFormat::Detached => entity + encoded_size(signature) + around,
            SignatureFormat::Opaque => encoded_size(entity + signature) + around,
        }
    }

    /// Writes the signed entity below the head that is made of its content fields, into a vector
    /// of this capacity.
    pub(crate) fn write(
        &self,
        head: impl FnOnce(&[(&str, String)]) -> Bytes,
        capacity: usize,
    ) -> Result<(Vec<u8>, Written), Error> {
        let mut out = Vec::with_capacity(capacity);
        match self.format {
            SignatureFormat::Detached => {
                let boundary = boundary(self.context)?;
                let around = MultipartSigned {
                    micalg: &digest_of(self.scheme).to_string(),
                    boundary: &boundary,
                };
                out.extend_from_slice(&head(&around.fields()));
                out.extend_from_slice(around.before().as_bytes());
                let start = out.len();
                let digest = self.write_entity(&mut out);
                let place = Place::Apart(start..out.len());
                let cms = self.signed_data(&digest, None)?;
                out.extend_from_slice(&around.after(&cms.head));
                Ok((out, self.written(digest, place)))
            }
            SignatureFormat::Opaque => {
                let digest = self.write_entity(&mut out);
                let cms = self.signed_data(&digest, Some(out.len()))?;
                let place = Place::Inside {
                    before: cms.head.len(),
                };
                let head = head(&pkcs7_mime(SmimeType::Signed));
                let out = encode_in_place(out, &head, &cms.head, &cms.tail);
                Ok((out, self.written(digest, place)))
            }
        }
    }

    /// Appends the entity, and gives the digest of what was appended, block by block while it is
    /// in the processor's cache.
    fn write_entity(&self, out: &mut Vec<u8>) -> Vec<u8> {
        const BLOCK: usize = 1 << 15;
        let mut hasher = self.context.provider.hasher(digest_of(self.scheme));
        for piece in self.payload.entity.pieces() {
            for block in piece.chunks(BLOCK) {
                let start = out.len();
                out.extend_from_slice(block);
                hasher.update(out.get(start..).unwrap_or_default());
            }
        }
        hasher.finish()
    }

    fn signed_data(
        &self,
        digest: &[u8],
        embedded: Option<usize>,
    ) -> Result<signed_data::Written, Error> {
        let content = Content {
            digest_algorithm: digest_of(self.scheme),
            digest,
            embedded,
        };
        signed_data::write(&content, self.signer, self.scheme, self.context)
    }

    fn written(&self, digest: Vec<u8>, place: Place) -> Written {
        Written {
            digest_algorithm: digest_of(self.scheme),
            digest,
            place,
        }
    }
}

/// Rule 14, RFC 8550 §4.4.2, rule 11.
fn check_signer(certificate: &Certificate, now: Time) -> Result<(), Error> {
    check_validity(certificate, now)?;
    if !certificate.can_sign() {
        return Err(Error::WrongKeyUsage {
            subject: certificate.subject(),
            purpose: "sign",
        });
    }
    check_floor(certificate)
}

/// A certificate is valid in the seconds that it names, both included (RFC 5280 §4.1.2.5).
pub(crate) fn check_validity(certificate: &Certificate, now: Time) -> Result<(), Error> {
    let subject = certificate.subject();
    if now < certificate.not_before() {
        return Err(Error::NotYetValid {
            subject,
            not_before: certificate.not_before(),
        });
    }
    if now > certificate.not_after() {
        return Err(Error::Expired {
            subject,
            not_after: certificate.not_after(),
        });
    }
    Ok(())
}

pub(crate) fn check_floor(certificate: &Certificate) -> Result<(), Error> {
    let algorithm = certificate.key_algorithm();
    if algorithm.is_within_floor() {
        return Ok(());
    }
    Err(Error::AlgorithmFloor {
        subject: certificate.subject(),
        algorithm,
    })
}

/// The options, within what the certificate's key allows.
fn scheme(signer: &Identity, options: &SignOptions) -> Result<SignatureScheme, Error> {
    let certificate = &signer.certificate;
    let algorithm = certificate.key_algorithm();
    let scheme = if certificate.is_pss_only() {
        let info = certificate.public_key_info();
        let digest = restriction_of(info).map_or(options.digest, digest_of);
        let scheme = scheme_for(&algorithm, RsaScheme::Pss, digest);
        scheme.filter(|scheme| is_within_restriction(*scheme, info))
    } else {
        scheme_for(&algorithm, options.rsa_scheme, options.digest)
    };
    scheme.ok_or_else(|| Error::AlgorithmFloor {
        subject: certificate.subject(),
        algorithm,
    })
}

/// 128 random bits, so that no content holds it; `=_` stands in no quoted-printable or base64
/// text (RFC 2045 §6.7).
fn boundary(context: &Context<'_>) -> Result<String, Error> {
    let mut random = [0; 16];
    context.provider.random(&mut random)?;
    let digits: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(format!("=_{digits}"))
}
