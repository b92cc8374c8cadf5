//! Checks signatures.

use crate::digest::prehash;
use crate::public_key::{fixed, parse, rsa};
use crate::{dsa, pss};
use ecdsa_of::verify_on;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use waxseal_smime::DigestAlgorithm::{
    self, Sha1 as S1, Sha224 as S224, Sha256 as S256, Sha384 as S384, Sha512 as S512,
};
use waxseal_smime::{KeyAlgorithm, ProviderError, SignatureScheme};

pub(crate) fn verify(
    info: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    match scheme {
        SignatureScheme::RsaPkcs1v15(digest) => pkcs1v15(&rsa(info)?, digest, message, signature),
        SignatureScheme::RsaPss {
            digest,
            mask_digest,
            salt_size,
        } => pss::verify(
            &rsa(info)?,
            digest,
            mask_digest,
            salt_size,
            message,
            signature,
        )
        .ok_or(ProviderError::BadSignature),
        SignatureScheme::Ecdsa(digest) => ecdsa(info, digest, message, signature),
        SignatureScheme::Ed25519 => ed25519(info, message, signature),
        SignatureScheme::Dsa(digest) => dsa::verify(info, digest, message, signature),
    }
}

fn bad<E>(_: E) -> ProviderError {
    ProviderError::BadSignature
}

fn pkcs1v15(
    key: &rsa::PublicKey,
    digest: DigestAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    match digest {
        S256 => key.pkcs1v15_verify::<Sha256>(message, signature),
        S384 => key.pkcs1v15_verify::<Sha384>(message, signature),
        S512 => key.pkcs1v15_verify::<Sha512>(message, signature),
        S1 => key.pkcs1v15_verify::<Sha1>(message, signature),
        S224 => key.pkcs1v15_verify::<Sha224>(message, signature),
    }
    .map_err(bad)
}

/// One function for each curve: the crates share traits, but not in a way that is shorter.
mod ecdsa_of {
    macro_rules! verify_on {
        ($curve:ident, $key:expr, $hash:expr, $signature:expr) => {{
            use $curve::ecdsa::signature::hazmat::PrehashVerifier;
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes($key)
                .map_err(|_| ProviderError::MalformedKey("EC public key".into()))?;
            let signature = $curve::ecdsa::DerSignature::try_from($signature).map_err(bad)?;
            let signature = $curve::ecdsa::Signature::try_from(signature).map_err(bad)?;
            key.verify_prehash($hash, &signature).map_err(bad)
        }};
    }
    pub(super) use verify_on;
}

fn ecdsa(
    info: &[u8],
    algorithm: DigestAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    let key = parse(info)?;
    let hash = |size| prehash(algorithm, message, size);
    match key.algorithm {
        KeyAlgorithm::EcP256 => verify_on!(p256, key.octets, &hash(32), signature),
        KeyAlgorithm::EcP384 => verify_on!(p384, key.octets, &hash(48), signature),
        KeyAlgorithm::EcP521 => verify_on!(p521, key.octets, &hash(66), signature),
        other => Err(ProviderError::Unsupported(format!("ECDSA with {other}"))),
    }
}

/// RFC 8032 §5.1.7, without points of small order.
fn ed25519(info: &[u8], message: &[u8], signature: &[u8]) -> Result<(), ProviderError> {
    let key = parse(info)?;
    if key.algorithm != KeyAlgorithm::Ed25519 {
        return Err(ProviderError::Unsupported(format!(
            "Ed25519 with {}",
            key.algorithm
        )));
    }
    let key = ed25519_dalek::VerifyingKey::from_bytes(&fixed(key.octets)?)
        .map_err(|_| ProviderError::MalformedKey("Ed25519 public key".into()))?;
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(bad)?;
    key.verify_strict(message, &signature).map_err(bad)
}
