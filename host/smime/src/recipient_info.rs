//! RecipientInfo (RFC 5652 §6.2): the content key for one recipient.
//!
//! RSA recipients get KeyTransRecipientInfo, EC and X25519 recipients KeyAgreeRecipientInfo
//! with an ephemeral key of their own. The recipient is named by issuer and serial number, from
//! the certificate's own octets. Every kind is read.

mod read;
mod scheme;

use crate::algorithm::{ContentCipher, DigestAlgorithm, KeyAlgorithm, KeyTransport};
use crate::asn1::{
    Element, Malformed, Reader, algorithm, context, integer, null, octet_string, sequence, tag, tlv,
};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::provider::{KeyDerivation, Provider};
use crate::recipients::RecipientId;
use crate::scheme::{digest_in_rsa, mask_generation};
use crate::signed_data::issuer_and_serial;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912, rfc8410};

pub(crate) use read::{AlgorithmIdentifier, KeyAgreement, OriginatorKey, RecipientInfo};
pub(crate) use scheme::{
    AgreementScheme, Derived, PasswordDerivation, agreement_scheme, key_wrap_of,
    password_derivation, password_wrap, transport_scheme,
};

/// dhSinglePass-stdDH-sha256kdf-scheme and its kin (RFC 5753 §7.1.4).
const SHA256_KDF: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.1");
const SHA384_KDF: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.2");
const SHA512_KDF: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.3");
/// dhSinglePass-cofactorDH-sha256kdf-scheme and its kin, which differ only for other curves.
const COFACTOR_KDF: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.3.132.1.14.1"),
    ObjectIdentifier::new_unwrap("1.3.132.1.14.2"),
    ObjectIdentifier::new_unwrap("1.3.132.1.14.3"),
];
/// dhSinglePass-stdDH-hkdf-sha256-scheme and its kin (RFC 8418 §2.2).
const HKDF_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.19");
const HKDF_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.20");
const HKDF_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.21");

/// The content key for one recipient.
pub(crate) fn write(
    recipient: &Certificate,
    content_key: &[u8],
    cipher: ContentCipher,
    transport: KeyTransport,
    provider: &dyn Provider,
) -> Result<Vec<u8>, Error> {
    match recipient.key_algorithm() {
        KeyAlgorithm::Rsa { .. } => key_transport(recipient, content_key, transport, provider),
        _ => key_agreement(recipient, content_key, cipher, provider),
    }
}

/// KeyTransRecipientInfo (RFC 5652 §6.2.1); version 0 goes with issuerAndSerialNumber.
fn key_transport(
    recipient: &Certificate,
    content_key: &[u8],
    transport: KeyTransport,
    provider: &dyn Provider,
) -> Result<Vec<u8>, Error> {
    let encrypted = provider.transport_key(recipient.public_key_info(), transport, content_key)?;
    let identifier = match transport {
        KeyTransport::Pkcs1v15 => algorithm(rfc5912::RSA_ENCRYPTION, &null()),
        KeyTransport::Oaep => algorithm(rfc5912::ID_RSAES_OAEP, &oaep_parameters()),
    };
    Ok(sequence(&[
        &integer(0),
        &issuer_and_serial(recipient),
        &identifier,
        &octet_string(&encrypted),
    ]))
}

/// RSAES-OAEP-params (RFC 4055 §4.1); the empty label is the default, which DER leaves out.
pub(crate) fn oaep_parameters() -> Vec<u8> {
    let digest = DigestAlgorithm::Sha256;
    sequence(&[
        &context(0, &[&digest_in_rsa(digest)]),
        &context(1, &[&mask_generation(digest)]),
    ])
}

/// What goes with a kind of key: its identifier for the ephemeral one, the scheme, the KDF.
fn agreement_of(
    key: &KeyAlgorithm,
) -> Option<(ObjectIdentifier, ObjectIdentifier, KeyDerivation<'static>)> {
    let ec = rfc5912::ID_EC_PUBLIC_KEY;
    Some(match key {
        KeyAlgorithm::EcP256 => (ec, SHA256_KDF, KeyDerivation::X963(DigestAlgorithm::Sha256)),
        KeyAlgorithm::EcP384 => (ec, SHA384_KDF, KeyDerivation::X963(DigestAlgorithm::Sha384)),
        KeyAlgorithm::EcP521 => (ec, SHA512_KDF, KeyDerivation::X963(DigestAlgorithm::Sha512)),
        KeyAlgorithm::X25519 => (
            rfc8410::ID_X_25519,
            HKDF_SHA256,
            KeyDerivation::Hkdf {
                digest: DigestAlgorithm::Sha256,
                salt: &[],
            },
        ),
        _ => return None,
    })
}

