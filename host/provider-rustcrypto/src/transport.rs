//! RSA key transport, both ways.
//!
//! Decryption never says that a ciphertext is bad. Its size and padding are judged without a
//! branch on secrets, and what fails gives a key derived from the private key and the
//! ciphertext, which then fails at the content like any wrong key (implicit rejection, RFC 3218
//! §2.3.2, RFC 8017 §7.2.2 note). The size of the content key is public, so the only place
//! where it can stand is the end of the encoded message, and nothing has to be searched.

use crate::digest::{digest, mask};
use crate::representative::{number, octets};
use getrandom::SysRng;
use hkdf::Hkdf;
use rsa::hazmat::rsa_decrypt_and_check;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, PrivateKey};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use waxseal_smime::{DigestAlgorithm, KeyTransport, ProviderError, TransportScheme};
use zeroize::Zeroizing;

pub(crate) fn encrypt(
    key: &rsa::PublicKey,
    transport: KeyTransport,
    content_key: &[u8],
) -> Result<Vec<u8>, ProviderError> {
    match transport {
        KeyTransport::Pkcs1v15 => key.pkcs1v15_encrypt(content_key),
        KeyTransport::Oaep => key.oaep_encrypt::<Sha256>(content_key),
    }
    .map_err(|_| ProviderError::Failed("RSA encryption"))
}

/// The content key of `size` octets, or pseudorandom octets of that size.
pub(crate) fn decrypt(
    key: &PrivateKey,
    scheme: &TransportScheme,
    encrypted: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let (mut encoded, in_range) = decrypt_raw(key, encrypted)?;
    let well_formed = match scheme {
        TransportScheme::Pkcs1v15 => pkcs1v15_ends_with(&encoded, size),
        TransportScheme::Oaep {
            digest,
            mask_digest,
            label,
        } => oaep_ends_with(&mut encoded, *digest, *mask_digest, label, size),
    };
    // The one public fact: this modulus has no room for such a key.
    let well_formed = well_formed.ok_or(ProviderError::Failed("RSA key too small"))?;
    let mut out = instead(key, encrypted, size)?;
    let start = encoded.len() - size;
    for (octet, real) in out.iter_mut().zip(&encoded[start..]) {
        octet.conditional_assign(real, well_formed & in_range);
    }
    Ok(out)
}

/// RFC 8017 §5.1.2, blinded. What is no number below the modulus, which everybody can see, is
/// replaced by one that decrypts to nothing well-formed.
fn decrypt_raw(
    key: &PrivateKey,
    encrypted: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, Choice), ProviderError> {
    let failed = |_| ProviderError::Failed("RSA decryption");
    let number = number(encrypted, key);
    let in_range = Choice::from(u8::from(number.is_some()));
    let one = || BoxedUint::one_with_precision(key.n().bits_precision());
    let number = number.unwrap_or_else(one);
    let plain = rsa_decrypt_and_check(key, Some(&mut SysRng), &number).map_err(failed)?;
    let plain = Zeroizing::new(plain);
    Ok((octets(&plain, key.size()), in_range))
}

/// RFC 8017 §7.2.2 step 3: 00 02, at least eight octets that are not zero, 00, the key.
fn pkcs1v15_ends_with(encoded: &[u8], size: usize) -> Option<Choice> {
    let separator = encoded.len().checked_sub(size)?.checked_sub(1)?;
    let filler = encoded
        .get(2..separator)
        .filter(|octets| octets.len() >= 8)?;
    let no_zero = filler
        .iter()
        .fold(Choice::from(1), |good, octet| good & !octet.ct_eq(&0));
    Some(encoded[0].ct_eq(&0) & encoded[1].ct_eq(&2) & no_zero & encoded[separator].ct_eq(&0))
}

/// RFC 8017 §7.1.2 step 3. Unmasks in place.
fn oaep_ends_with(
    encoded: &mut [u8],
    algorithm: DigestAlgorithm,
    mask_digest: DigestAlgorithm,
    label: &[u8],
    size: usize,
) -> Option<Choice> {
    let label = digest(algorithm, label);
    let separator = encoded.len().checked_sub(size)?.checked_sub(1)?;
    let filler = 1 + 2 * label.len()..separator;
    encoded.get(filler.clone())?;
    let (first, masked) = encoded.split_first_mut()?;
    let (seed, block) = masked.split_at_mut_checked(label.len())?;
    mask(mask_digest, block, seed);
    mask(mask_digest, seed, block);
    let good = first.ct_eq(&0) & block[..label.len()].ct_eq(&label);
    let all_zero = encoded[filler]
        .iter()
        .fold(good, |good, octet| good & octet.ct_eq(&0));
    Some(all_zero & encoded[separator].ct_eq(&1))
}

