//! Signature schemes as AlgorithmIdentifiers, in SignerInfo and in certificates.

use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, RsaScheme, SignatureScheme};
use crate::asn1::{Element, Reader, algorithm, context, integer, null, sequence, tag};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

/// Digests that a signature that we read may be over.
const READABLE: [DigestAlgorithm; 5] = [
    DigestAlgorithm::Sha256,
    DigestAlgorithm::Sha384,
    DigestAlgorithm::Sha512,
    DigestAlgorithm::Sha224,
    DigestAlgorithm::Sha1,
];
/// sha1WithRSASignature of the OIW, in old certificates.
const OIW_SHA_1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.29");

/// How a key of this kind signs; `None` when it cannot, or rule 11 forbids it.
pub(crate) fn scheme_for(
    key: &KeyAlgorithm,
    rsa: RsaScheme,
    digest: DigestAlgorithm,
) -> Option<SignatureScheme> {
    if !key.is_within_floor() || digest.is_weak() {
        return None;
    }
    match key {
        KeyAlgorithm::Rsa { .. } => Some(match rsa {
            RsaScheme::Pkcs1v15 => SignatureScheme::RsaPkcs1v15(digest),
            // RFC 4055 §3.1: a salt of the digest's size.
            RsaScheme::Pss => SignatureScheme::RsaPss {
                digest,
                mask_digest: digest,
                salt_size: digest.output_size(),
            },
        }),
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
            Some(SignatureScheme::Ecdsa(digest))
        }
        KeyAlgorithm::Ed25519 => Some(SignatureScheme::Ed25519),
        KeyAlgorithm::X25519 | KeyAlgorithm::Dsa | KeyAlgorithm::Other(_) => None,
    }
}

/// The digest that goes with a scheme. Ed25519 means SHA-512 (RFC 8419 §3.1).
pub(crate) fn digest_of(scheme: SignatureScheme) -> DigestAlgorithm {
    match scheme {
        SignatureScheme::RsaPkcs1v15(digest)
        | SignatureScheme::RsaPss { digest, .. }
        | SignatureScheme::Ecdsa(digest)
        | SignatureScheme::Dsa(digest) => digest,
        SignatureScheme::Ed25519 => DigestAlgorithm::Sha512,
    }
}

/// AlgorithmIdentifier of a digest in CMS (RFC 5754 §2: parameters absent).
pub(crate) fn digest_identifier(digest: DigestAlgorithm) -> Vec<u8> {
    algorithm(digest.oid(), &[])
}

/// AlgorithmIdentifier in SignerInfo. PKCS #1 v1.5 is rsaEncryption, which RFC 3370 §3.2 makes
/// everybody read.
pub(crate) fn signer_info_identifier(scheme: SignatureScheme) -> Vec<u8> {
    match scheme {
        SignatureScheme::RsaPkcs1v15(_) => algorithm(rfc5912::RSA_ENCRYPTION, &null()),
        other => certificate_identifier(other),
    }
}

/// AlgorithmIdentifier in a certificate.
pub(crate) fn certificate_identifier(scheme: SignatureScheme) -> Vec<u8> {
    match scheme {
        SignatureScheme::RsaPkcs1v15(digest) => algorithm(with_rsa(digest), &null()),
        SignatureScheme::RsaPss {
            digest,
            mask_digest,
            salt_size,
        } => algorithm(
            rfc5912::ID_RSASSA_PSS,
            &pss_parameters(digest, mask_digest, salt_size),
        ),
        // RFC 5480, RFC 8410 §3: parameters absent.
        SignatureScheme::Ecdsa(digest) => algorithm(with_ecdsa(digest), &[]),
        SignatureScheme::Ed25519 => algorithm(rfc8410::ID_ED_25519, &[]),
        // RFC 3370 §3.1.
        SignatureScheme::Dsa(digest) => algorithm(with_dsa(digest), &[]),
    }
}

fn with_rsa(digest: DigestAlgorithm) -> ObjectIdentifier {
    match digest {
        DigestAlgorithm::Sha256 => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        DigestAlgorithm::Sha384 => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        DigestAlgorithm::Sha512 => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        DigestAlgorithm::Sha1 => rfc5912::SHA_1_WITH_RSA_ENCRYPTION,
        DigestAlgorithm::Sha224 => rfc5912::SHA_224_WITH_RSA_ENCRYPTION,
    }
}