/// KeyAgreeRecipientInfo (RFC 5652 §6.2.2) by ephemeral-static ECDH (RFC 5753 §3.1, RFC 8418 §3).
fn key_agreement(
    recipient: &Certificate,
    content_key: &[u8],
    cipher: ContentCipher,
    provider: &dyn Provider,
) -> Result<Vec<u8>, Error> {
    let key = recipient.key_algorithm();
    let (public_key, scheme, derivation) =
        agreement_of(&key).ok_or_else(|| Error::AlgorithmFloor {
            subject: recipient.subject(),
            algorithm: key.clone(),
        })?;
    let wrap = key_wrap(cipher);
    let agreement = provider.agree(recipient.public_key_info())?;
    let info = shared_info(&wrap, cipher);
    let size = cipher.key_size();
    let key = provider.derive_key(derivation, &agreement.shared_secret, &info, size)?;
    let wrapped = provider.wrap_key(&key, content_key)?;

    // RFC 5753 §3.1.1: the parameters of id-ecPublicKey should be absent here.
    let point = tlv(tag::BIT_STRING, &[&[0], &agreement.ephemeral_public_key]);
    let originator_key = context(1, &[&algorithm(public_key, &[]), &point]);
    let encrypted_key = sequence(&[&issuer_and_serial(recipient), &octet_string(&wrapped)]);
    Ok(context(
        1,
        &[
            &integer(3),
            &context(0, &[&originator_key]),
            &algorithm(scheme, &wrap),
            &sequence(&[&encrypted_key]),
        ],
    ))
}

/// AES key wrap of the content cipher's key size (RFC 3565 §4.2: parameters absent).
fn key_wrap(cipher: ContentCipher) -> Vec<u8> {
    let oid = match cipher.key_size() {
        16 => rfc5911::ID_AES_128_WRAP,
        24 => rfc5911::ID_AES_192_WRAP,
        _ => rfc5911::ID_AES_256_WRAP,
    };
    algorithm(oid, &[])
}

/// ECC-CMS-SharedInfo (RFC 5753 §7.2): the wrap algorithm, and the size of its key in bits.
fn shared_info(wrap: &[u8], cipher: ContentCipher) -> Vec<u8> {
    // At most 256.
    let bits = (cipher.key_size() as u32 * 8).to_be_bytes();
    sequence(&[wrap, &context(2, &[&octet_string(&bits)])])
}

/// The names in a RecipientInfo of any kind; several where key agreement has several.
pub(crate) fn names(info: Element<'_>) -> Result<Vec<RecipientId>, Malformed> {
    let mut fields = info.children();
    match info.tag {
        tag::SEQUENCE => {
            fields.expect(tag::INTEGER)?;
            Ok(vec![name(fields.any()?)?])
        }
        other if other == tag::context(1) => {
            let mut keys = agreed(info)?.keys.elements()?.into_iter();
            keys.try_fold(Vec::new(), |mut names, key| {
                names.push(name(key.children().any()?)?);
                Ok(names)
            })
        }
        other if (tag::context(2)..=tag::context(4)).contains(&other) => {
            Ok(vec![RecipientId::NoCertificate])
        }
        _ => Err(Malformed),
    }
}

fn name(element: Element<'_>) -> Result<RecipientId, Malformed> {
    let mut fields = element.children();
    match element.tag {
        tag::SEQUENCE => Ok(RecipientId::IssuerAndSerial {
            issuer: fields.expect(tag::SEQUENCE)?.raw.to_vec(),
            serial: fields.expect(tag::INTEGER)?.raw.to_vec(),
        }),
        other if other == tag::context_primitive(0) => {
            Ok(RecipientId::KeyIdentifier(element.value.to_vec()))
        }
        // rKeyId of key agreement: a SEQUENCE that begins with the identifier.
        other if other == tag::context(0) => Ok(RecipientId::KeyIdentifier(
            fields.expect(tag::OCTET_STRING)?.value.to_vec(),
        )),
        _ => Err(Malformed),
    }
}

/// The parts of KeyAgreeRecipientInfo that matter here.
struct Agreed<'a> {
    scheme: Reader<'a>,
    keys: Reader<'a>,
}

