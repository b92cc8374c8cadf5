//! The AlgorithmIdentifiers of received RecipientInfos: how the content key was encrypted.
//!
//! SHA-1 in OAEP, MGF1, HMAC and in the KDF of ECDH is read like any other digest, and
//! reported: those uses need no resistance to collisions, which is what SHA-1 lost, and they
//! are the defaults of RFC 4055 §4.1 and RFC 8018 and of the most used programs. Rule 11 is
//! about content ciphers, key sizes and signatures.

use super::AlgorithmIdentifier;
use crate::algorithm::{DigestAlgorithm, KeyWrap, TransportScheme};
use crate::asn1::{Element, Malformed, context, octet_string, sequence, tag};
use crate::enveloped_data::{ContentAlgorithm, Unreadable};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912};

const fn oid(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}

/// id-alg-CMS3DESwrap (RFC 3370 §4.3.1).
const TRIPLE_DES_WRAP: ObjectIdentifier = oid("1.2.840.113549.1.9.16.3.6");
/// id-alg-PWRI-KEK (RFC 3211 §2.3).
const PWRI_KEK: ObjectIdentifier = oid("1.2.840.113549.1.9.16.3.9");
/// id-PBKDF2 (RFC 8018 §A.2).
const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");
/// id-pSpecified (RFC 4055 §4.1).
const SPECIFIED: ObjectIdentifier = oid("1.2.840.113549.1.1.9");
/// More rounds of PBKDF2 than anybody waits for.
const MAX_ITERATIONS: u32 = 10_000_000;

/// How a shared secret becomes a key-encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    /// The KDF of ANSI X9.63.
    X963(DigestAlgorithm),
    /// HKDF (RFC 8418 §2.2).
    Hkdf(DigestAlgorithm),
}

impl Derived {
    pub(crate) const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::X963(digest) | Self::Hkdf(digest) => digest,
        }
    }
}

/// A key agreement algorithm, with its key wrap.
pub(crate) struct AgreementScheme {
    pub(crate) derived: Derived,
    pub(crate) wrap: KeyWrap,
    /// Octets of the key-encryption key.
    pub(crate) key_size: usize,
    /// DER of ECC-CMS-SharedInfo.
    pub(crate) shared_info: Vec<u8>,
    /// RFC 8418 §2.2: user keying material is also the salt of HKDF.
    pub(crate) salt: Vec<u8>,
}

