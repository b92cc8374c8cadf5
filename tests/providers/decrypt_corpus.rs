//! Envelopes of other people: the corpus, with what each file is said to give.

use super::common::{self, Person, Workbench, corpus, from_pem, message, opening, opening_with};
use crate::PROVIDER;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use waxseal_smime::open::{Opened, Opening, Secret, State, open, open_cms};
use waxseal_smime::{Certificate, Identity, Provider};

use State::{DecryptedUnauthenticated as Unauthenticated, Malformed, Unsupported, Weak};

fn holder(certificate: &[u8], pkcs8: &[u8]) -> &'static Person {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = PROVIDER.load_key(pkcs8).unwrap();
    let identity = Identity::new("holder", certificate, vec![], Arc::from(key)).unwrap();
    Box::leak(Box::new(Person {
        identity,
        pkcs8: pkcs8.to_vec(),
    }))
}

fn read(root: &Path, name: &str) -> Vec<u8> {
    std::fs::read(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Certificate and key from PEM files, as OpenSSL understands them.
fn from_pem_files(certificate: PathBuf, key: PathBuf) -> &'static Person {
    let bench = Workbench::new();
    let pkcs8 = format!("pkcs8 -topk8 -nocrypt -outform der -in {}", key.display());
    let der = format!("x509 -outform der -in {}", certificate.display());
    holder(&bench.run(&der), &bench.run(&pkcs8))
}

fn key(hex: &str) -> Secret {
    let pairs = hex.as_bytes().chunks(2);
    let octets =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    Secret::Key {
        identifier: None,
        key: octets.collect::<Vec<u8>>().into(),
    }
}

/// A mail, PEM or bare octets.
fn opened(octets: &[u8], opening: &Opening<'_>) -> Opened {
    if octets.starts_with(b"-----BEGIN") {
        open_cms(&from_pem(octets), None, opening).unwrap()
    } else if octets.first() == Some(&0x30) {
        open_cms(octets, None, opening).unwrap()
    } else {
        open(&message(octets), opening)
    }
}

fn check(root: &Path, name: &str, opening: &Opening<'_>, state: State, content: Option<&[u8]>) {
    let opened = opened(&read(root, name), opening);
    let layer = &opened.layers[0];
    assert_eq!(layer.state, state, "{name}: {:?}", layer.problem);
    assert_eq!(layer.problem.is_none(), state.is_good(), "{name}");
    if let Some(content) = content {
        assert_eq!(opened.content.as_deref(), Some(content), "{name}");
    } else if !state.is_good() {
        assert_eq!(opened.content, None, "{name}");
    }
}

#[test]
fn rfc_4134() {
    let Some(root) = corpus("rfc4134") else {
        return;
    };
    let bob = holder(
        &read(&root, "BobRSASignByCarl.cer"),
        &read(&root, "BobPrivRSAEncrypt.pri"),
    );
    let content = &b"This is some sample content."[..];
    let secrets = [key("737c791f25ead0e04629254352f7dc6291e5cb26917ada32")];
    let allowing = Opening {
        allow_weak: true,
        secrets: &secrets,
        ..opening_with(&[bob])
    };
    for name in ["5.1.bin", "5.2.bin", "7.1.bin", "7.2.bin"] {
        check(&root, name, &allowing, Unauthenticated, Some(content));
        let strict = Opening {
            secrets: &secrets,
            ..opening_with(&[bob])
        };
        check(&root, name, &strict, Weak, None);
    }
    check(&root, "5.3.eml", &allowing, Unauthenticated, None);
    check(&root, "6.0.bin", &opening(), State::Expanded, Some(content));
    let weak = opened(&read(&root, "5.1.bin"), &allowing)
        .layers
        .remove(0)
        .weak;
    assert_eq!(weak, ["des-ede3-cbc", "rsa-1024"]);
}

#[test]
fn openssl() {
    let Some(root) = corpus("openssl") else {
        return;
    };
    let pem = |name: &str| from_pem_files(root.join(name), root.join(name));
    let of = |certificate: &str, key: &str| from_pem_files(root.join(certificate), root.join(key));
    let ec = pem("smime-certs/smec3.pem");
    let rsa = pem("smime-certs/smrsa3.pem");
    let ecdh = of("cms_data/ecdh-cert.pem", "cms_data/ecdh-key.pem");
    let secrets = [
        Secret::Password(b"password".to_vec().into()),
        key("000102030405060708090a0b0c0d0e0f"),
        key("000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"),
    ];
    let everything = Opening {
        allow_weak: true,
        secrets: &secrets,
        ..opening_with(&[ec, rsa, ecdh])
    };
    let content = read(&root, "smcont.txt");
    let old = opened(
        &read(&root, "cms_data/ciphertext_from_1_1_1.cms"),
        &everything,
    );
    assert_eq!(old.layers[0].state, Unauthenticated);
    assert_eq!(old.content.as_deref(), Some(&content[..]));
    for (name, state) in [
        ("cms_data/ecdh-malformed.der", Malformed),
        ("cms_data/dh-malformed.der", State::NoKey),
        ("cms_data/rsa-malformed.der", Malformed),
        ("cms_data/pkcs7-md4-encrypted.pem", Unsupported),
        (
            "cms-msg/enveloped-content-type-for-aes-gcm.pem",
            Unsupported,
        ),
        ("cms-msg/missing-kdf.der", Unsupported),
        ("cmsapi_data/encDataWithTooLongIV.pem", Malformed),
        ("cmsapi_data/cms_pwri_kek_oob.der", Unsupported),
    ] {
        check(&root, name, &everything, state, None);
    }
}

#[test]
fn cryptography() {
    let Some(root) = corpus("cryptography-pkcs7") else {
        return;
    };
    let Some(keys) = corpus("cryptography-x509") else {
        return;
    };
    let holder = from_pem_files(keys.join("ca/rsa_ca.pem"), keys.join("ca/rsa_key.pem"));
    let allowing = Opening {
        allow_weak: true,
        ..opening_with(&[holder])
    };
    check(
        &root,
        "enveloped-rsa-oaep.pem",
        &opening_with(&[holder]),
        Unauthenticated,
        None,
    );
    check(
        &root,
        "enveloped-triple-des.pem",
        &opening_with(&[holder]),
        Weak,
        None,
    );
    check(
        &root,
        "enveloped-triple-des.pem",
        &allowing,
        Unauthenticated,
        None,
    );
    check(&root, "enveloped.pem", &allowing, State::NoKey, None);
    let no_content = read(&root, "enveloped-no-content.der");
    assert!(open_cms(&no_content, None, &allowing).is_err());
}

#[test]
fn rustcrypto() {
    let Some(root) = corpus("rustcrypto-cms") else {
        return;
    };
    let text = read(&root, "data.txt");
    let secrets = [Secret::Password(b"password".to_vec().into())];
    let with_password = Opening {
        secrets: &secrets,
        ..opening()
    };
    check(
        &root,
        "enveloped_data_pwri.bin",
        &with_password,
        Unauthenticated,
        None,
    );
    check(
        &root,
        "enveloped_data_multi.bin",
        &with_password,
        Unauthenticated,
        None,
    );
    check(
        &root,
        "digested_data.bin",
        &opening(),
        State::Expanded,
        None,
    );
    check(
        &root,
        "compressed_data.bin",
        &opening(),
        State::Expanded,
        None,
    );
    let expanded = opened(&read(&root, "compressed_data.bin"), &opening());
    let is_same = |one: &[u8], other: &[u8]| {
        let significant = |text: &[u8]| -> Vec<u8> {
            text.iter()
                .copied()
                .filter(|octet| *octet != b'\r')
                .collect()
        };
        significant(one) == significant(other)
    };
    assert!(is_same(expanded.content.as_deref().unwrap(), &text));
    let decrypted = opened(&read(&root, "enveloped_data_pwri.bin"), &with_password);
    assert!(is_same(decrypted.content.as_deref().unwrap(), &text));
    let stranger = common::person("rsa-2048");
    for name in common::files(&root).into_iter().map(|(name, _)| name) {
        let of_kem_or_kms = name.contains("kemri") || name.contains("kms");
        if of_kem_or_kms {
            check(&root, &name, &opening_with(&[stranger]), State::NoKey, None);
            check_closed(&root, &name);
        }
    }
}

fn check_closed(root: &Path, name: &str) {
    let opened = opened(&read(root, name), &opening());
    assert_eq!(opened.layers[0].state, State::Closed, "{name}");
    assert_eq!(opened.layers[0].recipients.len(), 1, "{name}");
}

#[test]
fn lamps_protected_headers() {
    let Some(root) = corpus("lamps-protected-headers") else {
        return;
    };
    let bench = Workbench::new();
    bench.put("bob.p12", &from_pem(&read(&root, "bob.p12")));
    let pem = bench.run("pkcs12 -in bob.p12 -nodes -passin pass:bob -legacy");
    bench.put("bob.pem", &pem);
    let pkcs8 = bench.run("pkcs8 -topk8 -nocrypt -outform der -in bob.pem");
    let bob = holder(&bench.run("x509 -outform der -in bob.pem"), &pkcs8);
    let allowing = Opening {
        allow_weak: true,
        ..opening_with(&[bob])
    };
    for name in [
        "smime-enc+legacy-disp",
        "smime-sign+enc",
        "smime-sign+enc+legacy-disp",
    ] {
        let opened = opened(&read(&root, &format!("{name}.eml")), &allowing);
        let layer = opened
            .layers
            .iter()
            .find(|layer| layer.kind.name() == "encrypted");
        let layer = layer.unwrap_or_else(|| panic!("{name}: {:?}", opened.layers));
        assert!(layer.state.is_good(), "{name}: {:?}", layer.problem);
        assert_eq!(layer.opened_by.as_deref(), Some("holder"), "{name}");
    }
}

/// Whatever the octets are, there is a result, and what is not authentic is never called that.
#[test]
fn fuzz_seeds() {
    let secrets = [
        Secret::Password(b"password".to_vec().into()),
        key("000102030405060708090a0b0c0d0e0f"),
    ];
    let everything = Opening {
        allow_weak: true,
        secrets: &secrets,
        ..opening_with(&[common::person("rsa-2048"), common::person("ec-p256")])
    };
    let mut count = 0;
    for set in ["openssl-fuzz-cms", "openssl-fuzz-smime"] {
        let Some(root) = corpus(set) else { return };
        for (name, octets) in common::files(&root) {
            let Ok(opened) = open_cms(&octets, None, &everything) else {
                continue;
            };
            count += 1;
            for layer in &opened.layers {
                assert_ne!(layer.state, State::Decrypted, "{name}");
            }
        }
    }
    eprintln!("fuzz seeds that read as CMS: {count}");
    assert!(count > 10, "{count}");
}
