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
    // An even order lets p - 1 through, under which anything verifies.
    q.as_bytes().last().filter(|octet| *octet & 1 == 1)?;
    let q = BoxedUint::from_be_slice_vartime(q.as_bytes());
    let components = dsa::Components::from_components(p, q, g.clone()).ok()?;
    // FIPS 186-4 appendix A.2.2: the generator has the order that it should, as a key has.
    let _generator = dsa::VerifyingKey::from_components(components.clone(), g).ok()?;
    dsa::VerifyingKey::from_components(components, y).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;
    use der::asn1::{AnyRef, BitStringRef};
    use waxseal_smime::DigestAlgorithm::Sha1;

    /// A SubjectPublicKeyInfo of these numbers.
    fn info(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> Vec<u8> {
        let number = |octets| UintRef::new(octets).unwrap();
        let (p, q, g) = (number(p), number(q), number(g));
        let parameters = Parameters { p, q, g }.to_der().unwrap();
        let key = number(y).to_der().unwrap();
        let info = SubjectPublicKeyInfoRef {
            algorithm: spki::AlgorithmIdentifierRef {
                oid: const_oid::db::rfc5912::ID_DSA,
                parameters: Some(AnyRef::from_der(&parameters).unwrap()),
            },
            subject_public_key: BitStringRef::from_bytes(&key).unwrap(),
        };
        info.to_der().unwrap()
    }

    /// Numbers of a stranger: an error each time, no panic, no long wait.
    #[test]
    fn hostile_numbers_are_malformed_keys() {
        // r = s = 1.
        let signature = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01];
        let (odd, even) = ([0xff; 128], [0xfe; 128]);
        let order = [0xfd; 20];
        let minus_one = [&[0xff; 127][..], &[0xfe]].concat();
        for (what, info) in [
            ("modulus even", info(&even, &order, &[2], &[2])),
            ("modulus one", info(&[1], &order, &[2], &[2])),
            ("modulus zero", info(&[0], &order, &[2], &[2])),
            ("modulus short", info(&odd[..64], &order, &[2], &[2])),
            ("modulus huge", info(&[0xff; 100_000], &order, &[2], &[2])),
            ("order zero", info(&odd, &[0], &[2], &[2])),
            ("order one", info(&odd, &[1], &[2], &[2])),
            ("order even", info(&odd, &[0xfe; 20], &[2], &[2])),
            ("order as long as the modulus", info(&odd, &odd, &[2], &[2])),
            ("generator zero", info(&odd, &order, &[0], &[2])),
            ("generator one", info(&odd, &order, &[1], &[2])),
            ("generator above", info(&odd, &order, &[0xff; 128], &[2])),
            ("generator long", info(&odd, &order, &[0xff; 200], &[2])),
            ("key zero", info(&odd, &order, &[2], &[0])),
            ("key one", info(&odd, &order, &[2], &[1])),
            ("key above", info(&odd, &order, &[2], &[0xff; 129])),
            ("key of another order", info(&odd, &order, &[2], &[2])),
            ("order two", info(&odd, &[0xfe; 20], &minus_one, &minus_one)),
            ("no key at all", vec![0x30, 0x00]),
        ] {
            let result = verify(&info, Sha1, b"message", &signature);
            let malformed = matches!(result, Err(ProviderError::MalformedKey(_)));
            assert!(malformed, "{what}");
        }
    }
}
