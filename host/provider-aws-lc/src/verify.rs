//! Checks signatures. There is nothing secret here: what AWS-LC lacks, [`RustCrypto`] checks.

use crate::curve::Curve;
use crate::public_key::{PublicKey, RsaPublicKey, parse};
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY as SMALL_SHA1,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY as SMALL_SHA256,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY as SMALL_SHA512, RSA_PKCS1_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPssSaltLength, VerificationAlgorithm,
};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::DigestAlgorithm::{self, Sha1, Sha224, Sha256, Sha384, Sha512};
use waxseal_smime::{Provider, ProviderError, SignatureScheme};

pub(crate) fn verify(
    info: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    match (parse(info)?, scheme) {
        (PublicKey::Rsa(key), scheme) => {
            if let Some(parameters) = parameters(scheme, key.bits()) {
                return rsa(&key, &parameters, message, signature);
            }
        }
        (PublicKey::Elliptic(curve, point), SignatureScheme::Ecdsa(digest)) => {
            return ecdsa(curve, point, digest, message, signature);
        }
        _ => {}
    }
    RustCrypto.verify(info, scheme, message, signature)
}

/// What AWS-LC calls the scheme for a key of this size, when it has it.
fn parameters(scheme: SignatureScheme, bits: usize) -> Option<RsaParameters> {
    let (parameters, least) = match scheme {
        SignatureScheme::RsaPkcs1v15(Sha1) => (SMALL_SHA1, 1024),
        SignatureScheme::RsaPkcs1v15(Sha256) => (SMALL_SHA256, 1024),
        SignatureScheme::RsaPkcs1v15(Sha384) => (RSA_PKCS1_2048_8192_SHA384, 2048),
        SignatureScheme::RsaPkcs1v15(Sha512) => (SMALL_SHA512, 1024),
        SignatureScheme::RsaPss {
            digest,
            mask_digest,
            salt_size,
        } if digest == mask_digest => (pss(digest, salt_size)?, 2048),
        _ => return None,
    };
    (least..=8192).contains(&bits).then_some(parameters)
}

fn pss(digest: DigestAlgorithm, salt_size: usize) -> Option<RsaParameters> {
    let parameters = match digest {
        Sha256 => RSA_PSS_2048_8192_SHA256,
        Sha384 => RSA_PSS_2048_8192_SHA384,
        Sha512 => RSA_PSS_2048_8192_SHA512,
        Sha1 | Sha224 => return None,
    };
    let salt = RsaPssSaltLength::Custom(u16::try_from(salt_size).ok()?);
    Some(parameters.with_pss_salt_length(salt))
}

fn rsa(
    key: &RsaPublicKey<'_>,
    parameters: &RsaParameters,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    let verified = key.components().verify(parameters, message, signature);
    verified.map_err(|_| match RsaParameters::public_modulus_len(key.octets) {
        Ok(_) => ProviderError::BadSignature,
        Err(_) => ProviderError::MalformedKey("RSA public key".into()),
    })
}

fn ecdsa(
    curve: &'static Curve,
    point: &[u8],
    digest: DigestAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    let hash = curve.prehash(digest, message)?;
    let verified = curve
        .verification
        .verify_digest_sig(point, &hash, signature);
    verified.map_err(|_| match ParsedPublicKey::new(curve.verification, point) {
        Ok(_) => ProviderError::BadSignature,
        Err(_) => ProviderError::MalformedKey("EC public key".into()),
    })
}
