//! New private keys, as PKCS #8.

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use pkcs8::{EncodePrivateKey, SecretDocument};
use waxseal_smime::{KeyAlgorithm, ProviderError};
use zeroize::Zeroizing;

pub(crate) fn generate(algorithm: &KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    macro_rules! on_curve {
        ($curve:ident) => {{
            use $curve::elliptic_curve::Generate;
            let key = $curve::SecretKey::try_generate_from_rng(&mut SysRng);
            document(key.map_err(|_| ProviderError::NoRandomness)?.to_pkcs8_der())
        }};
    }
    match algorithm {
        KeyAlgorithm::Rsa { bits } if algorithm.is_within_floor() => rsa(*bits),
        KeyAlgorithm::EcP256 => on_curve!(p256),
        KeyAlgorithm::EcP384 => on_curve!(p384),
        KeyAlgorithm::EcP521 => on_curve!(p521),
        KeyAlgorithm::Ed25519 => {
            let key = ed25519_dalek::SigningKey::from_bytes(&*seed()?);
            // RFC 8410 §7: version 1 without the public key is what older readers expect.
            Ok(one_asymmetric_key(&[0x2b, 0x65, 0x70], key.as_bytes()))
        }
        KeyAlgorithm::X25519 => Ok(one_asymmetric_key(&[0x2b, 0x65, 0x6e], &*seed()?)),
        other => Err(ProviderError::Unsupported(format!("new keys of {other}"))),
    }
}

fn rsa(bits: usize) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let key = rsa::PrivateKey::new(&mut SysRng, bits);
    document(
        key.map_err(|_| ProviderError::Failed("RSA key generation"))?
            .to_pkcs8_der(),
    )
}

fn document(encoded: pkcs8::Result<SecretDocument>) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let document = encoded.map_err(|_| ProviderError::Failed("PKCS #8 encoding"))?;
    Ok(document.to_bytes())
}

fn seed() -> Result<Zeroizing<[u8; 32]>, ProviderError> {
    let mut seed = Zeroizing::new([0; 32]);
    SysRng
        .try_fill_bytes(seed.as_mut())
        .map_err(|_| ProviderError::NoRandomness)?;
    Ok(seed)
}

/// RFC 8410 §7, for a key of 32 octets.
fn one_asymmetric_key(oid: &[u8; 3], key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(48));
    out.extend_from_slice(&[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03]);
    out.extend_from_slice(oid);
    out.extend_from_slice(&[0x04, 0x22, 0x04, 0x20]);
    out.extend_from_slice(key);
    out
}
