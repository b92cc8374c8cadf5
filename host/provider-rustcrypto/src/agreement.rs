//! Ephemeral-static ECDH and the derivation of the key-encryption key.

use crate::digest::digest;
use crate::public_key::{fixed, parse};
use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use hkdf::Hkdf;
use waxseal_smime::{Agreement, DigestAlgorithm, KeyAlgorithm, KeyDerivation, ProviderError};
use zeroize::Zeroizing;

/// One body for each curve.
macro_rules! agree_on {
    ($curve:ident, $octets:expr) => {{
        use $curve::elliptic_curve::Generate;
        use $curve::elliptic_curve::sec1::ToSec1Point;
        // SEC 1 §3.2.2.1: the point is checked to be on the curve and not at infinity.
        let theirs = $curve::PublicKey::from_sec1_bytes($octets)
            .map_err(|_| ProviderError::MalformedKey("EC public key".into()))?;
        let ours = $curve::ecdh::EphemeralSecret::try_generate_from_rng(&mut SysRng)
            .map_err(|_| ProviderError::NoRandomness)?;
        let shared = ours.diffie_hellman(&theirs);
        Ok(Agreement {
            ephemeral_public_key: ours.public_key().to_sec1_point(false).as_bytes().to_vec(),
            shared_secret: Zeroizing::new(shared.raw_secret_bytes().to_vec()),
        })
    }};
}

pub(crate) fn agree(info: &[u8]) -> Result<Agreement, ProviderError> {
    let theirs = parse(info)?;
    match theirs.algorithm {
        KeyAlgorithm::EcP256 => agree_on!(p256, theirs.octets),
        KeyAlgorithm::EcP384 => agree_on!(p384, theirs.octets),
        KeyAlgorithm::EcP521 => agree_on!(p521, theirs.octets),
        KeyAlgorithm::X25519 => x25519(fixed(theirs.octets)?),
        other => Err(ProviderError::Unsupported(format!(
            "key agreement with {other}"
        ))),
    }
}

/// RFC 7748 §6.1.
fn x25519(theirs: [u8; 32]) -> Result<Agreement, ProviderError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    SysRng
        .try_fill_bytes(seed.as_mut())
        .map_err(|_| ProviderError::NoRandomness)?;
    let ours = x25519_dalek::StaticSecret::from(*seed);
    let shared = ours.diffie_hellman(&x25519_dalek::PublicKey::from(theirs));
    // RFC 8418 §2: an all-zero secret means a bad public key.
    if !shared.was_contributory() {
        return Err(ProviderError::MalformedKey(
            "X25519 public key of small order".into(),
        ));
    }
    Ok(Agreement {
        ephemeral_public_key: x25519_dalek::PublicKey::from(&ours).as_bytes().to_vec(),
        shared_secret: Zeroizing::new(shared.as_bytes().to_vec()),
    })
}

pub(crate) fn derive(
    derivation: KeyDerivation,
    secret: &[u8],
    info: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    match derivation {
        KeyDerivation::X963(algorithm) => x963(algorithm, secret, info, size),
        KeyDerivation::Hkdf(algorithm) => hkdf(algorithm, secret, info, size),
        KeyDerivation::Pbkdf2 { .. } => Err(ProviderError::Unsupported("PBKDF2".into())),
    }
}

/// SEC 1 §3.6.1: K = Hash(Z || 1 || info) || Hash(Z || 2 || info) …
fn x963(
    algorithm: DigestAlgorithm,
    secret: &[u8],
    info: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    // Reserved at once, so that no copy of the key stays behind in memory.
    let mut out = Zeroizing::new(Vec::with_capacity(size + algorithm.output_size()));
    for counter in 1u32.. {
        if out.len() >= size {
            break;
        }
        let input = Zeroizing::new([secret, &counter.to_be_bytes(), info].concat());
        out.extend_from_slice(&Zeroizing::new(digest(algorithm, &input)));
    }
    out.truncate(size);
    Ok(out)
}

fn hkdf(
    algorithm: DigestAlgorithm,
    secret: &[u8],
    info: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let mut out = Zeroizing::new(vec![0; size]);
    match algorithm {
        DigestAlgorithm::Sha256 => Hkdf::<sha2::Sha256>::new(None, secret).expand(info, &mut out),
        DigestAlgorithm::Sha384 => Hkdf::<sha2::Sha384>::new(None, secret).expand(info, &mut out),
        DigestAlgorithm::Sha512 => Hkdf::<sha2::Sha512>::new(None, secret).expand(info, &mut out),
        // RFC 8418 §2.2 has SHA-2 from 256 bits only.
        other => return Err(ProviderError::Unsupported(format!("HKDF with {other}"))),
    }
    .map_err(|_| ProviderError::Failed("HKDF"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_as_rfc_5869_test_case_3() {
        let key = hkdf(DigestAlgorithm::Sha256, &[0x0b; 22], &[], 42).unwrap();
        assert_eq!(key[..6], [0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63]);
    }

    #[test]
    fn x963_grows_over_one_digest() {
        let long = x963(DigestAlgorithm::Sha256, b"secret", b"info", 70).unwrap();
        let short = x963(DigestAlgorithm::Sha256, b"secret", b"info", 16).unwrap();
        assert_eq!((long.len(), &long[..16]), (70, &short[..]));
        assert_ne!(long[..32], long[32..64]);
    }

    #[test]
    fn refuses_a_point_of_small_order() {
        assert!(matches!(
            x25519([0; 32]),
            Err(ProviderError::MalformedKey(_))
        ));
    }
}
