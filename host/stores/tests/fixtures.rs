//! Identities and certificates from the files of `tests/fixtures`, which OpenSSL made.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use waxseal_message::Address;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{CertificateSource, Identity, Origin, Time};
use waxseal_stores::{
    CertificateDirectory, Passphrase, Secret, load_anchors, load_identity, read_certificates,
    read_identities,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn given(passphrase: &str) -> Option<Passphrase> {
    Some(Passphrase::Given(Secret::new(passphrase)))
}

/// `subject <chain, joined by commas`, for each identity; or the code of the error.
fn load(file: &str, key: Option<&str>, passphrase: Option<Passphrase>) -> String {
    let key = key.map(fixture);
    match load_identity(
        "alice",
        &fixture(file),
        key.as_deref(),
        passphrase,
        &RustCrypto,
    ) {
        Ok(loaded) => loaded
            .identities
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join("; "),
        Err(error) => error.code().to_owned(),
    }
}

fn shown(identity: &Identity) -> String {
    let chain: Vec<String> = identity.chain.iter().map(|each| each.subject()).collect();
    format!(
        "{} {} <{}",
        identity.certificate.subject(),
        identity.certificate.key_algorithm(),
        chain.join(",")
    )
}

const SIGN: &str = "CN=Alice rsa-2048 <CN=Fixture Intermediate";
const SIGN_ALONE: &str = "CN=Alice rsa-2048 <";
const ENCRYPT: &str = "CN=Alice ec-p256 <";

#[test]
fn keys_in_every_form() {
    for key in ["sign.key", "pkcs1.key", "pkcs8-key.der", "pkcs1-key.der"] {
        assert_eq!(load("sign.crt", Some(key), None), SIGN_ALONE, "{key}");
    }
    for key in ["encrypt.key", "sec1.key", "sec1-key.der"] {
        assert_eq!(load("encrypt-crt.der", Some(key), None), ENCRYPT, "{key}");
    }
}

#[test]
fn encrypted_keys_in_every_form() {
    for key in [
        "pbes2-aes.key",
        "pbes2-3des-key.der",
        "scrypt.key",
        "PBE-MD5-DES.key",
        "PBE-SHA1-RC2-64.key",
        "PBE-SHA1-2DES.key",
        "PBE-SHA1-RC2-128.key",
    ] {
        assert_eq!(
            load("encrypt.crt", Some(key), given("fixture")),
            ENCRYPT,
            "{key}"
        );
        assert_eq!(
            load("encrypt.crt", Some(key), given("other")),
            "passphrase.wrong",
            "{key}"
        );
        assert_eq!(
            load("encrypt.crt", Some(key), None),
            "passphrase.missing",
            "{key}"
        );
    }
    assert_eq!(
        load("encrypt.crt", Some("old-pem.key"), given("fixture")),
        "file.unsupported"
    );
}

#[test]
fn bundles_and_containers() {
    assert_eq!(load("bundle.pem", None, None), SIGN);
    for file in ["aes.p12", "legacy.p12"] {
        assert_eq!(load(file, None, given("fixture")), SIGN, "{file}");
        assert_eq!(
            load(file, None, given("Fixture")),
            "passphrase.wrong",
            "{file}"
        );
        assert_eq!(load(file, None, None), "passphrase.missing", "{file}");
    }
    assert_eq!(load("unicode.p12", None, given("grüße 😀")), ENCRYPT);
    assert_eq!(load("empty.p12", None, None), ENCRYPT);
    assert_eq!(load("empty.p12", None, given("")), ENCRYPT);
    assert_eq!(load("no-mac.p12", None, given("fixture")), ENCRYPT);
    assert_eq!(load("no-mac.p12", None, given("other")), "passphrase.wrong");
}

#[test]
fn what_does_not_belong_together_is_named() {
    assert_eq!(load("sign.crt", None, None), "file.no-key");
    assert_eq!(load("sign.crt", Some("root.crt"), None), "file.no-key");
    assert_eq!(load("sign.key", None, None), "file.no-certificate");
    assert_eq!(
        load("sign.crt", Some("encrypt.key"), None),
        "identity.no-match"
    );
    assert_eq!(load("make.sh", None, None), "file.damaged");
    assert_eq!(load("absent", None, None), "file.unreadable");
}

#[test]
fn damage_is_no_wrong_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let check = |octets: &[u8], expected: &str| {
        let path = directory.path().join("x.p12");
        fs::write(&path, octets).unwrap();
        let error = load_identity("x", &path, None, given("fixture"), &RustCrypto).unwrap_err();
        assert_eq!(error.code(), expected);
    };
    let whole = fs::read(fixture("aes.p12")).unwrap();
    check(&whole[..whole.len() - 1], "file.damaged");
    check(&whole[..40], "file.damaged");
    check(&[], "file.no-certificate");
    // The MAC's value is the last octet string but one: flip a bit, and content still opens.
    let mut mac = whole.clone();
    let at = mac.len() - 20;
    mac[at] ^= 1;
    check(&mac, "file.damaged");
}

/// Many prefixes and bit flips: a named error or a result, no panic, no hang.
#[test]
fn hostile_octets() {
    let secret = Secret::new("fixture");
    for name in [
        "no-mac.p12",
        "both.p7b",
        "sec1.key",
        "pbes2-3des-key.der",
        "encrypt.crt",
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x81;
            for octets in [&whole[..at], &flipped] {
                drop(read_identities("x", octets, Some(&secret), &RustCrypto));
                drop(read_certificates(octets));
            }
        }
    }
}

