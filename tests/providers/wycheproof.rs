//! Project Wycheproof's vectors for everything that the provider does. What they call valid must
//! pass, what they call invalid must not; of what they call acceptable it is only counted how
//! much passes. Each file prints one line.
//!
//! RSA decryption has no errors to look for: its rejection shows in that the key which comes out
//! does not depend on how the ciphertext was padded.

use super::common::corpus;
use crate::PROVIDER;
use serde_json::Value;
use spki::SubjectPublicKeyInfoRef;
use spki::der::Decode;
use std::collections::BTreeMap;
use std::path::Path;
use waxseal_smime::{
    ContentCipher, DigestAlgorithm, KeyDerivation, KeyWrap, PrivateKey, Provider, ProviderError,
    SignatureScheme, TransportScheme,
};

/// What the provider made of a vector.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Passed,
    Refused,
    NotForUs(&'static str),
}
use Outcome::{NotForUs, Passed, Refused};

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed { Passed } else { Refused }
    }
}

type Judge = fn(&Value, &Value) -> Outcome;

/// How the files whose names begin so are judged.
const JUDGES: &[(&str, Judge)] = &[
    ("aes_cbc_pkcs5", aes_cbc),
    ("aes_ccm", |_, _| NotForUs("no cipher of rule 11")),
    ("aes_gcm", aes_gcm),
    ("aes_wrap", aes_wrap),
    ("chacha20", |_, _| NotForUs("no cipher of rule 11")),
    ("ecdh_secp", ecdh),
    ("ecdsa_secp", |group, vector| {
        digest(&group["sha"]).map_or_else(NotForUs, |digest| {
            signature(SignatureScheme::Ecdsa(digest), group, vector)
        })
    }),
    ("ed25519", |group, vector| {
        signature(SignatureScheme::Ed25519, group, vector)
    }),
    ("ed448", |_, _| NotForUs("no signature of rule 11")),
    ("hkdf", hkdf),
    ("pbes2", pbes2),
    ("pbkdf2_hmacsha1", |_, vector| {
        pbkdf2(DigestAlgorithm::Sha1, vector)
    }),
    ("pbkdf2_hmacsha256", |_, vector| {
        pbkdf2(DigestAlgorithm::Sha256, vector)
    }),
    ("rsa_oaep", rsa_oaep),
    ("rsa_pkcs1", rsa_pkcs1),
    ("rsa_pss", rsa_pss),
    ("rsa_signature", |group, vector| {
        digest(&group["sha"]).map_or_else(NotForUs, |digest| {
            signature(SignatureScheme::RsaPkcs1v15(digest), group, vector)
        })
    }),
    ("x25519", x25519),
];

/// One test for each of the judges, so that they run side by side.
mod files_of {
    macro_rules! boards {
        ($($name:ident)+) => { $(
            #[test]
            fn $name() {
                super::board(stringify!($name));
            }
        )+ };
    }

    boards! {
        aes_cbc_pkcs5 aes_ccm aes_gcm aes_wrap chacha20 ecdh_secp ecdsa_secp ed25519 ed448 hkdf
        pbes2 pbkdf2 rsa_oaep rsa_pkcs1_2048 rsa_pkcs1_4096 rsa_pss rsa_signature x25519
    }
}

#[test]
fn every_file_has_a_judge() {
    let Some(set) = corpus("wycheproof") else {
        return;
    };
    let judged = files(&set).filter(|name| judge_of(name).is_some()).count();
    assert_eq!(judged, files(&set).count());
    assert!(judged >= 40);
}

fn files(set: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = std::fs::read_dir(set).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    names.into_iter()
}

fn judge_of(file: &str) -> Option<Judge> {
    let mut judges = JUDGES.iter();
    judges
        .find(|(prefix, _)| file.starts_with(prefix))
        .map(|(_, judge)| *judge)
}

