//! SHA-2 as a stream, and for reading SHA-1.

use sha2::Digest;
use waxseal_smime::{DigestAlgorithm, Hasher};

struct Sha<D>(D);

impl<D: Digest> Hasher for Sha<D> {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

pub(crate) fn hasher(algorithm: DigestAlgorithm) -> Box<dyn Hasher> {
    match algorithm {
        DigestAlgorithm::Sha256 => Box::new(Sha(sha2::Sha256::new())),
        DigestAlgorithm::Sha384 => Box::new(Sha(sha2::Sha384::new())),
        DigestAlgorithm::Sha512 => Box::new(Sha(sha2::Sha512::new())),
        DigestAlgorithm::Sha1 => Box::new(Sha(sha1::Sha1::new())),
        DigestAlgorithm::Sha224 => Box::new(Sha(sha2::Sha224::new())),
    }
}

/// The digest of the message at once.
pub(crate) fn digest(algorithm: DigestAlgorithm, message: &[u8]) -> Vec<u8> {
    let mut hasher = hasher(algorithm);
    hasher.update(message);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        let hex = |octets: Vec<u8>| -> String {
            octets
                .iter()
                .take(4)
                .map(|octet| format!("{octet:02x}"))
                .collect()
        };
        assert_eq!(hex(digest(DigestAlgorithm::Sha256, b"")), "e3b0c442");
        assert_eq!(hex(digest(DigestAlgorithm::Sha384, b"")), "38b060a7");
        assert_eq!(hex(digest(DigestAlgorithm::Sha512, b"")), "cf83e135");
    }
}