fn agreed(info: Element<'_>) -> Result<Agreed<'_>, Malformed> {
    let mut fields = info.children();
    fields.expect(tag::INTEGER)?;
    fields.expect(tag::context(0))?;
    fields.optional(tag::context(1))?;
    let scheme = fields.sequence()?;
    let keys = fields.sequence()?;
    Ok(Agreed { scheme, keys })
}

/// It parses, names somebody, and carries a key for each.
pub(crate) fn is_well_formed(info: Element<'_>) -> bool {
    let named = names(info).is_ok_and(|names| !names.is_empty());
    let keyed = match info.tag {
        tag::SEQUENCE => transported(info).is_ok_and(|(_, key)| !key.is_empty()),
        other if other == tag::context(1) => {
            agreed_keys(info).is_ok_and(|keys| keys.iter().all(|key| !key.is_empty()))
        }
        _ => true,
    };
    named && keyed
}

/// The algorithm and the encrypted key of KeyTransRecipientInfo.
fn transported(info: Element<'_>) -> Result<(Reader<'_>, &[u8]), Malformed> {
    let mut fields = info.children();
    fields.expect(tag::INTEGER)?;
    fields.any()?;
    let algorithm = fields.sequence()?;
    let key = fields.expect(tag::OCTET_STRING)?.value;
    if fields.is_empty() {
        Ok((algorithm, key))
    } else {
        Err(Malformed)
    }
}

fn agreed_keys(info: Element<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let keys = agreed(info)?.keys.elements()?;
    keys.into_iter()
        .map(|key| {
            let mut fields = key.children();
            fields.any()?;
            fields.expect(tag::OCTET_STRING).map(|key| key.value)
        })
        .collect()
}

/// Rule 11: RSA of 2048 to 8192 bits by PKCS #1 v1.5, or OAEP with SHA-2; ECDH with SHA-2 and
/// AES key wrap.
pub(crate) fn is_within_floor(info: Element<'_>) -> bool {
    match info.tag {
        tag::SEQUENCE => transported(info).is_ok_and(|(algorithm, key)| {
            // The encrypted key is as long as the modulus.
            (256..=1024).contains(&key.len()) && is_allowed_transport(algorithm).unwrap_or(false)
        }),
        other if other == tag::context(1) => {
            let agreement = agreed(info).and_then(|agreed| is_allowed_agreement(agreed.scheme));
            // A wrapped key of 16, 24 or 32 octets is 8 longer (RFC 3394 §2.2.1).
            let wrapped = agreed_keys(info)
                .is_ok_and(|keys| keys.iter().all(|key| [24, 32, 40].contains(&key.len())));
            agreement.unwrap_or(false) && wrapped
        }
        _ => false,
    }
}

fn is_allowed_transport(mut fields: Reader<'_>) -> Result<bool, Malformed> {
    match fields.object_identifier()? {
        rfc5912::RSA_ENCRYPTION => Ok(true),
        rfc5912::ID_RSAES_OAEP => {
            let mut parameters = fields.sequence()?;
            // Absent fields mean SHA-1.
            let (Some(hash), Some(mask)) = (
                parameters.optional(tag::context(0))?,
                parameters.optional(tag::context(1))?,
            ) else {
                return Ok(false);
            };
            let hash = hash.children().sequence()?.object_identifier()?;
            let mut mask = mask.children().sequence()?;
            let is_mgf1 = mask.object_identifier()? == rfc5912::ID_MGF_1;
            let mask_hash = mask.sequence()?.object_identifier()?;
            let known = |oid| DigestAlgorithm::from_oid(oid).is_some();
            Ok(known(hash) && is_mgf1 && known(mask_hash))
        }
        _ => Ok(false),
    }
}

fn is_allowed_agreement(mut fields: Reader<'_>) -> Result<bool, Malformed> {
    const SCHEMES: [ObjectIdentifier; 6] = [
        SHA256_KDF,
        SHA384_KDF,
        SHA512_KDF,
        HKDF_SHA256,
        HKDF_SHA384,
        HKDF_SHA512,
    ];
    const WRAPS: [ObjectIdentifier; 3] = [
        rfc5911::ID_AES_128_WRAP,
        rfc5911::ID_AES_192_WRAP,
        rfc5911::ID_AES_256_WRAP,
    ];
    let scheme = fields.object_identifier()?;
    let wrap = fields.sequence()?.object_identifier()?;
    let known = SCHEMES.contains(&scheme) || COFACTOR_KDF.contains(&scheme);
    Ok(known && WRAPS.contains(&wrap))
}