fn board(prefix: &str) {
    let Some(set) = corpus("wycheproof") else {
        return;
    };
    let mut wrong = Vec::new();
    for file in files(&set).filter(|file| file.starts_with(prefix)) {
        let text = std::fs::read(set.join(&file)).unwrap();
        let vectors: Value = serde_json::from_slice(&text).unwrap();
        wrong.extend(judge_file(&file, &vectors, judge_of(&file).unwrap()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prints the file's line, and gives the vectors where we differ.
fn judge_file(file: &str, vectors: &Value, judge: Judge) -> Vec<String> {
    let (mut tests, mut agreed, mut acceptable, mut taken) = (0, 0, 0, 0);
    let mut not_for_us = BTreeMap::<&str, usize>::new();
    let mut wrong = Vec::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        for vector in group["tests"].as_array().unwrap() {
            tests += 1;
            let outcome = judge(group, vector);
            match (outcome, vector["result"].as_str().unwrap()) {
                (NotForUs(reason), _) => *not_for_us.entry(reason).or_default() += 1,
                (Passed, "valid") | (Refused, "invalid") => agreed += 1,
                (_, "acceptable") => {
                    acceptable += 1;
                    taken += usize::from(outcome == Passed);
                }
                (_, result) => wrong.push(format!(
                    "{file} {}: {result}, {}",
                    vector["tcId"], vector["comment"]
                )),
            }
        }
    }
    assert!(tests > 0, "{file}");
    eprintln!(
        "{} {file}: {tests} tests, {agreed} agreed, {} differ, {acceptable} acceptable ({taken} \
         pass), not for us {not_for_us:?}",
        env!("CARGO_PKG_NAME"),
        wrong.len()
    );
    wrong
}

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

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn digest(name: &Value) -> Result<DigestAlgorithm, &'static str> {
    match name.as_str().unwrap() {
        "SHA-1" => Ok(DigestAlgorithm::Sha1),
        "SHA-224" => Ok(DigestAlgorithm::Sha224),
        "SHA-256" => Ok(DigestAlgorithm::Sha256),
        "SHA-384" => Ok(DigestAlgorithm::Sha384),
        "SHA-512" => Ok(DigestAlgorithm::Sha512),
        _ => Err("no digest of rule 11"),
    }
}

fn signature(scheme: SignatureScheme, group: &Value, vector: &Value) -> Outcome {
    let key = octets(&group["publicKeyDer"]);
    let (message, signature) = (octets(&vector["msg"]), octets(&vector["sig"]));
    PROVIDER
        .verify(&key, scheme, &message, &signature)
        .is_ok()
        .into()
}

fn rsa_pss(group: &Value, vector: &Value) -> Outcome {
    let digests = digest(&group["sha"]).and_then(|sha| Ok((sha, digest(&group["mgfSha"])?)));
    match digests {
        Ok((digest, mask_digest)) => {
            let scheme = SignatureScheme::RsaPss {
                digest,
                mask_digest,
                salt_size: size(&group["sLen"]),
            };
            signature(scheme, group, vector)
        }
        Err(reason) => NotForUs(reason),
    }
}

fn rsa_pkcs1(group: &Value, vector: &Value) -> Outcome {
    rsa_decryption(&TransportScheme::Pkcs1v15, group, vector)
}

fn rsa_oaep(group: &Value, vector: &Value) -> Outcome {
    let digests = digest(&group["sha"]).and_then(|sha| Ok((sha, digest(&group["mgfSha"])?)));
    match digests {
        Ok((digest, mask_digest)) => {
            let scheme = TransportScheme::Oaep {
                digest,
                mask_digest,
                label: octets(&vector["label"]),
            };
            rsa_decryption(&scheme, group, vector)
        }
        Err(reason) => NotForUs(reason),
    }
}

/// The key's size is the message's: a content key's size is known from its cipher.
fn rsa_decryption(scheme: &TransportScheme, group: &Value, vector: &Value) -> Outcome {
    let key = PROVIDER
        .load_key(&octets(&group["privateKeyPkcs8"]))
        .unwrap();
    let (encrypted, message) = (octets(&vector["ct"]), octets(&vector["msg"]));
    if vector["result"] == "valid" {
        let found = key.decrypt_key(scheme, &encrypted, message.len()).unwrap();
        return (*found == message).into();
    }
    let sizes = [message.len(), 16, 24, 32];
    let rejects = |size| size == 0 || rejected(&*key, scheme, &encrypted, size);
    (!sizes.into_iter().all(rejects)).into()
}

/// True when what comes out depends on key and ciphertext only: the same again, and the same as
/// for a padding that it surely does not have.
fn rejected(key: &dyn PrivateKey, scheme: &TransportScheme, encrypted: &[u8], size: usize) -> bool {
    let surely_not = TransportScheme::Oaep {
        digest: DigestAlgorithm::Sha1,
        mask_digest: DigestAlgorithm::Sha1,
        label: b"a label that no vector has".to_vec(),
    };
    let Ok(instead) = key.decrypt_key(&surely_not, encrypted, size) else {
        return true;
    };
    let Ok(found) = key.decrypt_key(scheme, encrypted, size) else {
        return true;
    };
    assert_eq!(found.len(), size);
    assert_eq!(
        Ok(&found),
        key.decrypt_key(scheme, encrypted, size).as_ref()
    );
    found == instead
}

fn aes_wrap(_: &Value, vector: &Value) -> Outcome {
    let (key, wrapped) = (octets(&vector["key"]), octets(&vector["ct"]));
    let message = octets(&vector["msg"]);
    let found = PROVIDER.unwrap_key(&KeyWrap::Aes, &key, &wrapped);
    if vector["result"] == "valid" {
        assert_eq!(PROVIDER.wrap_key(&key, &message), Ok(wrapped));
    }
    found.is_ok_and(|found| *found == message).into()
}

fn aes_gcm(group: &Value, vector: &Value) -> Outcome {
    let cipher = match group["keySize"].as_u64() {
        Some(128) => ContentCipher::Aes128Gcm,
        Some(192) => ContentCipher::Aes192Gcm,
        _ => ContentCipher::Aes256Gcm,
    };
    let (key, nonce) = (octets(&vector["key"]), octets(&vector["iv"]));
    let (associated, tag) = (octets(&vector["aad"]), octets(&vector["tag"]));
    let (message, encrypted) = (octets(&vector["msg"]), octets(&vector["ct"]));
    // We write nonces of twelve octets only (RFC 5084 §3.2).
    if vector["result"] == "valid" && nonce.len() == 12 {
        let mut buffer = message.clone();
        let made = PROVIDER.encrypt_content(cipher, &key, &nonce, &associated, &mut buffer);
        assert_eq!(made.unwrap().unwrap()[..], tag);
        assert_eq!(buffer, encrypted);
    }
    decrypts(
        cipher,
        &key,
        &nonce,
        &associated,
        Some(&tag),
        encrypted,
        &message,
    )
}

fn aes_cbc(group: &Value, vector: &Value) -> Outcome {
    let cipher = match group["keySize"].as_u64() {
        Some(128) => ContentCipher::Aes128Cbc,
        Some(192) => ContentCipher::Aes192Cbc,
        _ => ContentCipher::Aes256Cbc,
    };
    let (key, iv) = (octets(&vector["key"]), octets(&vector["iv"]));
    let (message, encrypted) = (octets(&vector["msg"]), octets(&vector["ct"]));
    if vector["result"] == "valid" {
        let mut buffer = message.clone();
        let made = PROVIDER.encrypt_content(cipher, &key, &iv, &[], &mut buffer);
        assert_eq!((made, &buffer), (Ok(None), &encrypted));
    }
    decrypts(cipher, &key, &iv, &[], None, encrypted, &message)
}

/// Rule 8: what fails leaves an empty buffer.
fn decrypts(
    cipher: ContentCipher,
    key: &[u8],
    nonce: &[u8],
    associated: &[u8],
    tag: Option<&[u8]>,
    mut buffer: Vec<u8>,
    message: &[u8],
) -> Outcome {
    match PROVIDER.decrypt_content(cipher, key, nonce, associated, tag, &mut buffer) {
        Ok(()) => (buffer == message).into(),
        Err(error) => {
            assert_eq!((error, buffer), (ProviderError::BadCiphertext, vec![]));
            Refused
        }
    }
}

fn hkdf(_: &Value, vector: &Value) -> Outcome {
    let salt = octets(&vector["salt"]);
    let derivation = KeyDerivation::Hkdf {
        digest: DigestAlgorithm::Sha256,
        salt: &salt,
    };
    let (secret, info) = (octets(&vector["ikm"]), octets(&vector["info"]));
    let key = PROVIDER.derive_key(derivation, &secret, &info, size(&vector["size"]));
    key.is_ok_and(|key| *key == octets(&vector["okm"])).into()
}

fn password_key(digest: DigestAlgorithm, vector: &Value, size: usize) -> Vec<u8> {
    let iterations = vector["iterationCount"].as_u64().unwrap();
    let derivation = KeyDerivation::Pbkdf2 {
        digest,
        iterations: u32::try_from(iterations).unwrap(),
    };
    let (password, salt) = (octets(&vector["password"]), octets(&vector["salt"]));
    let key = PROVIDER.derive_key(derivation, &password, &salt, size);
    key.unwrap().to_vec()
}

fn pbkdf2(digest: DigestAlgorithm, vector: &Value) -> Outcome {
    let expected = octets(&vector["dk"]);
    (password_key(digest, vector, expected.len()) == expected).into()
}

fn pbes2(_: &Value, vector: &Value) -> Outcome {
    let key = password_key(DigestAlgorithm::Sha256, vector, 32);
    let (iv, message) = (octets(&vector["iv"]), octets(&vector["msg"]));
    let encrypted = octets(&vector["ct"]);
    decrypts(
        ContentCipher::Aes256Cbc,
        &key,
        &iv,
        &[],
        None,
        encrypted,
        &message,
    )
}

/// The point of a key for this algorithm identifier; `None` for every other one.
fn point<'a>(info: &'a [u8], algorithm: &[u8]) -> Option<&'a [u8]> {
    use spki::der::Encode;
    let info = SubjectPublicKeyInfoRef::from_der(info).ok()?;
    let is_the_one = info.algorithm.to_der().ok()? == algorithm;
    info.subject_public_key.as_bytes().filter(|_| is_the_one)
}

