//! The curves of the NIST, under the names that AWS-LC has for them.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521};
use aws_lc_rs::digest::{self, Digest, MAX_OUTPUT_LEN, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use waxseal_smime::{DigestAlgorithm, KeyAlgorithm, ProviderError};

pub(crate) struct Curve {
    pub(crate) key_algorithm: KeyAlgorithm,
    oid: ObjectIdentifier,
    pub(crate) signing: &'static EcdsaSigningAlgorithm,
    pub(crate) verification: &'static EcdsaVerificationAlgorithm,
    pub(crate) agreement: &'static agreement::Algorithm,
    /// The digest that both ECDSA algorithms name.
    digest: &'static digest::Algorithm,
}

static CURVES: [Curve; 3] = [
    Curve {
        key_algorithm: KeyAlgorithm::EcP256,
        oid: rfc5912::SECP_256_R_1,
        signing: &ECDSA_P256_SHA256_ASN1_SIGNING,
        verification: &ECDSA_P256_SHA256_ASN1,
        agreement: &ECDH_P256,
        digest: &SHA256,
    },
    Curve {
        key_algorithm: KeyAlgorithm::EcP384,
        oid: rfc5912::SECP_384_R_1,
        signing: &ECDSA_P384_SHA384_ASN1_SIGNING,
        verification: &ECDSA_P384_SHA384_ASN1,
        agreement: &ECDH_P384,
        digest: &SHA384,
    },
    Curve {
        key_algorithm: KeyAlgorithm::EcP521,
        oid: rfc5912::SECP_521_R_1,
        signing: &ECDSA_P521_SHA512_ASN1_SIGNING,
        verification: &ECDSA_P521_SHA512_ASN1,
        agreement: &ECDH_P521,
        digest: &SHA512,
    },
];

impl Curve {
    pub(crate) fn with_oid(oid: ObjectIdentifier) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.oid == oid)
    }

    pub(crate) fn of(algorithm: &KeyAlgorithm) -> Option<&'static Self> {
        CURVES
            .iter()
            .find(|curve| curve.key_algorithm == *algorithm)
    }

    /// The digest of a message as a digest of this curve's algorithms. AWS-LC pairs each curve
    /// with few digests, ECDSA with every one: it takes the leftmost octets of a long digest, and
    /// a short one as the number that it is (FIPS 186-5 §6.4.1, SEC 1 §4.1.3).
    pub(crate) fn prehash(
        &self,
        algorithm: DigestAlgorithm,
        message: &[u8],
    ) -> Result<Digest, ProviderError> {
        let hash = crate::digest::digest(algorithm, message);
        let hash = hash.as_ref();
        let size = self.digest.output_len();
        let taken = hash.len().min(size);
        let mut octets = [0; MAX_OUTPUT_LEN];
        octets[size - taken..size].copy_from_slice(&hash[..taken]);
        Digest::import_less_safe(&octets[..size], self.digest)
            .map_err(|_| ProviderError::Failed("ECDSA digest"))
    }
}

/// SEC 1 §2.3.3: compressed or uncompressed. AWS-LC would take a SubjectPublicKeyInfo too.
pub(crate) fn is_point(octets: &[u8]) -> bool {
    matches!(octets.first(), Some(2..=4))
}
