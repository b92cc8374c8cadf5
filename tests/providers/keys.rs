//! Keys wrapped, derived and agreed on, by published vectors.

use super::common::hex;
use crate::PROVIDER;
use waxseal_smime::{
    ContentCipher, DigestAlgorithm, KeyDerivation, KeyWrap, Provider, ProviderError,
    SignatureScheme,
};

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
        assert_eq!(PROVIDER.wrap_key(&hex(kek), &key).unwrap(), hex(expected));
    }
    assert_eq!(
        PROVIDER.wrap_key(&[0; 15], &[0; 16]),
        Err(ProviderError::Failed("AES key wrap"))
    );
}

#[test]
fn unwraps_what_it_wraps_and_nothing_else() {
    for size in [16, 24, 32] {
        let (kek, key) = (vec![7; size], vec![9; size]);
        let wrapped = PROVIDER.wrap_key(&kek, &key).unwrap();
        assert_eq!(
            *PROVIDER.unwrap_key(&KeyWrap::Aes, &kek, &wrapped).unwrap(),
            key
        );
        for position in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[position] ^= 1;
            refused(&KeyWrap::Aes, &kek, &bad);
        }
        refused(&KeyWrap::Aes, &kek, &wrapped[..wrapped.len() - 1]);
        refused(&KeyWrap::Aes, &kek[1..], &wrapped);
    }
    // RFC 3394 §2: a key has two blocks or more.
    // The eight octets 09 under sixteen octets 07.
    let short = hex("564dca6f81232f888595031b052b725d");
    refused(&KeyWrap::Aes, &[7; 16], &short);
    refused(&KeyWrap::Aes, &[7; 16], &[]);
    refused(&KeyWrap::Aes, &[7; 16], &[0; 1 << 16]);
}

fn refused(wrap: &KeyWrap, wrapping_key: &[u8], wrapped: &[u8]) {
    assert_eq!(
        PROVIDER.unwrap_key(wrap, wrapping_key, wrapped),
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
    assert_eq!(
        *PROVIDER
            .unwrap_key(&KeyWrap::TripleDes, &kek, &wrapped)
            .unwrap(),
        key
    );
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
    assert_eq!(*PROVIDER.unwrap_key(&wrap, &kek, &wrapped).unwrap(), key);
    refused(&wrap, &kek[1..], &wrapped);
    refused(&wrap, &kek, &wrapped[..8]);
    refused(&wrap, &kek, &wrapped[..12]);
    refused(&wrap, &kek, &[]);
    let rc2 = KeyWrap::Password {
        cipher: ContentCipher::Rc2Cbc40,
        iv: vec![0; 8],
    };
    let error = PROVIDER.unwrap_key(&rc2, &kek, &wrapped);
    assert!(matches!(error, Err(ProviderError::Unsupported(_))));
}

#[test]
fn hkdf_as_rfc_5869_test_cases_1_and_3() {
    let hkdf = |salt: &[u8], info: &[u8]| {
        let digest = DigestAlgorithm::Sha256;
        PROVIDER.derive_key(KeyDerivation::Hkdf { digest, salt }, &[0x0b; 22], info, 42)
    };
    let key = hkdf(&[], &[]).unwrap();
    assert_eq!(key[..6], [0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63]);
    let (salt, info) = (
        hex("000102030405060708090a0b0c"),
        hex("f0f1f2f3f4f5f6f7f8f9"),
    );
    let key = hkdf(&salt, &info).unwrap();
    assert_eq!(key[..6], [0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac]);
}

#[test]
fn x963_grows_over_one_digest() {
    let x963 = |size| {
        let derivation = KeyDerivation::X963(DigestAlgorithm::Sha256);
        let key = PROVIDER.derive_key(derivation, b"secret", b"info", size);
        key.unwrap()
    };
    let (long, short) = (x963(70), x963(16));
    assert_eq!((long.len(), &long[..16]), (70, &short[..]));
    assert_ne!(long[..32], long[32..64]);
}

#[test]
fn pbkdf2_as_rfc_6070_and_rfc_3211() {
    let derived = |password: &[u8], salt: &[u8], iterations, size| {
        let digest = DigestAlgorithm::Sha1;
        let derivation = KeyDerivation::Pbkdf2 { digest, iterations };
        let key = PROVIDER.derive_key(derivation, password, salt, size);
        key.map(|key| key.to_vec())
    };
    assert_eq!(
        derived(b"password", b"salt", 4096, 20).unwrap(),
        hex("4b007901b765489abead49d926f721d065a429c1")
    );
    // RFC 3211 §3.2.
    let password = b"All n-entities must communicate with other n-entities via n-1 entiteeheehees";
    assert_eq!(
        derived(password, &hex("1234567878563412"), 500, 24).unwrap(),
        hex("6A8970BF68C92CAEA84A8DF28510858607126380CC47AB2D")
    );
    assert!(derived(b"password", b"salt", 0, 20).is_err());
}

/// RFC 8418 §2: the shared secret would be zeros.
#[test]
fn no_agreement_with_a_point_of_small_order() {
    let algorithm = hex("302a300506032b656e032100");
    let mut order_eight = [0; 32];
    order_eight.copy_from_slice(&hex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ));
    for point in [[0; 32], order_eight] {
        let info = [&algorithm, &point[..]].concat();
        let refused = PROVIDER.agree(&info);
        assert!(matches!(refused, Err(ProviderError::MalformedKey(_))));
    }
}

/// An Ed25519 key of small order makes signatures that hold for every message.
#[test]
fn no_signature_holds_under_an_ed25519_key_of_small_order() {
    let mut one = [0; 32];
    one[0] = 1;
    let info = [&hex("302a300506032b6570032100"), &one[..]].concat();
    let signature = [one, [0; 32]].concat();
    let refused = PROVIDER.verify(&info, SignatureScheme::Ed25519, b"message", &signature);
    assert_eq!(refused, Err(ProviderError::BadSignature));
}
