//! Content encryption, and decryption with the old ciphers too.

use crate::gcm;
use crate::padding::unpadded_size;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{
    Block, BlockCipherDecrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyIvInit,
};
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use waxseal_smime::{ContentCipher, ProviderError};
use zeroize::Zeroize;

pub(crate) fn encrypt(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Option<[u8; 16]>, ProviderError> {
    match cipher {
        ContentCipher::Aes128Cbc => encrypt_cbc::<cbc::Encryptor<aes::Aes128>>(key, nonce, buffer),
        ContentCipher::Aes192Cbc => encrypt_cbc::<cbc::Encryptor<aes::Aes192>>(key, nonce, buffer),
        ContentCipher::Aes256Cbc => encrypt_cbc::<cbc::Encryptor<aes::Aes256>>(key, nonce, buffer),
        ContentCipher::Aes128Gcm => {
            encrypt_gcm::<AesGcm<aes::Aes128, U12>>(key, nonce, associated, buffer)
        }
        ContentCipher::Aes192Gcm => {
            encrypt_gcm::<AesGcm<aes::Aes192, U12>>(key, nonce, associated, buffer)
        }
        ContentCipher::Aes256Gcm => {
            encrypt_gcm::<AesGcm<aes::Aes256, U12>>(key, nonce, associated, buffer)
        }
        // Rule 11: for reading only.
        old => Err(ProviderError::Unsupported(format!("encryption with {old}"))),
    }
}

/// RFC 5652 §6.3: one to sixteen octets of padding.
fn encrypt_cbc<C: KeyIvInit + BlockModeEncrypt>(
    key: &[u8],
    iv: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Option<[u8; 16]>, ProviderError> {
    let failed = ProviderError::Failed("AES-CBC");
    let cipher = C::new_from_slices(key, iv).map_err(|_| failed.clone())?;
    let size = buffer.len();
    buffer.resize(size + 16 - size % 16, 0);
    cipher
        .encrypt_padded::<Pkcs7>(buffer, size)
        .map_err(|_| failed)?;
    Ok(None)
}

fn encrypt_gcm<C: KeyInit + AeadInOut<NonceSize = U12>>(
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<Option<[u8; 16]>, ProviderError> {
    let failed = || ProviderError::Failed("AES-GCM");
    let cipher = C::new_from_slice(key).map_err(|_| failed())?;
    let nonce = Nonce::<U12>::try_from(nonce).map_err(|_| failed())?;
    let tag = cipher.encrypt_inout_detached(&nonce, associated, buffer.into());
    let tag = tag.map_err(|_| failed())?;
    tag.as_slice().try_into().map(Some).map_err(|_| failed())
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
    let done = match tag {
        Some(tag) => decrypt_gcm(cipher, key, nonce, associated, tag, buffer),
        None => decrypt_cbc(cipher, key, nonce, buffer),
    };
    if done.is_none() {
        buffer.zeroize();
    }
    done.ok_or(ProviderError::BadCiphertext)
}

fn decrypt_gcm(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    tag: &[u8],
    buffer: &mut [u8],
) -> Option<()> {
    match cipher {
        ContentCipher::Aes128Gcm => {
            gcm::decrypt::<aes::Aes128>(key, nonce, associated, tag, buffer)
        }
        ContentCipher::Aes192Gcm => {
            gcm::decrypt::<aes::Aes192>(key, nonce, associated, tag, buffer)
        }
        ContentCipher::Aes256Gcm => {
            gcm::decrypt::<aes::Aes256>(key, nonce, associated, tag, buffer)
        }
        _ => None,
    }
}

fn decrypt_cbc(cipher: ContentCipher, key: &[u8], iv: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    match cipher {
        ContentCipher::Aes128Cbc => decrypt_padded(keyed::<aes::Aes128>(key)?, iv, buffer),
        ContentCipher::Aes192Cbc => decrypt_padded(keyed::<aes::Aes192>(key)?, iv, buffer),
        ContentCipher::Aes256Cbc => decrypt_padded(keyed::<aes::Aes256>(key)?, iv, buffer),
        ContentCipher::TripleDesCbc => decrypt_padded(keyed::<des::TdesEde3>(key)?, iv, buffer),
        ContentCipher::Rc2Cbc40 => decrypt_padded(rc2(key, 40)?, iv, buffer),
        ContentCipher::Rc2Cbc64 => decrypt_padded(rc2(key, 64)?, iv, buffer),
        ContentCipher::Rc2Cbc128 => decrypt_padded(rc2(key, 128)?, iv, buffer),
        _ => None,
    }
}

/// A block cipher with its key, when the key has its size.
pub(crate) fn keyed<C: KeyInit>(key: &[u8]) -> Option<C> {
    C::new_from_slice(key).ok()
}

/// RFC 2268 §2: a key of any size up to 128 octets, and the bits of it that count.
fn rc2(key: &[u8], effective_bits: usize) -> Option<rc2::Rc2> {
    let sane = (1..=128).contains(&key.len());
    sane.then(|| rc2::Rc2::new_with_eff_key_len(key, effective_bits))
}

fn decrypt_padded<C: BlockCipherDecrypt>(cipher: C, iv: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    decrypt_blocks(cipher, iv, buffer)?;
    let size = unpadded_size(buffer, C::block_size())?;
    buffer.truncate(size);
    Some(())
}

/// CBC decryption of whole blocks, in place.
pub(crate) fn decrypt_blocks<C: BlockCipherDecrypt>(
    cipher: C,
    iv: &[u8],
    octets: &mut [u8],
) -> Option<()> {
    let iv = Block::<C>::try_from(iv).ok()?;
    let (blocks, rest) = Block::<C>::slice_as_chunks_mut(octets);
    if !rest.is_empty() {
        return None;
    }
    cbc::Decryptor::<C>::inner_iv_init(cipher, &iv).decrypt_blocks(blocks);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decrypts_rc2_as_rfc_2268_section_5() {
        for (key, bits, plain, expected) in [
            (
                "ffffffffffffffff",
                64,
                "ffffffffffffffff",
                "278b27e42e2f0d49",
            ),
            ("88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"),
            (
                "88bca90e90875a7f0f79c384627bafb2",
                64,
                "0000000000000000",
                "1a807d272bbe5db1",
            ),
            (
                "88bca90e90875a7f0f79c384627bafb2",
                128,
                "0000000000000000",
                "2269552ab0f85ca6",
            ),
        ] {
            let mut octets = hex(expected);
            decrypt_blocks(rc2(&hex(key), bits).unwrap(), &[0; 8], &mut octets).unwrap();
            assert_eq!(octets, hex(plain), "{key} {bits}");
        }
        assert!(rc2(&[], 40).is_none() && rc2(&[0; 129], 40).is_none());
    }

    #[test]
    fn decrypts_triple_des_as_nist_sp_800_67() {
        // NIST SP 800-67 appendix B: "The qufck brown fox jump", in ECB.
        let key = hex("0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123");
        let mut first = hex("A826FD8CE53B855F");
        decrypt_blocks(keyed::<des::TdesEde3>(&key).unwrap(), &[0; 8], &mut first).unwrap();
        assert_eq!(first, *b"The qufc");
    }

    /// Octets of hexadecimal digits, whatever stands between them.
    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| byte.is_ascii_hexdigit())
            .collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }
}
