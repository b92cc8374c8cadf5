//! RSA key transport: what is read, and what a bad ciphertext gives.

use crate::PROVIDER;
use rsa::BoxedUint;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use waxseal_smime::DigestAlgorithm::{self, Sha1, Sha224, Sha256, Sha384, Sha512};
use waxseal_smime::{KeyAlgorithm, KeyTransport, PrivateKey, Provider, TransportScheme};

/// Octets of the modulus.
const SIZE: usize = 256;

fn key() -> Box<dyn PrivateKey> {
    let pkcs8 = PROVIDER.generate_key(&KeyAlgorithm::Rsa { bits: SIZE * 8 });
    PROVIDER.load_key(&pkcs8.unwrap()).unwrap()
}

fn public(key: &dyn PrivateKey) -> rsa::PublicKey {
    rsa::PublicKey::from_public_key_der(key.public_key_info()).unwrap()
}

fn oaep(digest: DigestAlgorithm, mask_digest: DigestAlgorithm, label: &[u8]) -> TransportScheme {
    TransportScheme::Oaep {
        digest,
        mask_digest,
        label: label.to_vec(),
    }
}

/// The encoded message as a ciphertext.
fn encrypted(key: &rsa::PublicKey, encoded: &[u8]) -> Vec<u8> {
    let number = BoxedUint::from_be_slice(encoded, key.n().bits_precision()).unwrap();
    let number = rsa::hazmat::rsa_encrypt(key, &number).unwrap();
    number.to_be_bytes().to_vec()
}

fn padded(content_key: &[u8]) -> Vec<u8> {
    let filler = vec![0xaa; SIZE - 3 - content_key.len()];
    [&[0, 2][..], &filler, &[0], content_key].concat()
}

#[test]
fn reads_what_it_writes() {
    let key = key();
    for size in [5, 16, 24, 32] {
        let content_key = vec![9; size];
        for (transport, scheme) in [
            (KeyTransport::Pkcs1v15, TransportScheme::Pkcs1v15),
            (KeyTransport::Oaep, oaep(Sha256, Sha256, b"")),
        ] {
            let encrypted = PROVIDER.transport_key(key.public_key_info(), transport, &content_key);
            let found = key.decrypt_key(&scheme, &encrypted.unwrap(), size);
            assert_eq!(*found.unwrap(), content_key, "{scheme:?}");
        }
    }
}

#[test]
fn rule_08_a_bad_ciphertext_gives_the_same_pseudorandom_key_each_time() {
    let key = key();
    let public = public(&*key);
    let good = padded(&[9; 32]);
    let with = |position: usize, octet: u8| {
        let mut encoded = good.clone();
        encoded[position] = octet;
        encrypted(&public, &encoded)
    };
    let found = key.decrypt_key(&TransportScheme::Pkcs1v15, &encrypted(&public, &good), 32);
    assert_eq!(*found.unwrap(), [9; 32]);
    for (what, ciphertext) in [
        ("first octet", with(0, 1)),
        ("block type", with(1, 1)),
        ("zero in the filler", with(5, 0)),
        ("zero before the separator", with(SIZE - 34, 0)),
        ("no separator", with(SIZE - 33, 1)),
        ("a key of 24", encrypted(&public, &padded(&[9; 24]))),
        ("a key of 33", encrypted(&public, &padded(&[9; 33]))),
        ("an empty key", encrypted(&public, &padded(&[]))),
        ("no number below the modulus", vec![0xff; SIZE]),
        ("too short", vec![1; SIZE - 1]),
        ("too long", vec![0; SIZE + 1]),
        ("empty", vec![]),
    ] {
        // Nothing is padded so that it passes for both.
        let schemes = [TransportScheme::Pkcs1v15, oaep(Sha256, Sha1, b"")];
        let instead = key.decrypt_key(&oaep(Sha256, Sha256, b""), &ciphertext, 32);
        for scheme in schemes {
            let found = key.decrypt_key(&scheme, &ciphertext, 32);
            assert_eq!(found, instead, "{what} {scheme:?}");
        }
        let other = key.decrypt_key(&TransportScheme::Pkcs1v15, &vec![1; SIZE], 32);
        assert_ne!(instead, other, "{what}");
        let instead = instead.unwrap();
        assert!(
            instead[..24] != [9; 24] && instead[..24] != [0; 24],
            "{what}"
        );
    }
}

#[test]
fn rule_08_another_label_gives_another_key() {
    let key = key();
    let info = key.public_key_info();
    let encrypted = PROVIDER
        .transport_key(info, KeyTransport::Oaep, &[9; 32])
        .unwrap();
    let instead = key.decrypt_key(&TransportScheme::Pkcs1v15, &encrypted, 32);
    for scheme in [
        oaep(Sha256, Sha256, b"label"),
        oaep(Sha256, Sha1, b""),
        oaep(Sha1, Sha256, b""),
        oaep(Sha224, Sha224, b""),
        oaep(Sha384, Sha384, b""),
    ] {
        let found = key.decrypt_key(&scheme, &encrypted, 32);
        assert_eq!(found, instead, "{scheme:?}");
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
        (oaep(Sha512, Sha256, b""), 127, false),
    ] {
        let result = key.decrypt_key(&scheme, &[1; SIZE], size);
        assert_eq!(result.is_ok(), expected, "{scheme:?} {size}");
    }
}