/// Octets that only the holder of the key can tell from a content key, the same ones for the
/// same ciphertext.
fn instead(
    key: &PrivateKey,
    encrypted: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let exponent = octets(key.d(), key.size());
    let mut out = Zeroizing::new(vec![0; size]);
    Hkdf::<Sha256>::new(Some(encrypted), &exponent)
        .expand(b"implicit rejection", &mut out)
        .map_err(|_| ProviderError::Failed("size of the content key"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_smime::DigestAlgorithm::{Sha1, Sha224, Sha256 as S256, Sha384, Sha512};

    fn key() -> PrivateKey {
        PrivateKey::new(&mut SysRng, 2048).unwrap()
    }

    fn oaep(
        digest: DigestAlgorithm,
        mask_digest: DigestAlgorithm,
        label: &[u8],
    ) -> TransportScheme {
        TransportScheme::Oaep {
            digest,
            mask_digest,
            label: label.to_vec(),
        }
    }

    /// The encoded message as a ciphertext.
    fn encrypted(key: &PrivateKey, encoded: &[u8]) -> Vec<u8> {
        let number = BoxedUint::from_be_slice(encoded, key.n().bits_precision()).unwrap();
        let number = rsa::hazmat::rsa_encrypt(key, &number).unwrap();
        octets(&number, key.size()).to_vec()
    }

    fn padded(size: usize, content_key: &[u8]) -> Vec<u8> {
        let filler = vec![0xaa; size - 3 - content_key.len()];
        [&[0, 2][..], &filler, &[0], content_key].concat()
    }

    #[test]
    fn reads_what_the_crate_encrypts() {
        let key = key();
        for size in [5, 16, 24, 32] {
            let content_key = vec![9; size];
            for (transport, scheme) in [
                (KeyTransport::Pkcs1v15, TransportScheme::Pkcs1v15),
                (KeyTransport::Oaep, oaep(S256, S256, b"")),
            ] {
                let encrypted = encrypt(key.as_public_key(), transport, &content_key).unwrap();
                let found = decrypt(&key, &scheme, &encrypted, size).unwrap();
                assert_eq!(*found, content_key, "{scheme:?}");
            }
        }
    }

    #[test]
    fn reads_every_oaep() {
        use rsa::Oaep;
        let key = key();
        let content_key = [9; 32];
        macro_rules! check {
            ($digest:ty, $mask:ty, $scheme:expr) => {
                let padding = Oaep::<$digest, $mask>::new_with_mgf_hash_and_label(&b"label"[..]);
                let encrypted = key
                    .as_public_key()
                    .encrypt(&mut SysRng, padding, &content_key);
                let found = decrypt(&key, &$scheme, &encrypted.unwrap(), 32).unwrap();
                assert_eq!(*found, content_key, "{:?}", $scheme);
            };
        }
        check!(sha1::Sha1, sha1::Sha1, oaep(Sha1, Sha1, b"label"));
        check!(sha2::Sha224, sha1::Sha1, oaep(Sha224, Sha1, b"label"));
        check!(sha2::Sha256, sha1::Sha1, oaep(S256, Sha1, b"label"));
        check!(sha2::Sha384, sha2::Sha384, oaep(Sha384, Sha384, b"label"));
        check!(sha2::Sha512, sha2::Sha224, oaep(Sha512, Sha224, b"label"));
    }

    #[test]
    fn rule_08_a_bad_ciphertext_gives_the_same_pseudorandom_key_each_time() {
        let key = key();
        let size = key.size();
        let good = padded(size, &[9; 32]);
        let with = |position: usize, octet: u8| {
            let mut encoded = good.clone();
            encoded[position] = octet;
            encrypted(&key, &encoded)
        };
        assert_eq!(
            *decrypt(
                &key,
                &TransportScheme::Pkcs1v15,
                &encrypted(&key, &good),
                32
            )
            .unwrap(),
            [9; 32]
        );
        for (what, ciphertext) in [
            ("first octet", with(0, 1)),
            ("block type", with(1, 1)),
            ("zero in the filler", with(5, 0)),
            ("zero before the separator", with(size - 34, 0)),
            ("no separator", with(size - 33, 1)),
            ("a key of 24", encrypted(&key, &padded(size, &[9; 24]))),
            ("a key of 33", encrypted(&key, &padded(size, &[9; 33]))),
            ("no number below the modulus", vec![0xff; size]),
            ("too short", vec![1; size - 1]),
            ("too long", vec![0; size + 1]),
            ("empty", vec![]),
        ] {
            for scheme in [TransportScheme::Pkcs1v15, oaep(S256, S256, b"")] {
                let first = decrypt(&key, &scheme, &ciphertext, 32).unwrap();
                let again = decrypt(&key, &scheme, &ciphertext, 32).unwrap();
                assert_eq!(first, again, "{what}");
                assert_eq!(first, instead(&key, &ciphertext, 32).unwrap(), "{what}");
                assert_ne!(*first, [9; 32], "{what}");
            }
        }
    }

    #[test]
    fn rule_08_another_label_gives_another_key() {
        let key = key();
        let encrypted = encrypt(key.as_public_key(), KeyTransport::Oaep, &[9; 32]).unwrap();
        for scheme in [
            oaep(S256, S256, b"label"),
            oaep(S256, Sha1, b""),
            oaep(Sha1, S256, b""),
        ] {
            let found = decrypt(&key, &scheme, &encrypted, 32).unwrap();
            assert_eq!(found, instead(&key, &encrypted, 32).unwrap());
        }
    }

    #[test]
    fn a_modulus_without_room_is_an_error() {
        let key = key();
        for (scheme, size, expected) in [
            (TransportScheme::Pkcs1v15, 245, true),
            (TransportScheme::Pkcs1v15, 246, false),
            (TransportScheme::Pkcs1v15, usize::MAX, false),
            (oaep(Sha512, Sha512, b""), 126, true),
            (oaep(Sha512, Sha512, b""), 127, false),
        ] {
            let result = decrypt(&key, &scheme, &[1; 256], size);
            assert_eq!(result.is_ok(), expected, "{scheme:?} {size}");
        }
    }
}