fn agrees(pkcs8: &[u8], public: Option<&[u8]>, vector: &Value) -> Outcome {
    let (Some(public), Ok(key)) = (public, PROVIDER.load_key(pkcs8)) else {
        return Refused;
    };
    match key.agree(public) {
        Ok(shared) => (*shared == octets(&vector["shared"])).into(),
        Err(error) => {
            assert_eq!(error, ProviderError::BadCiphertext);
            Refused
        }
    }
}

fn ecdh(group: &Value, vector: &Value) -> Outcome {
    let (curve, size): (&[u8], usize) = match group["curve"].as_str().unwrap() {
        "secp256r1" => (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 32),
        "secp384r1" => (&[0x2b, 0x81, 0x04, 0x00, 0x22], 48),
        "secp521r1" => (&[0x2b, 0x81, 0x04, 0x00, 0x23], 66),
        other => panic!("{other}"),
    };
    let ec = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let algorithm = tlv(0x30, &[tlv(0x06, &ec), tlv(0x06, curve)].concat());
    let number = octets(&vector["private"]);
    let significant = number.iter().position(|octet| *octet != 0).unwrap();
    let mut scalar = vec![0; size];
    scalar[size - (number.len() - significant)..].copy_from_slice(&number[significant..]);
    // RFC 5915 §3 inside RFC 5958 §2.
    let key = tlv(0x30, &[tlv(0x02, &[1]), tlv(0x04, &scalar)].concat());
    let pkcs8 = tlv(
        0x30,
        &[tlv(0x02, &[0]), algorithm.clone(), tlv(0x04, &key)].concat(),
    );
    let public = octets(&vector["public"]);
    agrees(&pkcs8, point(&public, &algorithm), vector)
}

/// DER of less than 128 octets.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    assert!(length < 0x80);
    [&[tag, length], value].concat()
}

fn x25519(_: &Value, vector: &Value) -> Outcome {
    let algorithm = tlv(0x30, &tlv(0x06, &[0x2b, 0x65, 0x6e]));
    let public = octets(&vector["public"]);
    let outcome = agrees(
        &octets(&vector["private"]),
        point(&public, &algorithm),
        vector,
    );
    // RFC 8418 §2: a shared secret of zeros is refused, whatever the vectors think of it.
    if vector["flags"].to_string().contains("ZeroSharedSecret") {
        assert!(outcome == Refused);
        assert!(PROVIDER.agree(&public).is_err());
    }
    outcome
}
