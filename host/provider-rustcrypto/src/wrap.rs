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
    use crate::test::hex;

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
    fn unwraps_what_it_wraps_and_nothing_else() {
        for size in [16, 24, 32] {
            let (kek, key) = (vec![7; size], vec![9; size]);
            let wrapped = wrap(&kek, &key).unwrap();
            assert_eq!(*unwrap(&KeyWrap::Aes, &kek, &wrapped).unwrap(), key);
            for position in 0..wrapped.len() {
                let mut bad = wrapped.clone();
                bad[position] ^= 1;
                refused(&KeyWrap::Aes, &kek, &bad);
            }
            refused(&KeyWrap::Aes, &kek, &wrapped[..wrapped.len() - 1]);
            refused(&KeyWrap::Aes, &kek[1..], &wrapped);
        }
        // RFC 3394 §2: a key has two blocks or more.
        refused(&KeyWrap::Aes, &[7; 16], &wrap(&[7; 16], &[9; 8]).unwrap());
        refused(&KeyWrap::Aes, &[7; 16], &[]);
        refused(&KeyWrap::Aes, &[7; 16], &[0; 1 << 16]);
    }

    fn refused(wrap: &KeyWrap, wrapping_key: &[u8], wrapped: &[u8]) {
        assert_eq!(
            unwrap(wrap, wrapping_key, wrapped),
            Err(ProviderError::BadCiphertext)
        );
    }

    #[test]
    fn unwraps_triple_des_as_rfc_3217_section_3_4() {
        let kek = hex("255e0d1c07b646dfb3134cc843ba8aa71f025b7c0838251f");
        let wrapped = hex(
            "69010761 8ef092b3 b48ca179 6b234ae9 fa33ebb4 15960403 7db5d6a8 4eb3aac2
             768c6327 75a467d4",
        );
        let key = hex("2923bf85e06dd6ae529149f1f1bae9eab3a7da3d860d3e98");
        assert_eq!(*unwrap(&KeyWrap::TripleDes, &kek, &wrapped).unwrap(), key);
        for position in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[position] ^= 1;
            refused(&KeyWrap::TripleDes, &kek, &bad);
        }
        refused(&KeyWrap::TripleDes, &kek, &wrapped[..32]);
        refused(&KeyWrap::TripleDes, &kek[..16], &wrapped);
    }

    #[test]
    fn unwraps_a_password_key_as_rfc_3211_section_3_2() {
        let kek = hex("6A8970BF68C92CAEA84A8DF28510858607126380CC47AB2D");
        let wrapped =
            hex("C03C514ABDB9E2C5AAC038572B5E24553876B377AAFB82ECA5A9D73F8AB143D9EC74E6CAD7DB260C");
        let wrap = KeyWrap::Password {
            cipher: ContentCipher::TripleDesCbc,
            iv: hex("BAF1CA7931213C4E"),
        };
        let key = hex("8C637D887223A2F965B566EB014B0FA5D52300A3F7EA40FFFC577203C71BAF3B");
        assert_eq!(*unwrap(&wrap, &kek, &wrapped).unwrap(), key);
        refused(&wrap, &kek[1..], &wrapped);
        refused(&wrap, &kek, &wrapped[..8]);
        refused(&wrap, &kek, &wrapped[..12]);
        refused(&wrap, &kek, &[]);
        let rc2 = KeyWrap::Password {
            cipher: ContentCipher::Rc2Cbc40,
            iv: vec![0; 8],
        };
        let error = unwrap(&rc2, &kek, &wrapped);
        assert!(matches!(error, Err(ProviderError::Unsupported(_))));
    }

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
