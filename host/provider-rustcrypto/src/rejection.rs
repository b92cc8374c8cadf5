//! What stands in for the content key of a bad RSA ciphertext (implicit rejection). Shared, so
//! that every provider gives the same octets for the same key and ciphertext.

use crate::derivation::derive;
use sha2::{Digest, Sha256};
use waxseal_smime::{DigestAlgorithm, KeyDerivation, ProviderError};
use zeroize::Zeroizing;

/// Known only to the holder of the key, and of no use for anything else. Wiped when dropped.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Of the private exponent, in a key whose modulus has this many octets.
    pub fn new(exponent: &[u8], modulus_size: usize) -> Self {
        let leading = vec![0; modulus_size.saturating_sub(exponent.len())];
        let digest = Sha256::new().chain_update(leading).chain_update(exponent);
        let mut secret = Zeroizing::new([0; 32]);
        digest.finalize_into((&mut *secret).into());
        Self(secret)
    }

    /// Octets that only the holder of the key can tell from a content key, the same ones for the
    /// same ciphertext.
    pub fn instead(
        &self,
        encrypted: &[u8],
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let derivation = KeyDerivation::Hkdf {
            digest: DigestAlgorithm::Sha256,
            salt: encrypted,
        };
        derive(derivation, self.0.as_ref(), b"implicit rejection", size)
            .map_err(|_| ProviderError::Failed("size of the content key"))
    }
}
