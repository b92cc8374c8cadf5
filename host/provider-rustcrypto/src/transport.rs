//! RSA key transport, both ways.
//!
//! Decryption never says that a ciphertext is bad. Its size and padding are judged without a
//! branch on secrets, and what fails gives a key derived from the private key and the
//! ciphertext, which then fails at the content like any wrong key (implicit rejection, RFC 3218
//! §2.3.2, RFC 8017 §7.2.2 note). The size of the content key is public, so the only place
//! where it can stand is the end of the encoded message, and nothing has to be searched.

use crate::digest::{digest, mask};
use crate::rejection;
use crate::representative::{number, octets};
use getrandom::SysRng;
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

fn instead(
    key: &PrivateKey,
    encrypted: &[u8],
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let exponent = octets(key.d(), key.size());
    rejection::Secret::new(&exponent, key.size()).instead(encrypted, size)
}
