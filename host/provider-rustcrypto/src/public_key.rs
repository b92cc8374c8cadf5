//! Public keys out of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use der::asn1::UintRef;
use rsa::BoxedUint;
use spki::SubjectPublicKeyInfoRef;
use std::ops::RangeInclusive;
use waxseal_smime::{KeyAlgorithm, ProviderError};

/// The octets of the key and what kind it is.
pub(crate) struct PublicKey<'a> {
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) octets: &'a [u8],
}

pub(crate) fn parse(info: &[u8]) -> Result<PublicKey<'_>, ProviderError> {
    let malformed = || ProviderError::MalformedKey("public key".into());
    let info = SubjectPublicKeyInfoRef::from_der(info).map_err(|_| malformed())?;
    let octets = info.subject_public_key.as_bytes().ok_or_else(malformed)?;
    let algorithm = match info.algorithm.oid {
        rfc5912::RSA_ENCRYPTION | rfc5912::ID_RSASSA_PSS => KeyAlgorithm::Rsa {
            bits: rsa_bits(&rsa_octets(octets)?),
        },
        rfc5912::ID_EC_PUBLIC_KEY => {
            curve(info.algorithm.parameters_oid().map_err(|_| malformed())?)
        }
        rfc8410::ID_ED_25519 => KeyAlgorithm::Ed25519,
        rfc8410::ID_X_25519 => KeyAlgorithm::X25519,
        rfc5912::ID_DSA => KeyAlgorithm::Dsa,
        other => KeyAlgorithm::Other(other.to_string()),
    };
    Ok(PublicKey { algorithm, octets })
}

pub(crate) fn curve(oid: ObjectIdentifier) -> KeyAlgorithm {
    match oid {
        rfc5912::SECP_256_R_1 => KeyAlgorithm::EcP256,
        rfc5912::SECP_384_R_1 => KeyAlgorithm::EcP384,
        rfc5912::SECP_521_R_1 => KeyAlgorithm::EcP521,
        other => KeyAlgorithm::Other(other.to_string()),
    }
}

/// An RSA key.
pub(crate) fn rsa(info: &[u8]) -> Result<rsa::PublicKey, ProviderError> {
    let key = parse(info)?;
    match key.algorithm {
        KeyAlgorithm::Rsa { .. } => rsa_octets(key.octets),
        other => Err(ProviderError::MalformedKey(format!(
            "an RSA key is needed, not {other}"
        ))),
    }
}

/// Bits of a modulus that we read; what is written has the narrower limits of rule 11.
pub(crate) const RSA_BITS: RangeInclusive<usize> = 1024..=16384;

fn rsa_octets(octets: &[u8]) -> Result<rsa::PublicKey, ProviderError> {
    let malformed = || ProviderError::MalformedKey("RSA public key".into());
    let key = pkcs1::RsaPublicKeyRef::from_der(octets).map_err(|_| malformed())?;
    let number = |number: UintRef<'_>| {
        let octets = number.as_bytes();
        let bits = octets.len() * 8;
        let within = bits <= *RSA_BITS.end();
        let bits = u32::try_from(bits).ok().filter(|_| within)?;
        BoxedUint::from_be_slice(octets, bits).ok()
    };
    let modulus = number(key.modulus).ok_or_else(malformed)?;
    let exponent = number(key.public_exponent).ok_or_else(malformed)?;
    rsa::PublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).map_err(|_| malformed())
}

pub(crate) fn rsa_bits(key: &rsa::PublicKey) -> usize {
    use rsa::traits::PublicKeyParts;
    key.n().bit_width() as usize
}

/// A key of this size in octets.
pub(crate) fn fixed<const N: usize>(octets: &[u8]) -> Result<[u8; N], ProviderError> {
    octets
        .try_into()
        .map_err(|_| ProviderError::MalformedKey("wrong size of public key".into()))
}
