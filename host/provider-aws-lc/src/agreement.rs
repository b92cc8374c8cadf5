//! ECDH and X25519, both ways.

use crate::Secret;
use crate::public_key::{PublicKey, parse};
use aws_lc_rs::agreement::{self, Algorithm, UnparsedPublicKey, X25519};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Agreement, Provider, ProviderError};
use zeroize::Zeroizing;

pub(crate) fn agree(info: &[u8]) -> Result<Agreement, ProviderError> {
    match parse(info)? {
        PublicKey::Elliptic(curve, point) => ephemeral(curve.agreement, point, "EC public key"),
        PublicKey::X25519(octets) if octets.len() == X25519_SIZE => {
            ephemeral(&X25519, octets, "X25519 public key")
        }
        _ => RustCrypto.agree(info),
    }
}

/// Octets of either key of X25519 (RFC 7748 §5).
pub(crate) const X25519_SIZE: usize = 32;

fn ephemeral(
    algorithm: &'static Algorithm,
    theirs: &[u8],
    kind: &str,
) -> Result<Agreement, ProviderError> {
    let ours = agreement::PrivateKey::generate(algorithm)
        .map_err(|_| ProviderError::Failed("ephemeral key"))?;
    let public = ours
        .compute_public_key()
        .map_err(|_| ProviderError::Failed("ephemeral key"))?;
    Ok(Agreement {
        ephemeral_public_key: public.as_ref().to_vec(),
        shared_secret: shared(&ours, theirs, ProviderError::MalformedKey(kind.into()))?,
    })
}

/// AWS-LC refuses points off the curve, and (RFC 8418 §2) a shared secret of zeros.
pub(crate) fn shared(
    ours: &agreement::PrivateKey,
    theirs: &[u8],
    refusal: ProviderError,
) -> Secret {
    let theirs = UnparsedPublicKey::new(ours.algorithm(), theirs);
    agreement::agree(ours, theirs, refusal, |secret| {
        Ok(Zeroizing::new(secret.to_vec()))
    })
}
