//! Keys wrapped in other keys: AES key wrap both ways, and for reading triple DES key wrap and
//! the wrapping of password recipients.
//!
//! Whatever is wrong with a wrapped key is [`ProviderError::BadCiphertext`].

use crate::content::{decrypt_blocks, keyed};
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_kw::AesKw;
use subtle::ConstantTimeEq;
use waxseal_smime::{ContentCipher, DigestAlgorithm, KeyWrap, ProviderError};
use zeroize::Zeroizing;

/// The longest wrapped key that is looked at. A key of 32 octets makes 40 or 48.
const LONGEST: usize = 512;

/// AES key wrap (RFC 3394 §2.2.1).
pub(crate) fn wrap(wrapping_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ProviderError> {
    let mut out = vec![0; content_key.len() + aes_kw::IV_LEN];
    match wrapping_key.len() {
        16 => wrap_with::<aes::Aes128>(wrapping_key, content_key, &mut out),
        24 => wrap_with::<aes::Aes192>(wrapping_key, content_key, &mut out),
        32 => wrap_with::<aes::Aes256>(wrapping_key, content_key, &mut out),
        _ => None,
    }
    .ok_or(ProviderError::Failed("AES key wrap"))?;
    Ok(out)
}

fn wrap_with<C>(wrapping_key: &[u8], content_key: &[u8], out: &mut [u8]) -> Option<()>
where
    C: BlockCipherEncrypt<BlockSize = U16> + KeyInit,
{
    let wrapping = AesKw::<C>::new_from_slice(wrapping_key).ok()?;
    wrapping.wrap_key(content_key, out).ok().map(|_| ())
}

pub(crate) fn unwrap(
    wrap: &KeyWrap,
    wrapping_key: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    if wrapped.len() > LONGEST {
        return Err(ProviderError::BadCiphertext);
    }
    match wrap {
        KeyWrap::Aes => match wrapping_key.len() {
            16 => unwrap_with::<aes::Aes128>(wrapping_key, wrapped),
            24 => unwrap_with::<aes::Aes192>(wrapping_key, wrapped),
            32 => unwrap_with::<aes::Aes256>(wrapping_key, wrapped),
            _ => None,
        },
        KeyWrap::TripleDes => unwrap_triple_des(wrapping_key, wrapped),
        KeyWrap::Password { cipher, iv } => unwrap_password(*cipher, iv, wrapping_key, wrapped)?,
    }
    .ok_or(ProviderError::BadCiphertext)
}

/// RFC 3394 §2.2.2. The shortest key has two blocks of eight octets.
fn unwrap_with<C>(wrapping_key: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>>
where
    C: BlockCipherDecrypt<BlockSize = U16> + KeyInit,
{
    let size = wrapped.len().checked_sub(aes_kw::IV_LEN)?;
    let mut out = Zeroizing::new(vec![0; size]);
    let wrapping = AesKw::<C>::new_from_slice(wrapping_key).ok()?;
    wrapping.unwrap_key(wrapped, &mut out).ok()?;
    (size >= 16).then_some(out)
}

/// RFC 3217 §3.2. The parity of the key's octets is not looked at: the checksum before it
/// leaves nothing to find, and other readers do the same. OpenSSL wraps AES keys in it too.
fn unwrap_triple_des(wrapping_key: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const IV: [u8; 8] = [0x4a, 0xdd, 0xa2, 0x2c, 0x79, 0xe8, 0x21, 0x05];
    let size = wrapped.len().checked_sub(16)?;
    if size < 16 || !size.is_multiple_of(8) {
        return None;
    }
    let mut octets = Zeroizing::new(wrapped.to_vec());
    decrypt_blocks(keyed::<des::TdesEde3>(wrapping_key)?, &IV, &mut octets)?;
    octets.reverse();
    let (iv, inner) = octets.split_at_mut_checked(8)?;
    decrypt_blocks(keyed::<des::TdesEde3>(wrapping_key)?, iv, inner)?;
    let (key, checksum) = inner.split_at_checked(size)?;
    let digest = crate::digest::digest(DigestAlgorithm::Sha1, key);
    let good = bool::from(digest.get(..8)?.ct_eq(checksum));
    good.then(|| Zeroizing::new(key.to_vec()))
}

/// RFC 3211 §2.3.2: the outer layer has the inner layer's last block as its initialisation
/// vector, so the last block comes off first.
fn unwrap_password(
    cipher: ContentCipher,
    iv: &[u8],
    wrapping_key: &[u8],
    wrapped: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, ProviderError> {
    let mut octets = Zeroizing::new(wrapped.to_vec());
    let mut layers = |cbc: Cbc, block: usize| {
        let split = octets
            .len()
            .checked_sub(block)
            .filter(|rest| *rest >= block)?;
        let (front, last) = octets.split_at_mut_checked(split)?;
        cbc(wrapping_key, front.get(split - block..)?, last)?;
        cbc(wrapping_key, last, front)?;
        cbc(wrapping_key, iv, &mut octets)
    };
    let done = match cipher {
        ContentCipher::Aes128Cbc => layers(cbc::<aes::Aes128>, 16),
        ContentCipher::Aes192Cbc => layers(cbc::<aes::Aes192>, 16),
        ContentCipher::Aes256Cbc => layers(cbc::<aes::Aes256>, 16),
        ContentCipher::TripleDesCbc => layers(cbc::<des::TdesEde3>, 8),
        other => {
            let name = format!("password recipients with {other}");
            return Err(ProviderError::Unsupported(name));
        }
    };
    Ok(done.and_then(|()| password_key(&octets)))
}

/// Decrypts whole blocks in place: key, initialisation vector, octets.
type Cbc = fn(&[u8], &[u8], &mut [u8]) -> Option<()>;

fn cbc<C: KeyInit + BlockCipherDecrypt>(key: &[u8], iv: &[u8], octets: &mut [u8]) -> Option<()> {
    decrypt_blocks(keyed::<C>(key)?, iv, octets)
}

/// RFC 3211 §2.3.1: the key's length, the complement of its first three octets, the key, and
/// random padding.
fn password_key(octets: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&length, rest) = octets.split_first()?;
    let (check, rest) = rest.split_at_checked(3)?;
    let key = rest.get(..usize::from(length))?;
    let complement: Zeroizing<Vec<u8>> = Zeroizing::new(key.get(..3)?.iter().map(|o| !o).collect());
    let good = bool::from(complement.as_slice().ct_eq(check));
    good.then(|| Zeroizing::new(key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_key_has_its_length_and_its_check() {
        let good = [3, !1, !2, !3, 1, 2, 3, 0];
        assert_eq!(password_key(&good).unwrap().as_slice(), [1, 2, 3]);
        for bad in [
            &[3, !1, !2, 3, 1, 2, 3, 0][..],
            &[5, !1, !2, !3, 1, 2, 3, 0],
            &[255, !1, !2, !3, 1, 2, 3, 0],
            &[2, !1, !2, !3, 1, 2, 3, 0],
            &[0; 8],
            &[],
        ] {
            assert_eq!(password_key(bad), None, "{bad:?}");
        }
    }
}
