//! Checks RSASSA-PSS with any two digests. The crate `rsa` has one digest for message and mask,
//! and senders that leave the mask's out mean SHA-1 (RFC 4055 §3.1).

use crate::digest::{digest, mask};
use crate::representative::{number, octets};
use rsa::hazmat::rsa_encrypt;
use rsa::traits::PublicKeyParts;
use waxseal_smime::DigestAlgorithm;

/// RFC 8017 §8.1.2. `None` when the signature is wrong.
pub(crate) fn verify(
    key: &rsa::PublicKey,
    algorithm: DigestAlgorithm,
    mask_digest: DigestAlgorithm,
    salt_size: usize,
    message: &[u8],
    signature: &[u8],
) -> Option<()> {
    let plain = rsa_encrypt(key, &number(signature, key)?).ok()?;
    let bits = usize::try_from(key.n().bit_width()).ok()?.checked_sub(1)?;
    let mut encoded = octets(&plain, key.size());
    // The encoded message has an octet less when the modulus has 8n + 1 bits.
    let (excess, encoded) = encoded.split_at_mut_checked(key.size() - bits.div_ceil(8))?;
    let unused_bits = encoded.len() * 8 - bits;
    let hash = digest(algorithm, message);
    let is_right = excess.iter().all(|octet| *octet == 0)
        && encodes(
            encoded,
            unused_bits,
            algorithm,
            mask_digest,
            salt_size,
            &hash,
        )?;
    is_right.then_some(())
}

/// RFC 8017 §9.1.2.
fn encodes(
    encoded: &mut [u8],
    unused_bits: usize,
    algorithm: DigestAlgorithm,
    mask_digest: DigestAlgorithm,
    salt_size: usize,
    hash: &[u8],
) -> Option<bool> {
    let (trailer, rest) = encoded.split_last_mut()?;
    let block_size = rest.len().checked_sub(algorithm.output_size())?;
    let separator = block_size.checked_sub(salt_size)?.checked_sub(1)?;
    let (block, expected) = rest.split_at_mut_checked(block_size)?;
    let used = 0xff >> unused_bits;
    let first = *block.first()?;
    mask(mask_digest, expected, block);
    *block.first_mut()? &= used;
    let (filler, salt) = block.split_at_checked(separator)?;
    let (one, salt) = salt.split_first()?;
    let found = digest(algorithm, &[&[0; 8], hash, salt].concat());
    Some(
        *trailer == 0xbc
            && first & !used == 0
            && filler.iter().all(|octet| *octet == 0)
            && *one == 1
            && found == expected,
    )
}
