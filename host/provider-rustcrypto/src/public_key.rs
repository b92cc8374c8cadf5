//! Public keys out of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::Decode;
use pkcs1::DecodeRsaPublicKey;
use spki::SubjectPublicKeyInfoRef;
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

fn rsa_octets(octets: &[u8]) -> Result<rsa::PublicKey, ProviderError> {
    rsa::PublicKey::from_pkcs1_der(octets)
        .map_err(|_| ProviderError::MalformedKey("RSA public key".into()))
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
