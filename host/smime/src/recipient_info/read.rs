//! Reads a RecipientInfo of any kind, in place.

use super::name;
use crate::asn1::{Element, Malformed, Reader, joined, tag};
use crate::recipients::RecipientId;
use const_oid::ObjectIdentifier;
use std::borrow::Cow;

/// AlgorithmIdentifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlgorithmIdentifier<'a> {
    /// The whole of it, as it stands.
    pub(crate) raw: &'a [u8],
    pub(crate) oid: ObjectIdentifier,
    pub(crate) parameters: Option<Element<'a>>,
}

/// RecipientInfo (RFC 5652 §6.2).
pub(crate) enum RecipientInfo<'a> {
    /// KeyTransRecipientInfo (§6.2.1).
    KeyTransport {
        recipient: RecipientId,
        algorithm: AlgorithmIdentifier<'a>,
        encrypted: Cow<'a, [u8]>,
    },
    /// KeyAgreeRecipientInfo (§6.2.2).
    KeyAgreement(KeyAgreement<'a>),
    /// KEKRecipientInfo (§6.2.3).
    KeyEncryptionKey {
        /// KEKIdentifier.keyIdentifier.
        identifier: &'a [u8],
        algorithm: AlgorithmIdentifier<'a>,
        encrypted: Cow<'a, [u8]>,
    },
    /// PasswordRecipientInfo (§6.2.4).
    Password {
        /// Absent: the password is a key already.
        derivation: Option<AlgorithmIdentifier<'a>>,
        algorithm: AlgorithmIdentifier<'a>,
        encrypted: Cow<'a, [u8]>,
    },
    /// OtherRecipientInfo (§6.2.5), KEM recipients (RFC 9629) among them, and what is to come.
    Other,
}

/// KeyAgreeRecipientInfo.
pub(crate) struct KeyAgreement<'a> {
    /// The originator's public key; `None` when it is in a certificate (static ECDH).
    pub(crate) originator: Option<OriginatorKey<'a>>,
    /// User keying material.
    pub(crate) ukm: Option<Cow<'a, [u8]>>,
    /// Key agreement scheme, with the key wrap as its parameters.
    pub(crate) algorithm: AlgorithmIdentifier<'a>,
    /// For each recipient the wrapped key.
    pub(crate) keys: Vec<(RecipientId, Cow<'a, [u8]>)>,
}

/// OriginatorPublicKey.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OriginatorKey<'a> {
    pub(crate) algorithm: ObjectIdentifier,
    /// A point, or the 32 octets of X25519.
    pub(crate) public_key: &'a [u8],
}

impl<'a> AlgorithmIdentifier<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.fields()?;
        Self::finish(element, &mut fields)
    }

    /// Where a field has an implicit tag instead of that of SEQUENCE.
    fn read_implicit(element: Element<'a>) -> Result<Self, Malformed> {
        Self::finish(element, &mut element.children())
    }

    fn finish(element: Element<'a>, fields: &mut Reader<'a>) -> Result<Self, Malformed> {
        let oid = fields.object_identifier()?;
        let parameters = if fields.is_empty() {
            None
        } else {
            Some(fields.any()?)
        };
        fields.end()?;
        Ok(Self {
            raw: element.raw,
            oid,
            parameters,
        })
    }
}

impl<'a> RecipientInfo<'a> {
    pub(crate) fn read(info: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = info.children();
        match info.tag {
            tag::SEQUENCE => {
                fields.expect(tag::INTEGER)?;
                Self::key_transport(fields)
            }
            other if other == tag::context(1) => {
                fields.expect(tag::INTEGER)?;
                KeyAgreement::read(fields).map(Self::KeyAgreement)
            }
            other if other == tag::context(2) => {
                fields.expect(tag::INTEGER)?;
                Self::key_encryption_key(fields)
            }
            other if other == tag::context(3) => {
                fields.expect(tag::INTEGER)?;
                Self::password(fields)
            }
            other if other == tag::context(4) => Ok(Self::Other),
            _ => Err(Malformed),
        }
    }

    fn key_transport(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        let recipient = name(fields.any()?)?;
        let algorithm = AlgorithmIdentifier::read(fields.any()?)?;
        let encrypted = last_string(fields)?;
        Ok(Self::KeyTransport {
            recipient,
            algorithm,
            encrypted,
        })
    }

    fn key_encryption_key(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        let mut identifier = fields.sequence()?;
        let identifier = identifier.expect(tag::OCTET_STRING)?.value;
        let algorithm = AlgorithmIdentifier::read(fields.any()?)?;
        let encrypted = last_string(fields)?;
        Ok(Self::KeyEncryptionKey {
            identifier,
            algorithm,
            encrypted,
        })
    }

    fn password(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        let derivation = fields.optional(tag::context(0))?;
        let derivation = derivation
            .map(AlgorithmIdentifier::read_implicit)
            .transpose()?;
        let algorithm = AlgorithmIdentifier::read(fields.any()?)?;
        let encrypted = last_string(fields)?;
        Ok(Self::Password {
            derivation,
            algorithm,
            encrypted,
        })
    }
}

impl<'a> KeyAgreement<'a> {
    fn read(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        let originator = originator(Element::only(fields.expect(tag::context(0))?.value)?)?;
        let ukm = fields.optional(tag::context(1))?;
        let ukm = ukm
            .map(|explicit| Element::only(explicit.value)?.octets(tag::OCTET_STRING))
            .transpose()?;
        let algorithm = AlgorithmIdentifier::read(fields.any()?)?;
        let keys = fields.sequence()?.elements()?;
        fields.end()?;
        let keys = keys.into_iter().map(|key| {
            let mut fields = key.fields()?;
            Ok((name(fields.any()?)?, last_string(fields)?))
        });
        Ok(Self {
            originator,
            ukm: ukm.map(|pieces| joined(&pieces)),
            algorithm,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }
}

/// OriginatorIdentifierOrKey: issuerAndSerialNumber, `[0]` subjectKeyIdentifier or `[1]`
/// originatorKey.
fn originator(element: Element<'_>) -> Result<Option<OriginatorKey<'_>>, Malformed> {
    if element.tag == tag::SEQUENCE || element.tag == tag::context_primitive(0) {
        return Ok(None);
    }
    if element.tag != tag::context(1) {
        return Err(Malformed);
    }
    let mut fields = element.children();
    let algorithm = AlgorithmIdentifier::read(fields.any()?)?.oid;
    let bits = fields.expect(tag::BIT_STRING)?;
    fields.end()?;
    // No bits are unused in a key of whole octets.
    let public_key = bits.value.strip_prefix(&[0]).ok_or(Malformed)?;
    Ok(Some(OriginatorKey {
        algorithm,
        public_key,
    }))
}

/// The OCTET STRING at the end.
fn last_string(mut fields: Reader<'_>) -> Result<Cow<'_, [u8]>, Malformed> {
    let pieces = fields.any()?.octets(tag::OCTET_STRING)?;
    fields.end()?;
    Ok(joined(&pieces))
}
