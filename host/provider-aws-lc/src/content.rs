//! Content encryption and decryption with AES. The old ciphers, and what RFC 5084 lets senders
//! choose in GCM beyond nonces of 12 and tags of 16 octets, are [`RustCrypto`]'s to read.

use aws_lc_rs::aead::{self, AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptionContext,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use waxseal_provider_rustcrypto::{RustCrypto, padding};
use waxseal_smime::{ContentCipher, Provider, ProviderError};
use zeroize::Zeroize;

enum Aes {
    Cbc(&'static cipher::Algorithm),
    Gcm(&'static aead::Algorithm),
}

fn aes(cipher: ContentCipher) -> Option<Aes> {
    Some(match cipher {
        ContentCipher::Aes128Cbc => Aes::Cbc(&AES_128),
        ContentCipher::Aes192Cbc => Aes::Cbc(&AES_192),
        ContentCipher::Aes256Cbc => Aes::Cbc(&AES_256),
        ContentCipher::Aes128Gcm => Aes::Gcm(&AES_128_GCM),
        ContentCipher::Aes192Gcm => Aes::Gcm(&AES_192_GCM),
        ContentCipher::Aes256Gcm => Aes::Gcm(&AES_256_GCM),
        _ => return None,
    })
}

pub(crate) fn encrypt(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Option<[u8; 16]>, ProviderError> {
    match aes(cipher) {
        Some(Aes::Cbc(aes)) => encrypt_cbc(aes, key, nonce, buffer)
            .map(|()| None)
            .ok_or(ProviderError::Failed("AES-CBC")),
        Some(Aes::Gcm(aes)) => encrypt_gcm(aes, key, nonce, associated, buffer)
            .map(Some)
            .ok_or(ProviderError::Failed("AES-GCM")),
        // Rule 11: for reading only.
        None => Err(ProviderError::Unsupported(format!(
            "encryption with {cipher}"
        ))),
    }
}

fn encrypt_cbc(
    aes: &'static cipher::Algorithm,
    key: &[u8],
    iv: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<()> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(aes, key).ok()?).ok()?;
    let iv = EncryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv).ok()?));
    key.less_safe_encrypt(buffer, iv).ok().map(|_| ())
}

fn encrypt_gcm(
    aes: &'static aead::Algorithm,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; 16]> {
    let key = LessSafeKey::new(aead::UnboundKey::new(aes, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), buffer);
    tag.ok()?.as_ref().try_into().ok()
}

/// Decrypts in place. After a failure the buffer is empty and its memory wiped, so that nothing
/// of the plain text outlives the error.
pub(crate) fn decrypt(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    tag: Option<&[u8]>,
    buffer: &mut Vec<u8>,
) -> Result<(), ProviderError> {
    let done = match (aes(cipher), tag) {
        (Some(Aes::Cbc(aes)), None) => decrypt_cbc(aes, key, nonce, buffer),
        (Some(Aes::Gcm(aes)), Some(tag)) if tag.len() == 16 && nonce.len() == 12 => {
            decrypt_gcm(aes, key, nonce, associated, tag, buffer)
        }
        _ => return RustCrypto.decrypt_content(cipher, key, nonce, associated, tag, buffer),
    };
    if done.is_none() {
        buffer.zeroize();
    }
    done.ok_or(ProviderError::BadCiphertext)
}

/// The padding is judged by the constant-time check of [`padding`]: `aws-lc-rs` branches on it.
fn decrypt_cbc(
    aes: &'static cipher::Algorithm,
    key: &[u8],
    iv: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<()> {
    let key = DecryptingKey::cbc(UnboundCipherKey::new(aes, key).ok()?).ok()?;
    let iv = DecryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv).ok()?));
    key.decrypt(buffer, iv).ok()?;
    let size = padding::unpadded_size(buffer, aes.block_len())?;
    buffer.truncate(size);
    Some(())
}

fn decrypt_gcm(
    aes: &'static aead::Algorithm,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    tag: &[u8],
    buffer: &mut [u8],
) -> Option<()> {
    let key = LessSafeKey::new(aead::UnboundKey::new(aes, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let opened = key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, buffer);
    opened.ok().map(|_| ())
}
