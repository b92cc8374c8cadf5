//! SHA-2 as a stream and at once, and SHA-1 for reading.

use aws_lc_rs::digest::{
    self, Algorithm, Context, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512,
};
use waxseal_smime::{DigestAlgorithm, Hasher};

struct Sha(Context);

impl Hasher for Sha {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

pub(crate) fn hasher(algorithm: DigestAlgorithm) -> Box<dyn Hasher> {
    Box::new(Sha(Context::new(named(algorithm))))
}

/// The digest of the message at once.
pub(crate) fn digest(algorithm: DigestAlgorithm, message: &[u8]) -> Digest {
    digest::digest(named(algorithm), message)
}

fn named(algorithm: DigestAlgorithm) -> &'static Algorithm {
    match algorithm {
        DigestAlgorithm::Sha256 => &SHA256,
        DigestAlgorithm::Sha384 => &SHA384,
        DigestAlgorithm::Sha512 => &SHA512,
        DigestAlgorithm::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha224 => &SHA224,
    }
}
