//! Project Wycheproof's vectors for what the provider does. `acceptable` ones are neither
//! required nor forbidden.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use common::corpus;
use serde_json::Value;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::DigestAlgorithm::{self, Sha256, Sha384, Sha512};
use waxseal_smime::{ContentCipher, KeyDerivation, Provider, ProviderError, SignatureScheme};

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    let digits = text
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Runs each vector of a file: `accepts` says whether the provider takes it, `None` that it has
/// no opinion.
fn run(file: &str, accepts: impl Fn(&Value, &Value) -> Option<bool>) {
    let Some(set) = corpus("wycheproof") else {
        return;
    };
    let text = std::fs::read(set.join(file)).unwrap();
    let vectors: Value = serde_json::from_slice(&text).unwrap();
    let mut count = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        for vector in group["tests"].as_array().unwrap() {
            let (Some(accepted), false) =
                (accepts(group, vector), vector["result"] == "acceptable")
            else {
                continue;
            };
            let id = &vector["tcId"];
            assert_eq!(
                accepted,
                vector["result"] == "valid",
                "{file} {id}: {}",
                vector["comment"]
            );
            count += 1;
        }
    }
    assert!(count > 0, "{file}");
    eprintln!("{file}: {count} vectors");
}

fn check_signatures(file: &str, scheme: SignatureScheme) {
    run(file, |group, vector| {
        let key = octets(&group["publicKeyDer"]);
        let (message, signature) = (octets(&vector["msg"]), octets(&vector["sig"]));
        Some(
            RustCrypto
                .verify(&key, scheme, &message, &signature)
                .is_ok(),
        )
    });
}

#[test]
fn ecdsa() {
    check_signatures(
        "ecdsa_secp256r1_sha256_test.json",
        SignatureScheme::Ecdsa(Sha256),
    );
    check_signatures(
        "ecdsa_secp384r1_sha384_test.json",
        SignatureScheme::Ecdsa(Sha384),
    );
    check_signatures(
        "ecdsa_secp521r1_sha512_test.json",
        SignatureScheme::Ecdsa(Sha512),
    );
}

#[test]
fn ed25519() {
    check_signatures("ed25519_test.json", SignatureScheme::Ed25519);
}

#[test]
fn rsa_pkcs1v15() {
    for (size, digest) in [
        (2048, Sha256),
        (2048, Sha384),
        (2048, Sha512),
        (3072, Sha256),
    ] {
        let name = digest.to_string().replace('-', "");
        let file = format!("rsa_signature_{size}_{name}_test.json");
        check_signatures(&file, SignatureScheme::RsaPkcs1v15(digest));
    }
}

#[test]
fn rsa_pss() {
    let pss = |digest: DigestAlgorithm, salt_size| SignatureScheme::RsaPss { digest, salt_size };
    check_signatures("rsa_pss_2048_sha256_mgf1_0_test.json", pss(Sha256, 0));
    check_signatures("rsa_pss_2048_sha256_mgf1_32_test.json", pss(Sha256, 32));
    check_signatures(
        "rsa_pss_2048_sha256_mgf1_32_params_test.json",
        pss(Sha256, 32),
    );
    check_signatures("rsa_pss_2048_sha384_mgf1_48_test.json", pss(Sha384, 48));
    check_signatures(
        "rsa_pss_4096_sha512_mgf1_64_params_test.json",
        pss(Sha512, 64),
    );
}

#[test]
fn aes_key_wrap() {
    run("aes_wrap_test.json", |_, vector| {
        let wrapped = RustCrypto.wrap_key(&octets(&vector["key"]), &octets(&vector["msg"]));
        // Invalid ones are about unwrapping.
        (vector["result"] == "valid").then(|| wrapped == Ok(octets(&vector["ct"])))
    });
}

#[test]
fn aes_gcm() {
    run("aes_gcm_test.json", |group, vector| {
        let cipher = match group["keySize"].as_u64() {
            Some(128) => ContentCipher::Aes128Gcm,
            Some(192) => ContentCipher::Aes192Gcm,
            _ => ContentCipher::Aes256Gcm,
        };
        let is_ours = group["ivSize"] == 96 && vector["result"] == "valid";
        let (key, nonce) = (octets(&vector["key"]), octets(&vector["iv"]));
        let (associated, mut buffer) = (octets(&vector["aad"]), octets(&vector["msg"]));
        is_ours.then(|| {
            let tag = RustCrypto.encrypt_content(cipher, &key, &nonce, &associated, &mut buffer);
            let tag = tag.unwrap().unwrap().to_vec();
            buffer == octets(&vector["ct"]) && tag == octets(&vector["tag"])
        })
    });
}

#[test]
fn aes_cbc() {
    run("aes_cbc_pkcs5_test.json", |group, vector| {
        let cipher = match group["keySize"].as_u64() {
            Some(128) => ContentCipher::Aes128Cbc,
            Some(192) => ContentCipher::Aes192Cbc,
            _ => ContentCipher::Aes256Cbc,
        };
        let (key, nonce) = (octets(&vector["key"]), octets(&vector["iv"]));
        let mut buffer = octets(&vector["msg"]);
        (vector["result"] == "valid").then(|| {
            RustCrypto
                .encrypt_content(cipher, &key, &nonce, &[], &mut buffer)
                .unwrap();
            buffer == octets(&vector["ct"])
        })
    });
}

#[test]
fn hkdf() {
    run("hkdf_sha256_test.json", |_, vector| {
        let size = usize::try_from(vector["size"].as_u64().unwrap()).unwrap();
        let (secret, info) = (octets(&vector["ikm"]), octets(&vector["info"]));
        let salt = octets(&vector["salt"]);
        let hkdf = KeyDerivation::Hkdf {
            digest: Sha256,
            salt: &salt,
        };
        let key = RustCrypto.derive_key(hkdf, &secret, &info, size);
        Some(key.is_ok_and(|key| *key == octets(&vector["okm"])))
    });
}

/// The agreement makes its own key, so only the public keys can be tried: those of small order
/// must be refused.
#[test]
fn x25519_public_keys() {
    run("x25519_asn_test.json", |_, vector| {
        let agreed = RustCrypto.agree(&octets(&vector["public"]));
        if vector["flags"].to_string().contains("ZeroSharedSecret") {
            assert!(matches!(agreed, Err(ProviderError::MalformedKey(_))));
        }
        (vector["result"] == "valid").then(|| agreed.is_ok())
    });
}

/// Points that are not on the curve, and keys of other curves, are no recipients' keys.
#[test]
fn ecdh_public_keys() {
    for file in [
        "ecdh_secp256r1_test.json",
        "ecdh_secp384r1_test.json",
        "ecdh_secp521r1_test.json",
    ] {
        run(file, |_, vector| {
            let agreed = RustCrypto.agree(&octets(&vector["public"])).is_ok();
            // Keys of another curve are good keys, and only wrong for the vector's private key.
            let flags = vector["flags"].to_string();
            let is_about_the_point = flags.contains("InvalidCurveAttack");
            (vector["result"] == "valid" || is_about_the_point).then_some(agreed)
        });
    }
}