fn with_ecdsa(digest: DigestAlgorithm) -> ObjectIdentifier {
    match digest {
        DigestAlgorithm::Sha256 => rfc5912::ECDSA_WITH_SHA_256,
        DigestAlgorithm::Sha384 => rfc5912::ECDSA_WITH_SHA_384,
        DigestAlgorithm::Sha512 => rfc5912::ECDSA_WITH_SHA_512,
        DigestAlgorithm::Sha1 => ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
        DigestAlgorithm::Sha224 => rfc5912::ECDSA_WITH_SHA_224,
    }
}

/// RFC 3370 §3.1, RFC 5758 §3.1. Nobody signs mail with DSA and a longer digest.
fn with_dsa(digest: DigestAlgorithm) -> ObjectIdentifier {
    match digest {
        DigestAlgorithm::Sha1 => rfc5912::DSA_WITH_SHA_1,
        DigestAlgorithm::Sha224 => rfc5912::DSA_WITH_SHA_224,
        // Sha256 is the first that is found by this identifier.
        _ => rfc5912::DSA_WITH_SHA_256,
    }
}

/// AlgorithmIdentifier of a digest inside RSA parameters (RFC 4055 §2.1: parameters NULL).
pub(crate) fn digest_in_rsa(digest: DigestAlgorithm) -> Vec<u8> {
    algorithm(digest.oid(), &null())
}

/// AlgorithmIdentifier of MGF1 with a digest (RFC 4055 §2.2).
pub(crate) fn mask_generation(digest: DigestAlgorithm) -> Vec<u8> {
    algorithm(rfc5912::ID_MGF_1, &digest_in_rsa(digest))
}

/// RSASSA-PSS-params (RFC 4055 §3.1), all explicit but the trailer, which DER leaves out as the
/// default.
fn pss_parameters(
    digest: DigestAlgorithm,
    mask_digest: DigestAlgorithm,
    salt_size: usize,
) -> Vec<u8> {
    // The salt sizes here are digest sizes.
    let salt = integer(u8::try_from(salt_size).unwrap_or(0x7f));
    sequence(&[
        &context(0, &[&digest_in_rsa(digest)]),
        &context(1, &[&mask_generation(mask_digest)]),
        &context(2, &[&salt]),
    ])
}

/// What an AlgorithmIdentifier means for a key. `digest` is the one that stands beside it in
/// SignerInfo, for the identifiers that name none. `None` for what does not parse, does not go
/// with the key, or is no algorithm of rule 11. What rule 11 has for reading only is among the
/// answers: ask [`SignatureScheme::is_weak`].
pub fn signature_scheme(
    identifier: &[u8],
    key: &KeyAlgorithm,
    digest: Option<DigestAlgorithm>,
) -> Option<SignatureScheme> {
    let mut fields = Element::only(identifier).ok()?.children();
    let oid = fields.object_identifier().ok()?;
    let named_by = |oid_of: fn(DigestAlgorithm) -> ObjectIdentifier| {
        READABLE.into_iter().find(|digest| oid_of(*digest) == oid)
    };
    match (key, oid) {
        // RFC 3370 §3.2, RFC 5754 §3.2.
        (KeyAlgorithm::Rsa { .. }, rfc5912::RSA_ENCRYPTION) => {
            digest.map(SignatureScheme::RsaPkcs1v15)
        }
        (KeyAlgorithm::Rsa { .. }, rfc5912::ID_RSASSA_PSS) => parse_pss(fields),
        (KeyAlgorithm::Rsa { .. }, OIW_SHA_1_WITH_RSA) => {
            Some(SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha1))
        }
        (KeyAlgorithm::Rsa { .. }, _) => named_by(with_rsa).map(SignatureScheme::RsaPkcs1v15),
        // Some writers put the identifier of the key here.
        (
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521,
            rfc5912::ID_EC_PUBLIC_KEY,
        ) => digest.map(SignatureScheme::Ecdsa),
        (KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521, _) => {
            named_by(with_ecdsa).map(SignatureScheme::Ecdsa)
        }
        (KeyAlgorithm::Ed25519, rfc8410::ID_ED_25519) => Some(SignatureScheme::Ed25519),
        // RFC 3370 §3.1 lets id-dsa stand for the whole.
        (KeyAlgorithm::Dsa, rfc5912::ID_DSA) => digest.map(SignatureScheme::Dsa),
        (KeyAlgorithm::Dsa, _) => named_by(with_dsa).map(SignatureScheme::Dsa),
        _ => None,
    }
}

