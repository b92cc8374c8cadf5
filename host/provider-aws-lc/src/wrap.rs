//! AES key wrap (RFC 3394). AES-192, triple DES and password recipients are [`RustCrypto`]'s.

use crate::Secret;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{KeyWrap, Provider, ProviderError};
use zeroize::Zeroizing;

/// The longest wrapped key that is looked at. A key of 32 octets makes 40.
const LONGEST: usize = 512;
/// What wrapping adds.
const CHECK: usize = 8;

fn wrapping(key: &[u8]) -> Option<AesKek> {
    let cipher = match key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    AesKek::new(cipher, key).ok()
}

pub(crate) fn wrap(wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError> {
    let Some(wrapping) = wrapping(wrapping_key) else {
        return RustCrypto.wrap_key(wrapping_key, content_key);
    };
    let mut out = vec![0; content_key.len() + CHECK];
    match wrapping.wrap(content_key, &mut out) {
        Ok(_) => Ok(out),
        Err(_) => Err(ProviderError::Failed("AES key wrap")),
    }
}

pub(crate) fn unwrap(wrap: &KeyWrap, wrapping_key: &[u8], wrapped: &[u8]) -> Secret {
    let wrapping = wrapping(wrapping_key).filter(|_| *wrap == KeyWrap::Aes);
    let Some(wrapping) = wrapping else {
        return RustCrypto.unwrap_key(wrap, wrapping_key, wrapped);
    };
    if !(CHECK..=LONGEST).contains(&wrapped.len()) {
        return Err(ProviderError::BadCiphertext);
    }
    let mut out = Zeroizing::new(vec![0; wrapped.len() - CHECK]);
    match wrapping.unwrap(wrapped, &mut out) {
        Ok(_) => Ok(out),
        Err(_) => Err(ProviderError::BadCiphertext),
    }
}
