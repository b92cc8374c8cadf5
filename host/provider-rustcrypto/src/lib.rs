//! Cryptography by the RustCrypto crates, behind [`waxseal_smime::Provider`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

use waxseal_smime::{
    Agreement, ContentCipher, DigestAlgorithm, Hasher, KeyAlgorithm, KeyDerivation, KeyTransport,
    PrivateKey, Provider, ProviderError, SignatureScheme,
};
use zeroize::Zeroizing;

/// The provider. It holds no state; randomness comes from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

struct Sha(sha2::Sha256);

impl Hasher for Sha {
    fn update(&mut self, octets: &[u8]) {
        sha2::Digest::update(&mut self.0, octets);
    }
    fn finish(self: Box<Self>) -> Vec<u8> {
        sha2::Digest::finalize(self.0).to_vec()
    }
}

fn not_built<T>() -> Result<T, ProviderError> {
    Err(ProviderError::Unsupported("not built yet".into()))
}

impl Provider for RustCrypto {
    fn random(&self, _: &mut [u8]) -> Result<(), ProviderError> {
        not_built()
    }
    fn hasher(&self, _: DigestAlgorithm) -> Box<dyn Hasher> {
        Box::new(Sha(sha2::Digest::new()))
    }
    fn verify(
        &self,
        _: &[u8],
        _: SignatureScheme,
        _: &[u8],
        _: &[u8],
    ) -> Result<(), ProviderError> {
        not_built()
    }
    fn encrypt_content(
        &self,
        _: ContentCipher,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &mut Vec<u8>,
    ) -> Result<Option<[u8; 16]>, ProviderError> {
        not_built()
    }
    fn transport_key(&self, _: &[u8], _: KeyTransport, _: &[u8]) -> Result<Vec<u8>, ProviderError> {
        not_built()
    }
    fn agree(&self, _: &[u8]) -> Result<Agreement, ProviderError> {
        not_built()
    }
    fn derive_key(
        &self,
        _: KeyDerivation,
        _: &[u8],
        _: &[u8],
        _: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        not_built()
    }
    fn wrap_key(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, ProviderError> {
        not_built()
    }
    fn load_key(&self, _: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
        not_built()
    }
    fn generate_key(&self, _: &KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        not_built()
    }
}
