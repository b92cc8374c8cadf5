//! Checks DSA signatures, for old mail and old certificates (RFC 3370 §3.1).
//!
//! A key must bring its parameters: RFC 3279 §2.3.2 lets a certificate leave them out and mean
//! its issuer's, and then the caller puts them in. Their sizes are those of FIPS 186 from 1024
//! bits up, which bounds the time; numbers are given the width of the modulus before the crate
//! computes with them.

use crate::digest::digest;
use der::Decode;
use der::asn1::UintRef;
use dsa::signature::hazmat::PrehashVerifier;
use rsa::BoxedUint;
use spki::SubjectPublicKeyInfoRef;
use waxseal_smime::{DigestAlgorithm, ProviderError};

/// Octets of the longest modulus.
const LONGEST: usize = 3072 / 8;
/// Octets of the longest Dss-Sig-Value: two numbers of 256 bits.
const LONGEST_SIGNATURE: usize = 72;

/// Dss-Parms (RFC 3279 §2.3.2).
#[derive(der::Sequence)]
struct Parameters<'a> {
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
}

pub(crate) fn verify(
    info: &[u8],
    algorithm: DigestAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), ProviderError> {
    let key = key(info).ok_or_else(|| ProviderError::MalformedKey("DSA public key".into()))?;
    let bad = ProviderError::BadSignature;
    if signature.len() > LONGEST_SIGNATURE {
        return Err(bad);
    }
    let signature = dsa::Signature::try_from(signature).map_err(|_| bad.clone())?;
    key.verify_prehash(&digest(algorithm, message), &signature)
        .map_err(|_| bad)
}

fn key(info: &[u8]) -> Option<dsa::VerifyingKey> {
    let info = SubjectPublicKeyInfoRef::from_der(info).ok()?;
    if info.algorithm.oid != const_oid::db::rfc5912::ID_DSA {
        return None;
    }
    let Parameters { p, q, g } = info.algorithm.parameters?.decode_as().ok()?;
    let y = UintRef::from_der(info.subject_public_key.as_bytes()?).ok()?;
    let size = p.as_bytes().len();
    if size > LONGEST {
        return None;
    }
    let width = u32::try_from(size * 8).ok()?;
    let wide = |number: UintRef<'_>| BoxedUint::from_be_slice(number.as_bytes(), width).ok();
    let (p, g, y) = (wide(p)?, wide(g)?, wide(y)?);
    if q.as_bytes().len() >= size || y >= p {
        return None;
    }
    let q = BoxedUint::from_be_slice_vartime(q.as_bytes());
    let components = dsa::Components::from_components(p, q, g).ok()?;
    dsa::VerifyingKey::from_components(components, y).ok()
}