/// The name of what an AlgorithmIdentifier stands for, or its object identifier.
pub(crate) fn name_of(identifier: &[u8]) -> String {
    // The name depends on no size, curve or digest.
    let keys = [
        KeyAlgorithm::Rsa { bits: 2048 },
        KeyAlgorithm::EcP256,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Dsa,
    ];
    let digest = Some(DigestAlgorithm::Sha256);
    let scheme = keys
        .iter()
        .find_map(|key| signature_scheme(identifier, key, digest));
    let oid = || Element::only(identifier).and_then(|whole| whole.children().object_identifier());
    match scheme {
        Some(SignatureScheme::RsaPkcs1v15(_)) => "rsa-pkcs1v15".into(),
        Some(SignatureScheme::RsaPss { .. }) => "rsa-pss".into(),
        Some(SignatureScheme::Ecdsa(_)) => "ecdsa".into(),
        Some(SignatureScheme::Ed25519) => "ed25519".into(),
        Some(SignatureScheme::Dsa(_)) => "dsa".into(),
        None => oid().map_or_else(|_| "malformed".into(), |oid| oid.to_string()),
    }
}

/// The one way in which a public key for PSS alone may sign, if it says (RFC 4055 §3.1): the
/// digests are fixed, and the salt is at least as long as stated.
pub(crate) fn restriction_of(public_key_info: &[u8]) -> Option<SignatureScheme> {
    let mut algorithm = Element::only(public_key_info)
        .ok()?
        .children()
        .sequence()
        .ok()?;
    let oid = algorithm.object_identifier().ok()?;
    (oid == rfc5912::ID_RSASSA_PSS)
        .then(|| parse_pss(algorithm))
        .flatten()
}

/// Whether a public key for PSS alone may sign so.
pub(crate) fn is_within_restriction(scheme: SignatureScheme, public_key_info: &[u8]) -> bool {
    let parts = |scheme| match scheme {
        SignatureScheme::RsaPss {
            digest,
            mask_digest,
            salt_size,
        } => Some(((digest, mask_digest), salt_size)),
        _ => None,
    };
    let only = restriction_of(public_key_info).and_then(parts);
    parts(scheme).is_some_and(|(digests, salt_size)| {
        only.is_none_or(|(only, least)| digests == only && salt_size >= least)
    })
}

/// RSASSA-PSS-params (RFC 4055 §3.1): absent fields mean SHA-1, MGF1 with SHA-1, and 20 octets
/// of salt.
fn parse_pss(mut fields: Reader<'_>) -> Option<SignatureScheme> {
    let mut parameters = fields.sequence().ok()?;
    let digest = match parameters.optional(tag::context(0)).ok()? {
        Some(hash) => digest_named(hash.children().sequence().ok()?)?,
        None => DigestAlgorithm::Sha1,
    };
    let mask_digest = match parameters.optional(tag::context(1)).ok()? {
        Some(mask) => {
            let mut mask = mask.children().sequence().ok()?;
            let is_mgf1 = mask.object_identifier().ok()? == rfc5912::ID_MGF_1;
            digest_named(mask.sequence().ok()?).filter(|_| is_mgf1)?
        }
        None => DigestAlgorithm::Sha1,
    };
    let salt_size = match parameters.optional(tag::context(2)).ok()? {
        Some(salt) => small(salt)?,
        None => 20,
    };
    // The trailer field has one value only (RFC 8017 appendix A.2.3).
    let trailer = match parameters.optional(tag::context(3)).ok()? {
        Some(trailer) => small(trailer)?,
        None => 1,
    };
    let usable = trailer == 1 && parameters.is_empty();
    usable.then_some(SignatureScheme::RsaPss {
        digest,
        mask_digest,
        salt_size,
    })
}

fn digest_named(mut algorithm: Reader<'_>) -> Option<DigestAlgorithm> {
    DigestAlgorithm::readable(algorithm.object_identifier().ok()?)
}

