//! New private keys, as PKCS #8. Keys of RFC 8410, and RSA of sizes that AWS-LC does not make,
//! are [`RustCrypto`]'s to make.

use crate::Secret;
use crate::curve::Curve;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, RsaKeyPair};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{KeyAlgorithm, Provider, ProviderError};
use zeroize::Zeroizing;

pub(crate) fn generate(algorithm: &KeyAlgorithm) -> Secret {
    if let Some(curve) = Curve::of(algorithm) {
        return elliptic(curve);
    }
    match algorithm {
        KeyAlgorithm::Rsa { bits: 2048 } => rsa(KeySize::Rsa2048),
        KeyAlgorithm::Rsa { bits: 3072 } => rsa(KeySize::Rsa3072),
        KeyAlgorithm::Rsa { bits: 4096 } => rsa(KeySize::Rsa4096),
        KeyAlgorithm::Rsa { bits: 8192 } => rsa(KeySize::Rsa8192),
        other => RustCrypto.generate_key(other),
    }
}

fn elliptic(curve: &'static Curve) -> Secret {
    let document = EcdsaKeyPair::generate(curve.signing).and_then(|key| key.to_pkcs8v1());
    let document = document.map_err(|_| ProviderError::Failed("EC key generation"))?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

fn rsa(size: KeySize) -> Secret {
    let document: Result<Pkcs8V1Der<'_>, _> =
        RsaKeyPair::generate(size).and_then(|key| key.as_der());
    let document = document.map_err(|_| ProviderError::Failed("RSA key generation"))?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}