/// How a password becomes a key-encryption key (RFC 8018 §5.2).
pub(crate) struct PasswordDerivation {
    pub(crate) digest: DigestAlgorithm,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

/// keyEncryptionAlgorithm of KeyTransRecipientInfo.
pub(crate) fn transport_scheme(
    algorithm: &AlgorithmIdentifier<'_>,
) -> Result<TransportScheme, Unreadable> {
    match algorithm.oid {
        rfc5912::RSA_ENCRYPTION => Ok(TransportScheme::Pkcs1v15),
        rfc5912::ID_RSAES_OAEP => oaep(algorithm.parameters),
        _ => Err(Unreadable::Unsupported),
    }
}

/// RSAES-OAEP-params (RFC 4055 §4.1). Absent fields, and absent parameters, are the defaults:
/// SHA-1, MGF1 with SHA-1, an empty label.
fn oaep(parameters: Option<Element<'_>>) -> Result<TransportScheme, Unreadable> {
    let sequence = parameters.filter(|parameters| parameters.tag == tag::SEQUENCE);
    let mut fields = sequence.map_or_else(|| crate::asn1::Reader::new(&[]), |all| all.children());
    let digest = match fields.optional(tag::context(0))? {
        None => DigestAlgorithm::Sha1,
        Some(hash) => digest_of(inside(hash)?)?,
    };
    let mask_digest = match fields.optional(tag::context(1))? {
        None => DigestAlgorithm::Sha1,
        Some(mask) => mask_digest(inside(mask)?)?,
    };
    let label = match fields.optional(tag::context(2))? {
        None => Vec::new(),
        Some(source) => label(inside(source)?)?,
    };
    fields.end()?;
    Ok(TransportScheme::Oaep {
        digest,
        mask_digest,
        label,
    })
}

fn inside(explicit: Element<'_>) -> Result<AlgorithmIdentifier<'_>, Malformed> {
    AlgorithmIdentifier::read(Element::only(explicit.value)?)
}

fn digest_of(algorithm: AlgorithmIdentifier<'_>) -> Result<DigestAlgorithm, Unreadable> {
    DigestAlgorithm::readable(algorithm.oid).ok_or(Unreadable::Unsupported)
}

fn mask_digest(mask: AlgorithmIdentifier<'_>) -> Result<DigestAlgorithm, Unreadable> {
    if mask.oid != rfc5912::ID_MGF_1 {
        return Err(Unreadable::Unsupported);
    }
    let digest = mask.parameters.ok_or(Unreadable::Malformed)?;
    digest_of(AlgorithmIdentifier::read(digest)?)
}

fn label(source: AlgorithmIdentifier<'_>) -> Result<Vec<u8>, Unreadable> {
    if source.oid != SPECIFIED {
        return Err(Unreadable::Unsupported);
    }
    let label = source.parameters.ok_or(Unreadable::Malformed)?;
    Ok(label.octets(tag::OCTET_STRING)?.concat())
}

/// keyEncryptionAlgorithm of KeyAgreeRecipientInfo: the scheme, and the wrap as its parameters
/// (RFC 5753 §7.1.4, RFC 8418 §7).
pub(crate) fn agreement_scheme(
    algorithm: &AlgorithmIdentifier<'_>,
    ukm: Option<&[u8]>,
) -> Result<AgreementScheme, Unreadable> {
    let derived = derivation_of(algorithm.oid).ok_or(Unreadable::Unsupported)?;
    let identifier = AlgorithmIdentifier::read(algorithm.parameters.ok_or(Unreadable::Malformed)?)?;
    let (wrap, key_size) = key_wrap_of(&identifier)?;
    Ok(AgreementScheme {
        derived,
        wrap,
        key_size,
        shared_info: shared_info(identifier.raw, key_size, ukm),
        salt: ukm.unwrap_or_default().to_vec(),
    })
}

/// The curves of rule 11 have cofactor 1, so that cofactor ECDH gives the same secret.
fn derivation_of(scheme: ObjectIdentifier) -> Option<Derived> {
    use DigestAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
    const SCHEMES: [(ObjectIdentifier, Derived); 13] = [
        (oid("1.3.133.16.840.63.0.2"), Derived::X963(Sha1)),
        (oid("1.3.132.1.11.0"), Derived::X963(Sha224)),
        (oid("1.3.132.1.11.1"), Derived::X963(Sha256)),
        (oid("1.3.132.1.11.2"), Derived::X963(Sha384)),
        (oid("1.3.132.1.11.3"), Derived::X963(Sha512)),
        (oid("1.3.133.16.840.63.0.3"), Derived::X963(Sha1)),
        (oid("1.3.132.1.14.0"), Derived::X963(Sha224)),
        (oid("1.3.132.1.14.1"), Derived::X963(Sha256)),
        (oid("1.3.132.1.14.2"), Derived::X963(Sha384)),
        (oid("1.3.132.1.14.3"), Derived::X963(Sha512)),
        (oid("1.2.840.113549.1.9.16.3.19"), Derived::Hkdf(Sha256)),
        (oid("1.2.840.113549.1.9.16.3.20"), Derived::Hkdf(Sha384)),
        (oid("1.2.840.113549.1.9.16.3.21"), Derived::Hkdf(Sha512)),
    ];
    let known = SCHEMES.iter().find(|(known, _)| *known == scheme);
    known.map(|(_, derived)| *derived)
}

/// ECC-CMS-SharedInfo (RFC 5753 §7.2): the wrap algorithm as it stands, user keying material,
/// and the size of the key in bits.
fn shared_info(wrap: &[u8], key_size: usize, ukm: Option<&[u8]>) -> Vec<u8> {
    let ukm = ukm.map_or_else(Vec::new, |ukm| context(0, &[&octet_string(ukm)]));
    // At most 256.
    let bits = (key_size as u32 * 8).to_be_bytes();
    sequence(&[wrap, &ukm, &context(2, &[&octet_string(&bits)])])
}

/// A key wrap, and the size of its key in octets.
pub(crate) fn key_wrap_of(
    algorithm: &AlgorithmIdentifier<'_>,
) -> Result<(KeyWrap, usize), Unreadable> {
    match algorithm.oid {
        rfc5911::ID_AES_128_WRAP => Ok((KeyWrap::Aes, 16)),
        rfc5911::ID_AES_192_WRAP => Ok((KeyWrap::Aes, 24)),
        rfc5911::ID_AES_256_WRAP => Ok((KeyWrap::Aes, 32)),
        TRIPLE_DES_WRAP => Ok((KeyWrap::TripleDes, 24)),
        _ => Err(Unreadable::Unsupported),
    }
}

/// keyEncryptionAlgorithm of PasswordRecipientInfo: id-alg-PWRI-KEK with a block cipher.
pub(crate) fn password_wrap(
    algorithm: &AlgorithmIdentifier<'_>,
) -> Result<(KeyWrap, usize), Unreadable> {
    if algorithm.oid != PWRI_KEK {
        return Err(Unreadable::Unsupported);
    }
    let inner = AlgorithmIdentifier::read(algorithm.parameters.ok_or(Unreadable::Malformed)?)?;
    let content = ContentAlgorithm::read(inner.oid, inner.parameters)?;
    if content.cipher.is_authenticated() {
        return Err(Unreadable::Unsupported);
    }
    let size = content.cipher.key_size();
    let wrap = KeyWrap::Password {
        cipher: content.cipher,
        iv: content.nonce,
    };
    Ok((wrap, size))
}

/// keyDerivationAlgorithm of PasswordRecipientInfo: PBKDF2 (RFC 8018 §A.2) for a key of this
/// size.
pub(crate) fn password_derivation(
    algorithm: &AlgorithmIdentifier<'_>,
    key_size: usize,
) -> Result<PasswordDerivation, Unreadable> {
    if algorithm.oid != PBKDF2 {
        return Err(Unreadable::Unsupported);
    }
    let mut fields = algorithm
        .parameters
        .ok_or(Unreadable::Malformed)?
        .fields()?;
    let salt = fields.expect(tag::OCTET_STRING)?.value.to_vec();
    let iterations = number(fields.expect(tag::INTEGER)?)?;
    let stated_size = fields.optional(tag::INTEGER)?.map(number).transpose()?;
    let digest = match fields.optional(tag::SEQUENCE)? {
        None => DigestAlgorithm::Sha1,
        Some(prf) => hmac_digest(AlgorithmIdentifier::read(prf)?.oid)?,
    };
    fields.end()?;
    let fits = stated_size.is_none_or(|size| usize::try_from(size) == Ok(key_size));
    if !fits || !(1..=MAX_ITERATIONS).contains(&iterations) {
        return Err(Unreadable::Malformed);
    }
    Ok(PasswordDerivation {
        digest,
        salt,
        iterations,
    })
}

/// A non-negative INTEGER that fits.
fn number(integer: Element<'_>) -> Result<u32, Malformed> {
    let digits = match integer.value {
        [first, ..] if *first >= 0x80 => return Err(Malformed),
        [] => return Err(Malformed),
        digits => digits,
    };
    let value = digits.iter().try_fold(0u32, |value, digit| {
        value.checked_mul(256)?.checked_add(u32::from(*digit))
    });
    value.ok_or(Malformed)
}

/// id-hmacWithSHA1 and its kin (RFC 8018 §B.1).
fn hmac_digest(prf: ObjectIdentifier) -> Result<DigestAlgorithm, Unreadable> {
    const KNOWN: [(ObjectIdentifier, DigestAlgorithm); 5] = [
        (oid("1.2.840.113549.2.7"), DigestAlgorithm::Sha1),
        (oid("1.2.840.113549.2.8"), DigestAlgorithm::Sha224),
        (oid("1.2.840.113549.2.9"), DigestAlgorithm::Sha256),
        (oid("1.2.840.113549.2.10"), DigestAlgorithm::Sha384),
        (oid("1.2.840.113549.2.11"), DigestAlgorithm::Sha512),
    ];
    let known = KNOWN.iter().find(|(known, _)| *known == prf);
    known
        .map(|(_, digest)| *digest)
        .ok_or(Unreadable::Unsupported)
}