/// The INTEGER from 0 to 32767 under an explicit tag. No modulus has room for more salt.
fn small(explicit: Element<'_>) -> Option<usize> {
    match explicit.children().expect(tag::INTEGER).ok()?.value {
        [low @ 0..=0x7f] => Some(usize::from(*low)),
        [high @ 0..=0x7f, low] => Some(usize::from(*high) << 8 | usize::from(*low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_parse_back() {
        let rsa = KeyAlgorithm::Rsa { bits: 2048 };
        for digest in DigestAlgorithm::ALL.iter().copied() {
            for (key, rsa_scheme) in [
                (&rsa, RsaScheme::Pkcs1v15),
                (&rsa, RsaScheme::Pss),
                (&KeyAlgorithm::EcP384, RsaScheme::Pss),
                (&KeyAlgorithm::Ed25519, RsaScheme::Pss),
            ] {
                let scheme = scheme_for(key, rsa_scheme, digest).unwrap();
                let in_cms = signature_scheme(&signer_info_identifier(scheme), key, Some(digest));
                assert_eq!(in_cms, Some(scheme));
                let in_certificate = signature_scheme(&certificate_identifier(scheme), key, None);
                assert_eq!(in_certificate, Some(scheme));
            }
        }
    }

    #[test]
    fn rule_11_what_is_old_is_read_as_weak_and_never_written() {
        use DigestAlgorithm::{Sha1, Sha224, Sha256};
        let rsa = KeyAlgorithm::Rsa { bits: 2048 };
        let (ec, dsa) = (KeyAlgorithm::EcP256, KeyAlgorithm::Dsa);
        let pss = algorithm(rfc5912::ID_RSASSA_PSS, &sequence(&[]));
        let oiw = algorithm(OIW_SHA_1_WITH_RSA, &null());
        let id_dsa = algorithm(rfc5912::ID_DSA, &[]);
        for (identifier, key, digest, expected) in [
            (
                algorithm(with_rsa(Sha1), &null()),
                &rsa,
                None,
                SignatureScheme::RsaPkcs1v15(Sha1),
            ),
            (oiw, &rsa, None, SignatureScheme::RsaPkcs1v15(Sha1)),
            (
                pss,
                &rsa,
                Some(Sha256),
                SignatureScheme::RsaPss {
                    digest: Sha1,
                    mask_digest: Sha1,
                    salt_size: 20,
                },
            ),
            (
                algorithm(with_ecdsa(Sha224), &[]),
                &ec,
                None,
                SignatureScheme::Ecdsa(Sha224),
            ),
            (id_dsa, &dsa, Some(Sha256), SignatureScheme::Dsa(Sha256)),
            (
                algorithm(with_dsa(Sha256), &[]),
                &dsa,
                Some(Sha1),
                SignatureScheme::Dsa(Sha256),
            ),
        ] {
            let found = signature_scheme(&identifier, key, digest);
            assert_eq!(found, Some(expected));
            assert!(expected.is_weak());
        }
        for (key, digest) in [(&rsa, Sha1), (&ec, Sha224), (&dsa, Sha256)] {
            assert_eq!(scheme_for(key, RsaScheme::Pkcs1v15, digest), None);
            assert_eq!(scheme_for(key, RsaScheme::Pss, digest), None);
        }
        let x25519 = scheme_for(&KeyAlgorithm::X25519, RsaScheme::Pss, Sha256);
        assert_eq!(x25519, None);
    }

    #[test]
    fn what_does_not_go_with_the_key_is_no_scheme() {
        let rsa = KeyAlgorithm::Rsa { bits: 2048 };
        let with_md5 = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4");
        for (identifier, key) in [
            (algorithm(with_md5, &null()), &rsa),
            (algorithm(rfc5912::RSA_ENCRYPTION, &null()), &rsa),
            (algorithm(rfc5912::ECDSA_WITH_SHA_256, &[]), &rsa),
            (
                algorithm(rfc5912::SHA_256_WITH_RSA_ENCRYPTION, &null()),
                &KeyAlgorithm::EcP256,
            ),
            (algorithm(rfc8410::ID_ED_25519, &[]), &KeyAlgorithm::X25519),
            (vec![0x30, 0x03, 0x06, 0x09], &rsa),
        ] {
            assert_eq!(signature_scheme(&identifier, key, None), None);
        }
    }
}
