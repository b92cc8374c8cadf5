//! Ephemeral-static ECDH, both ways.

use crate::public_key::{fixed, parse};
use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use waxseal_smime::{Agreement, KeyAlgorithm, ProviderError};
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

/// The other side: a private key of ours and the ephemeral key of a sender. One function for
/// each curve.
macro_rules! agree_with_on {
    ($name:ident, $curve:ident) => {
        pub(crate) fn $name(
            ours: &$curve::ecdsa::SigningKey,
            theirs: &[u8],
        ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
            let theirs = $curve::PublicKey::from_sec1_bytes(theirs)
                .map_err(|_| ProviderError::BadCiphertext)?;
            let shared = $curve::ecdh::diffie_hellman(ours.as_nonzero_scalar(), theirs.as_affine());
            Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
        }
    };
}

agree_with_on!(agree_with_p256, p256);
agree_with_on!(agree_with_p384, p384);
agree_with_on!(agree_with_p521, p521);

pub(crate) fn agree_with_x25519(
    ours: &x25519_dalek::StaticSecret,
    theirs: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let theirs: [u8; 32] = theirs
        .try_into()
        .map_err(|_| ProviderError::BadCiphertext)?;
    let shared = ours.diffie_hellman(&x25519_dalek::PublicKey::from(theirs));
    // RFC 8418 §2.
    if !shared.was_contributory() {
        return Err(ProviderError::BadCiphertext);
    }
    Ok(Zeroizing::new(shared.as_bytes().to_vec()))
}
