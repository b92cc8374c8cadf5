//! SHA-2 as a stream, for reading SHA-1, and what is made of digests.

use sha2::Digest;
use waxseal_smime::{DigestAlgorithm, Hasher};
use zeroize::Zeroizing;

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

/// The digest as ECDSA on a curve of this many octets takes it: RFC 6979 §2.3.2 reads a short one
/// as the number it is, the crates refuse it.
pub(crate) fn prehash(algorithm: DigestAlgorithm, message: &[u8], size: usize) -> Vec<u8> {
    let mut hash = digest(algorithm, message);
    let missing = size.saturating_sub(hash.len());
    hash.splice(..0, std::iter::repeat_n(0, missing));
    hash
}

/// MGF1 (RFC 8017 appendix B.2.1), exclusive-ored into `out`.
pub(crate) fn mask(algorithm: DigestAlgorithm, seed: &[u8], out: &mut [u8]) {
    for (counter, piece) in (0u32..).zip(out.chunks_mut(algorithm.output_size())) {
        let input = Zeroizing::new([seed, &counter.to_be_bytes()].concat());
        let mask = Zeroizing::new(digest(algorithm, &input));
        for (octet, mask) in piece.iter_mut().zip(mask.iter()) {
            *octet ^= mask;
        }
    }
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

    #[test]
    fn a_short_digest_is_a_number() {
        let hash = prehash(DigestAlgorithm::Sha256, b"", 66);
        assert_eq!((hash.len(), &hash[..34]), (66, &[0; 34][..]));
        assert_eq!(hash[34..], digest(DigestAlgorithm::Sha256, b""));
        let long = prehash(DigestAlgorithm::Sha512, b"", 32);
        assert_eq!(long, digest(DigestAlgorithm::Sha512, b""));
    }
}
