//! Cryptography by the RustCrypto crates, behind [`waxseal_smime::Provider`].
//!
//! RSA 2048–8192 (PKCS #1 v1.5, PSS, OAEP), ECDSA and ECDH on P-256, P-384 and P-521, Ed25519,
//! X25519, AES-CBC, AES-GCM, AES key wrap, SHA-2, HKDF, PBKDF2 and the KDF of ANSI X9.63. For
//! reading only: RSA from 1024 bits and up to 16384, SHA-1 and SHA-224, DSA, triple DES with its
//! key wrap, RC2, the key wrap of password recipients.
//!
//! Decryption has one error, [`ProviderError::BadCiphertext`], and leaves nothing of the plain
//! text behind it. RSA key transport never fails on a bad ciphertext: it gives a pseudorandom
//! key (implicit rejection).
//!
//! Randomness is the operating system's; when it gives none, the call fails with
//! [`ProviderError::NoRandomness`]. Private keys are wiped when dropped. An error never says
//! more of a key than its kind.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod agreement;
mod content;
mod derivation;
mod digest;
mod dsa;
mod gcm;
mod generate;
mod key;
pub mod padding;
mod pss;
mod public_key;
pub mod rejection;
mod representative;
mod transport;
mod verify;
mod wrap;

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use waxseal_smime::{
    Agreement, ContentCipher, DigestAlgorithm, Hasher, KeyAlgorithm, KeyDerivation, KeyTransport,
    KeyWrap, PrivateKey, Provider, ProviderError, SignatureScheme,
};
use zeroize::Zeroizing;

/// The provider. It holds no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl Provider for RustCrypto {
    fn random(&self, out: &mut [u8]) -> Result<(), ProviderError> {
        SysRng
            .try_fill_bytes(out)
            .map_err(|_| ProviderError::NoRandomness)
    }

    fn hasher(&self, algorithm: DigestAlgorithm) -> Box<dyn Hasher> {
        digest::hasher(algorithm)
    }

    fn verify(
        &self,
        public_key_info: &[u8],
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ProviderError> {
        verify::verify(public_key_info, scheme, message, signature)
    }

    fn encrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<Option<[u8; 16]>, ProviderError> {
        content::encrypt(cipher, key, nonce, associated, buffer)
    }

    fn transport_key(
        &self,
        public_key_info: &[u8],
        transport: KeyTransport,
        content_key: &[u8],
    ) -> Result<Vec<u8>, ProviderError> {
        transport::encrypt(&public_key::rsa(public_key_info)?, transport, content_key)
    }

    fn agree(&self, public_key_info: &[u8]) -> Result<Agreement, ProviderError> {
        agreement::agree(public_key_info)
    }

    fn derive_key(
        &self,
        derivation: KeyDerivation<'_>,
        secret: &[u8],
        info: &[u8],
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        derivation::derive(derivation, secret, info, size)
    }

    fn wrap_key(&self, wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError> {
        wrap::wrap(wrapping_key, content_key)
    }

    fn decrypt_content(
        &self,
        cipher: ContentCipher,
        key: &[u8],
        nonce: &[u8],
        associated: &[u8],
        tag: Option<&[u8]>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), ProviderError> {
        content::decrypt(cipher, key, nonce, associated, tag, buffer)
    }

    fn unwrap_key(
        &self,
        wrap: &KeyWrap,
        wrapping_key: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        wrap::unwrap(wrap, wrapping_key, wrapped)
    }

    fn load_key(&self, pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
        key::load(pkcs8)
    }

    fn generate_key(&self, algorithm: &KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        generate::generate(algorithm)
    }
}
