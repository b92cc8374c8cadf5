//! Cryptography by AWS-LC, behind [`waxseal_smime::Provider`].
//!
//! What mail is written with, and every operation with a private key that AWS-LC can do, is done
//! by AWS-LC's constant-time code: RSA 2048–8192 (PKCS #1 v1.5, PSS, OAEP with one digest),
//! ECDSA and ECDH on P-256, P-384 and P-521, signing with Ed25519, X25519, AES-CBC, AES-GCM with
//! nonces of 12 and tags of 16 octets, AES-128 and AES-256 key wrap, SHA-1 and SHA-2.
//!
//! The rest is [`RustCrypto`]'s, mostly for reading old or rare mail: RSA keys of other sizes,
//! RSA signatures with SHA-224 or with two digests, OAEP with SHA-224 or with two digests, DSA,
//! triple DES, RC2, other sizes in GCM, AES-192 key wrap, password recipients. So are the
//! key derivations, which are a few digests each, new keys of sizes and kinds that AWS-LC does
//! not make, and the check of Ed25519 signatures, since AWS-LC lets points of small order pass.
//!
//! A private key is parsed once, when it is loaded, and is AWS-LC's from then on, which wipes it
//! (`OPENSSL_cleanse`) when it frees it. An RSA key within its sizes gets to the crate `rsa` only
//! for a mail whose OAEP AWS-LC cannot read.
//!
//! Errors are those of the trait: decryption has one, and RSA key transport none that depends on
//! the ciphertext (`rsa.rs` says how, and what remains).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod agreement;
mod content;
mod curve;
mod digest;
mod elliptic;
mod generate;
mod key;
mod public_key;
mod rsa;
mod verify;
mod wrap;

use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{
    Agreement, ContentCipher, DigestAlgorithm, Hasher, KeyAlgorithm, KeyDerivation, KeyTransport,
    KeyWrap, PrivateKey, Provider, ProviderError, SignatureScheme,
};
use zeroize::Zeroizing;

/// A content key or shared secret.
type Secret = Result<Zeroizing<Vec<u8>>, ProviderError>;

/// The provider. It holds no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwsLc;

impl Provider for AwsLc {
    fn random(&self, out: &mut [u8]) -> Result<(), ProviderError> {
        aws_lc_rs::rand::fill(out).map_err(|_| ProviderError::NoRandomness)
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
        rsa::encrypt(public_key_info, transport, content_key)
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
    ) -> Secret {
        RustCrypto.derive_key(derivation, secret, info, size)
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

    fn unwrap_key(&self, wrap: &KeyWrap, wrapping_key: &[u8], wrapped: &[u8]) -> Secret {
        wrap::unwrap(wrap, wrapping_key, wrapped)
    }

    fn load_key(&self, pkcs8: &[u8]) -> Result<Box<dyn PrivateKey>, ProviderError> {
        key::load(pkcs8)
    }

    fn generate_key(&self, algorithm: &KeyAlgorithm) -> Secret {
        generate::generate(algorithm)
    }

    fn digest(&self, algorithm: DigestAlgorithm, octets: &[u8]) -> Vec<u8> {
        digest::digest(algorithm, octets).as_ref().to_vec()
    }
}
