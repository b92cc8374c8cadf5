//! Decryption with GCM (NIST SP 800-38D §7.2) for every size of nonce, and tags of 12 to 16
//! octets (RFC 5084 §3.2). The crate `aes-gcm`, which encrypts, fixes both sizes in its types.
//!
//! The tag is checked before the first octet is decrypted, so a failure leaves the ciphertext as
//! it was.

use aes::cipher::consts::U16;
use aes::cipher::{
    Block, BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher,
    StreamCipherCoreWrapper,
};
use ctr::CtrCore;
use ctr::flavors::Ctr32BE;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Decrypts in place.
pub(crate) fn decrypt<C>(
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    tag: &[u8],
    buffer: &mut [u8],
) -> Option<()>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    if nonce.is_empty() || !(12..=16).contains(&tag.len()) {
        return None;
    }
    let aes = C::new_from_slice(key).ok()?;
    let mut subkey = Block::<C>::default();
    aes.encrypt_block(&mut subkey);
    let hash = GHash::new(&subkey);
    subkey.zeroize();

    let first = first_counter(&hash, nonce);
    let mut stream = StreamCipherCoreWrapper::<CtrCore<&C, Ctr32BE>>::from_core(
        CtrCore::inner_iv_init(&aes, &first),
    );
    let mut expected = hash_of(hash, associated, buffer);
    stream.try_apply_keystream(&mut expected).ok()?;
    if !bool::from(expected[..tag.len()].ct_eq(tag)) {
        return None;
    }
    stream.try_apply_keystream(buffer).ok()
}

/// NIST SP 800-38D §7.1 step 2.
fn first_counter(hash: &GHash, nonce: &[u8]) -> ghash::Block {
    let mut block = ghash::Block::default();
    if nonce.len() == 12 {
        block[..12].copy_from_slice(nonce);
        block[15] = 1;
        return block;
    }
    hash_of(hash.clone(), &[], nonce)
}

/// GHASH over both, padded, and their lengths in bits.
fn hash_of(mut hash: GHash, associated: &[u8], octets: &[u8]) -> ghash::Block {
    let bits = |octets: &[u8]| (octets.len() as u64 * 8).to_be_bytes();
    hash.update_padded(associated);
    hash.update_padded(octets);
    let mut lengths = ghash::Block::default();
    lengths[..8].copy_from_slice(&bits(associated));
    lengths[8..].copy_from_slice(&bits(octets));
    hash.update(&[lengths]);
    hash.finalize()
}
