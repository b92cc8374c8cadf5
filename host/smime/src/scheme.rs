//! Signature schemes as AlgorithmIdentifiers, in SignerInfo and in certificates.

use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, RsaScheme, SignatureScheme};
use crate::asn1::{Element, Malformed, Reader, algorithm, context, integer, null, sequence, tag};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

/// How a key of this kind signs; `None` when it cannot, or rule 11 forbids it.
pub(crate) fn scheme_for(
    key: &KeyAlgorithm,
    rsa: RsaScheme,
    digest: DigestAlgorithm,
) -> Option<SignatureScheme> {
    if !key.is_within_floor() {
        return None;
    }
    match key {
        KeyAlgorithm::Rsa { .. } => Some(match rsa {
            RsaScheme::Pkcs1v15 => SignatureScheme::RsaPkcs1v15(digest),
            // RFC 4055 §3.1: a salt of the digest's size.
            RsaScheme::Pss => SignatureScheme::RsaPss {
                digest,
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
        SignatureScheme::RsaPss { digest, salt_size } => {
            algorithm(rfc5912::ID_RSASSA_PSS, &pss_parameters(digest, salt_size))
        }
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
fn pss_parameters(digest: DigestAlgorithm, salt_size: usize) -> Vec<u8> {
    // The salt sizes here are digest sizes.
    let salt = integer(u8::try_from(salt_size).unwrap_or(0x7f));
    sequence(&[
        &context(0, &[&digest_in_rsa(digest)]),
        &context(1, &[&mask_generation(digest)]),
        &context(2, &[&salt]),
    ])
}

/// What an AlgorithmIdentifier means for a key. `digest` is the one that stands beside it in
/// SignerInfo, for the identifiers that name none. `None` for what rule 11 does not know.
pub(crate) fn parse(
    identifier: &[u8],
    key: &KeyAlgorithm,
    digest: Option<DigestAlgorithm>,
) -> Result<Option<SignatureScheme>, Malformed> {
    let mut fields = Element::only(identifier)?.children();
    let oid = fields.object_identifier()?;
    let is_rsa = matches!(key, KeyAlgorithm::Rsa { .. });
    let is_ec = matches!(
        key,
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521
    );
    let all = DigestAlgorithm::ALL.iter().copied();
    if is_rsa && oid == rfc5912::RSA_ENCRYPTION {
        return Ok(digest.map(SignatureScheme::RsaPkcs1v15));
    }
    if is_rsa && oid == rfc5912::ID_RSASSA_PSS {
        return parse_pss(fields);
    }
    if is_rsa {
        let found = all.clone().find(|digest| with_rsa(*digest) == oid);
        return Ok(found.map(SignatureScheme::RsaPkcs1v15));
    }
    if is_ec {
        let found = all.clone().find(|digest| with_ecdsa(*digest) == oid);
        return Ok(found.map(SignatureScheme::Ecdsa));
    }
    let edwards = *key == KeyAlgorithm::Ed25519 && oid == rfc8410::ID_ED_25519;
    Ok(edwards.then_some(SignatureScheme::Ed25519))
}

/// The one way in which a public key for PSS alone may sign, if it says (RFC 4055 §3.1). The
/// digest is fixed; the salt is at least as long as stated, and ours is as long as the digest.
pub(crate) fn restriction_of(public_key_info: &[u8]) -> Option<DigestAlgorithm> {
    let mut algorithm = Element::only(public_key_info)
        .ok()?
        .children()
        .sequence()
        .ok()?;
    if algorithm.object_identifier().ok()? != rfc5912::ID_RSASSA_PSS {
        return None;
    }
    parse_pss(algorithm).ok().flatten().map(digest_of)
}

/// Absent fields mean SHA-1, which is below the floor.
fn parse_pss(mut fields: Reader<'_>) -> Result<Option<SignatureScheme>, Malformed> {
    let mut parameters = fields.sequence()?;
    let (Some(hash), Some(mask), Some(salt)) = (
        parameters.optional(tag::context(0))?,
        parameters.optional(tag::context(1))?,
        parameters.optional(tag::context(2))?,
    ) else {
        return Ok(None);
    };
    let digest = DigestAlgorithm::from_oid(hash.children().sequence()?.object_identifier()?);
    let mut mask = mask.children().sequence()?;
    let is_mgf1 = mask.object_identifier()? == rfc5912::ID_MGF_1;
    let mask_digest = DigestAlgorithm::from_oid(mask.sequence()?.object_identifier()?);
    let salt = match salt.children().expect(tag::INTEGER)?.value {
        [size] => usize::from(*size),
        _ => return Ok(None),
    };
    let usable = is_mgf1 && mask_digest == digest;
    Ok(digest
        .filter(|_| usable)
        .map(|digest| SignatureScheme::RsaPss {
            digest,
            salt_size: salt,
        }))
}

/// The name of a signature algorithm for people, or its object identifier.
pub(crate) fn name_of(identifier: &[u8]) -> String {
    let oid = Element::only(identifier).and_then(|whole| whole.children().object_identifier());
    match oid {
        Ok(rfc5912::RSA_ENCRYPTION) => "rsa-pkcs1v15".into(),
        Ok(rfc5912::ID_RSASSA_PSS) => "rsa-pss".into(),
        Ok(rfc8410::ID_ED_25519) => "ed25519".into(),
        Ok(oid) => const_name(oid),
        Err(_) => "malformed".into(),
    }
}

fn const_name(oid: ObjectIdentifier) -> String {
    for digest in DigestAlgorithm::ALL {
        if oid == with_rsa(*digest) {
            return "rsa-pkcs1v15".into();
        }
        if oid == with_ecdsa(*digest) {
            return "ecdsa".into();
        }
    }
    oid.to_string()
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
                let in_cms = parse(&signer_info_identifier(scheme), key, Some(digest));
                assert_eq!(in_cms, Ok(Some(scheme)));
                assert_eq!(
                    parse(&certificate_identifier(scheme), key, None),
                    Ok(Some(scheme))
                );
            }
        }
    }

    #[test]
    fn rule_11_sha_1_is_no_scheme() {
        let rsa = KeyAlgorithm::Rsa { bits: 2048 };
        let sha1_with_rsa = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
        assert_eq!(
            parse(&algorithm(sha1_with_rsa, &null()), &rsa, None),
            Ok(None)
        );
        let default_pss = algorithm(rfc5912::ID_RSASSA_PSS, &sequence(&[]));
        assert_eq!(parse(&default_pss, &rsa, None), Ok(None));
        assert_eq!(
            scheme_for(
                &KeyAlgorithm::X25519,
                RsaScheme::Pss,
                DigestAlgorithm::Sha256
            ),
            None
        );
    }
}
