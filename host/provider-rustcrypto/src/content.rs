//! Content encryption and AES key wrap.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use waxseal_smime::{ContentCipher, ProviderError};

pub(crate) fn encrypt(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Option<[u8; 16]>, ProviderError> {
    match cipher {
        ContentCipher::Aes128Cbc => cbc::<cbc::Encryptor<aes::Aes128>>(key, nonce, buffer),
        ContentCipher::Aes192Cbc => cbc::<cbc::Encryptor<aes::Aes192>>(key, nonce, buffer),
        ContentCipher::Aes256Cbc => cbc::<cbc::Encryptor<aes::Aes256>>(key, nonce, buffer),
        ContentCipher::Aes128Gcm => gcm::<AesGcm<aes::Aes128, U12>>(key, nonce, associated, buffer),
        ContentCipher::Aes192Gcm => gcm::<AesGcm<aes::Aes192, U12>>(key, nonce, associated, buffer),
        ContentCipher::Aes256Gcm => gcm::<AesGcm<aes::Aes256, U12>>(key, nonce, associated, buffer),
        // Rule 11: for reading only.
        old => Err(ProviderError::Unsupported(format!("encryption with {old}"))),
    }
}

/// RFC 5652 §6.3: one to sixteen octets of padding.
fn cbc<C: KeyIvInit + BlockModeEncrypt>(
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

fn gcm<C: KeyInit + AeadInOut<NonceSize = U12>>(
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

/// RFC 3394.
pub(crate) fn wrap(wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError> {
    let failed = || ProviderError::Failed("AES key wrap");
    let mut out = vec![0; content_key.len() + aes_kw::IV_LEN];
    match wrapping_key.len() {
        16 => wrap_with::<aes::Aes128>(wrapping_key, content_key, &mut out),
        24 => wrap_with::<aes::Aes192>(wrapping_key, content_key, &mut out),
        32 => wrap_with::<aes::Aes256>(wrapping_key, content_key, &mut out),
        _ => None,
    }
    .ok_or_else(failed)?;
    Ok(out)
}

fn wrap_with<C>(wrapping_key: &[u8], content_key: &[u8], out: &mut [u8]) -> Option<()>
where
    C: aes_kw::cipher::BlockCipherEncrypt<BlockSize = aes_kw::cipher::consts::U16> + KeyInit,
{
    use aes_kw::KeyInit as _;
    let kek = aes_kw::AesKw::<C>::new_from_slice(wrapping_key).ok()?;
    kek.wrap_key(content_key, out).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn wraps_as_rfc_3394_section_4() {
        for (kek, expected) in [
            (
                "000102030405060708090A0B0C0D0E0F",
                "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
            ),
            (
                "000102030405060708090A0B0C0D0E0F1011121314151617",
                "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D",
            ),
            (
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7",
            ),
        ] {
            let key = hex("00112233445566778899AABBCCDDEEFF");
            assert_eq!(wrap(&hex(kek), &key).unwrap(), hex(expected));
        }
        assert_eq!(
            wrap(&[0; 15], &[0; 16]),
            Err(ProviderError::Failed("AES key wrap"))
        );
    }

    #[test]
    fn encrypts_cbc_as_nist_sp_800_38a_and_pads() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let mut buffer = hex("6bc1bee22e409f96e93d7e117393172a");
        let tag = encrypt(ContentCipher::Aes128Cbc, &key, &iv, &[], &mut buffer).unwrap();
        assert_eq!(tag, None);
        assert_eq!(buffer.len(), 32);
        assert_eq!(buffer[..16], hex("7649abac8119b246cee98e9b12e9197d"));
    }

    #[test]
    fn encrypts_gcm_as_the_gcm_specification_test_case_2() {
        let mut buffer = vec![0; 16];
        let tag = encrypt(
            ContentCipher::Aes128Gcm,
            &[0; 16],
            &[0; 12],
            &[],
            &mut buffer,
        )
        .unwrap();
        assert_eq!(buffer, hex("0388dace60b6a392f328c2b971b2fe78"));
        assert_eq!(
            tag.unwrap().to_vec(),
            hex("ab6e47d42cec13bdf53a67b21257bddf")
        );
    }
}