#[test]
fn a_pair_for_signing_and_one_for_encryption() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pair.pem");
    let parts = [
        "encrypt.key",
        "root.crt",
        "encrypt.crt",
        "sign.crt",
        "intermediate.crt",
        "sign.key",
    ];
    let pem: String = parts
        .map(|part| fs::read_to_string(fixture(part)).unwrap())
        .concat();
    fs::write(&path, pem).unwrap();
    let loaded = load_identity("alice", &path, None, None, &RustCrypto).unwrap();
    assert_eq!(loaded.identities.len(), 2);
    let signer = loaded.into_signer(Time::from_unix(0)).unwrap();
    assert_eq!(shown(&signer), SIGN);
    let encryption = signer.encryption_certificate.unwrap();
    assert_eq!(encryption.key_algorithm().to_string(), "ec-p256");
}

#[test]
fn an_identity_that_only_decrypts_has_no_signer() {
    let path = fixture("encrypt.crt");
    let key = fixture("encrypt.key");
    let loaded = load_identity("alice", &path, Some(&key), None, &RustCrypto).unwrap();
    let error = loaded.signer(Time::from_unix(0)).unwrap_err();
    assert_eq!(error.code(), "identity.no-signer");
}

#[test]
fn passphrases_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passphrase");
    fs::write(&path, "fixture\n").unwrap();
    assert_eq!(
        load("aes.p12", None, Some(Passphrase::File(path.clone()))),
        SIGN
    );
    fs::write(&path, "fixture\n\n").unwrap();
    assert_eq!(
        load("aes.p12", None, Some(Passphrase::File(path))),
        "passphrase.wrong"
    );
    let absent = Passphrase::File(directory.path().join("absent"));
    assert_eq!(load("aes.p12", None, Some(absent)), "file.unreadable");
    let unset = Passphrase::Environment("WAXSEAL_TEST_UNSET".into());
    assert_eq!(load("aes.p12", None, Some(unset)), "passphrase.no-variable");
}

/// A directory with the given files copied in: (fixture, where).
fn directory_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, place) in files {
        let path = directory.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixture(name), path).unwrap();
    }
    directory
}

fn found(store: &CertificateDirectory, address: &str) -> Vec<(Origin, String)> {
    let found = store.find(&Address::parse(address).unwrap()).unwrap();
    found
        .into_iter()
        .map(|each| (each.origin, each.certificate.key_algorithm().to_string()))
        .collect()
}

#[test]
fn a_directory_by_address_and_domain() {
    let directory = directory_of(&[
        ("both.p7b", "alice.p7b"),
        ("encrypt.crt", "pinned/alice.pem"),
        ("domain.crt", "partners/domain.txt"),
        ("make.sh", "README"),
        ("sign.key", ".hidden.pem"),
        ("root.crt", "partners/deeper/root.crt"),
    ]);
    let store = CertificateDirectory::open(directory.path()).unwrap();
    assert!(store.problems().is_empty(), "{:?}", store.problems());
    let alice = [
        (Origin::Pinned, "ec-p256".to_owned()),
        (Origin::Imported, "rsa-2048".to_owned()),
    ];
    assert_eq!(found(&store, "Alice@example.org"), alice);
    assert_eq!(found(&store, "alice@EXAMPLE.org"), alice);
    assert_eq!(
        found(&store, "anyone@partner.example"),
        [(Origin::Imported, "ec-p256".to_owned())]
    );
    assert_eq!(found(&store, "anyone@sub.partner.example"), []);
    assert_eq!(found(&store, "bob@example.org"), []);
    assert_eq!(
        store.entries().len(),
        3,
        "the copy that is pinned counts once"
    );
}

#[test]
fn bad_files_are_named_and_hide_no_others() {
    let directory = directory_of(&[
        ("sign.crt", "a.crt"),
        ("sign.key", "b.pem"),
        ("aes.p12", "c.p12"),
        ("make.sh", "d.cer"),
    ]);
    let mut cut = fs::read(fixture("encrypt.crt")).unwrap();
    cut.truncate(300);
    fs::write(directory.path().join("e.crt"), cut).unwrap();
    let store = CertificateDirectory::open(directory.path()).unwrap();
    let problems: Vec<_> = store
        .problems()
        .iter()
        .map(|problem| format!("{} {}", problem.file.display(), problem.error.code()))
        .collect();
    assert_eq!(
        problems,
        [
            "b.pem file.no-certificate",
            "c.p12 passphrase.missing",
            "d.cer file.damaged",
            "e.crt file.damaged"
        ]
    );
    assert_eq!(found(&store, "alice@example.org").len(), 1);
    assert!(CertificateDirectory::open(&directory.path().join("absent")).is_err());
}

#[test]
fn anchors_of_a_file_and_of_a_directory() {
    assert_eq!(load_anchors(&fixture("root.crt")).unwrap().len(), 1);
    let directory = directory_of(&[("root.crt", "root.crt"), ("make.sh", "README")]);
    assert_eq!(load_anchors(directory.path()).unwrap().len(), 1);
    fs::write(
        directory.path().join("broken.pem"),
        "-----BEGIN CERTIFICATE-----\n",
    )
    .unwrap();
    assert_eq!(
        load_anchors(directory.path()).unwrap_err().code(),
        "file.damaged"
    );
}
