//! Content encryption by published vectors, and what a failed decryption leaves behind.

use super::common::hex;
use crate::PROVIDER;
use waxseal_smime::{ContentCipher, Provider, ProviderError};

#[test]
fn encrypts_cbc_as_nist_sp_800_38a_and_pads() {
    let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let mut buffer = hex("6bc1bee22e409f96e93d7e117393172a");
    let tag = PROVIDER
        .encrypt_content(ContentCipher::Aes128Cbc, &key, &iv, &[], &mut buffer)
        .unwrap();
    assert_eq!(tag, None);
    assert_eq!(buffer.len(), 32);
    assert_eq!(buffer[..16], hex("7649abac8119b246cee98e9b12e9197d"));
}

#[test]
fn encrypts_gcm_as_the_gcm_specification_test_case_2() {
    let mut buffer = vec![0; 16];
    let tag = PROVIDER
        .encrypt_content(
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

#[test]
fn decrypts_what_it_encrypts_at_every_size() {
    for cipher in ContentCipher::ALL {
        let (key, nonce) = (vec![1; cipher.key_size()], vec![2; cipher.nonce_size()]);
        for size in [0, 1, 15, 16, 17, 1000] {
            let plain = vec![3; size];
            let mut buffer = plain.clone();
            let tag = PROVIDER
                .encrypt_content(*cipher, &key, &nonce, b"aad", &mut buffer)
                .unwrap();
            let tag = tag.as_ref().map(|tag| &tag[..]);
            PROVIDER
                .decrypt_content(*cipher, &key, &nonce, b"aad", tag, &mut buffer)
                .unwrap();
            assert_eq!(buffer, plain, "{cipher} {size}");
        }
    }
}

#[test]
fn rule_08_failed_decryption_leaves_nothing() {
    for cipher in ContentCipher::ALL {
        let (key, nonce) = (vec![1; cipher.key_size()], vec![2; cipher.nonce_size()]);
        let mut whole = b"attack at dawn, and then attack at dusk".to_vec();
        let tag = PROVIDER
            .encrypt_content(*cipher, &key, &nonce, &[], &mut whole)
            .unwrap();
        let tag = tag.as_ref().map(|tag| &tag[..]);
        let other = if tag.is_some() {
            None
        } else {
            Some(&[0; 16][..])
        };
        let mut flipped = whole.clone();
        // The last octet of padding, through the block before the last.
        let position = flipped.len() - 17;
        flipped[position] ^= 0x40;
        let attempt = |key: &[u8], nonce: &[u8], tag, octets: &[u8]| {
            let mut buffer = octets.to_vec();
            let result = PROVIDER.decrypt_content(*cipher, key, nonce, &[], tag, &mut buffer);
            (result, buffer)
        };
        for (what, outcome) in [
            ("flipped", attempt(&key, &nonce, tag, &flipped)),
            ("cut", attempt(&key, &nonce, tag, &whole[..whole.len() - 1])),
            ("key too short", attempt(&key[1..], &nonce, tag, &whole)),
            ("no nonce", attempt(&key, &[], tag, &whole)),
            (
                "tag of the other kind",
                attempt(&key, &nonce, other, &whole),
            ),
        ] {
            let expected = (Err(ProviderError::BadCiphertext), vec![]);
            assert_eq!(outcome, expected, "{cipher} {what}");
        }
    }
}

#[test]
fn gcm_reads_every_tag_of_rfc_5084_and_no_shorter_one() {
    let (key, nonce) = ([1; 32], [2; 12]);
    let mut whole = b"attack at dawn".to_vec();
    let tag = PROVIDER.encrypt_content(ContentCipher::Aes256Gcm, &key, &nonce, b"aad", &mut whole);
    let tag = tag.unwrap().unwrap();
    for size in 0..=16 {
        let mut buffer = whole.clone();
        let cipher = ContentCipher::Aes256Gcm;
        let result = PROVIDER.decrypt_content(
            cipher,
            &key,
            &nonce,
            b"aad",
            Some(&tag[..size]),
            &mut buffer,
        );
        assert_eq!(result.is_ok(), size >= 12, "{size}");
    }
}
