//! Keys derived from secrets: from what ECDH agreed on, and from passwords.

use crate::digest::digest;
use hkdf::Hkdf;
use pbkdf2::pbkdf2_hmac;
use waxseal_smime::{DigestAlgorithm, KeyDerivation, ProviderError};
use zeroize::Zeroizing;

pub(crate) fn derive(
    derivation: KeyDerivation<'_>,
    secret: &[u8],
    info: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    match derivation {
        KeyDerivation::X963(algorithm) => x963(algorithm, secret, info, size),
        KeyDerivation::Hkdf { digest, salt } => hkdf(digest, salt, secret, info, size),
        KeyDerivation::Pbkdf2 { digest, iterations } => {
            pbkdf2(digest, iterations, secret, info, size)
        }
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
    salt: &[u8],
    secret: &[u8],
    info: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let mut out = Zeroizing::new(vec![0; size]);
    let salt = Some(salt);
    match algorithm {
        DigestAlgorithm::Sha256 => Hkdf::<sha2::Sha256>::new(salt, secret).expand(info, &mut out),
        DigestAlgorithm::Sha384 => Hkdf::<sha2::Sha384>::new(salt, secret).expand(info, &mut out),
        DigestAlgorithm::Sha512 => Hkdf::<sha2::Sha512>::new(salt, secret).expand(info, &mut out),
        // RFC 8418 §2.2 has SHA-2 from 256 bits only.
        other => return Err(ProviderError::Unsupported(format!("HKDF with {other}"))),
    }
    .map_err(|_| ProviderError::Failed("HKDF"))?;
    Ok(out)
}

/// RFC 8018 §5.2.
fn pbkdf2(
    algorithm: DigestAlgorithm,
    iterations: u32,
    password: &[u8],
    salt: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    if iterations == 0 {
        return Err(ProviderError::Failed("PBKDF2 without a round"));
    }
    let derive = match algorithm {
        DigestAlgorithm::Sha256 => pbkdf2_hmac::<sha2::Sha256>,
        DigestAlgorithm::Sha384 => pbkdf2_hmac::<sha2::Sha384>,
        DigestAlgorithm::Sha512 => pbkdf2_hmac::<sha2::Sha512>,
        DigestAlgorithm::Sha1 => pbkdf2_hmac::<sha1::Sha1>,
        DigestAlgorithm::Sha224 => pbkdf2_hmac::<sha2::Sha224>,
    };
    let mut out = Zeroizing::new(vec![0; size]);
    derive(password, salt, iterations, &mut out);
    Ok(out)
}
