//! The identities of RFC 9216 sign, and get encrypted mail.

use super::common::{NOW, Person, Workbench, context, corpus, from_pem, mail};
use crate::PROVIDER;
use std::path::Path;
use std::sync::Arc;
use waxseal_message::entity;
use waxseal_smime::{
    Certificate, EncryptOptions, Identity, KeyAlgorithm, Provider, SignOptions, encrypt, sign,
};

fn certificate(set: &Path, file: &str) -> Certificate {
    Certificate::from_der(&from_pem(&std::fs::read(set.join(file)).unwrap())).unwrap()
}

fn load(set: &Path, certificate_file: &str, key_file: &str) -> Person {
    let pkcs8 = from_pem(&std::fs::read(set.join(key_file)).unwrap());
    let key = PROVIDER.load_key(&pkcs8).unwrap();
    let certificate = certificate(set, certificate_file);
    let identity = Identity::new("sample", certificate, vec![], Arc::from(key)).unwrap();
    Person { identity, pkcs8 }
}

const RSA_ROOT: &str = "3-1-rsa-certification-authority-root-certificate.crt";
const ED_ROOT: &str = "6-1-ed25519-certification-authority-root-certificate.crt";

/// Signing and encryption identity of somebody: the number of the section, and the name.
fn sample(set: &Path, section: u8, name: &str) -> (Person, Person) {
    let signing = load(
        set,
        &format!("{section}-1-{name}-s-signature-verification-end-entity-certificate.crt"),
        &format!("{section}-2-{name}-s-signing-private-key-material.key"),
    );
    let decrypting = load(
        set,
        &format!("{section}-3-{name}-s-encryption-end-entity-certificate.crt"),
        &format!("{section}-4-{name}-s-decryption-private-key-material.key"),
    );
    (signing, decrypting)
}

#[test]
fn identities_of_rfc_9216_sign_and_receive() {
    let Some(set) = corpus("rfc9216") else { return };
    for (section, name, root) in [
        (4, "alice", RSA_ROOT),
        (5, "bob", RSA_ROOT),
        (7, "carlos", ED_ROOT),
        (8, "dana", ED_ROOT),
    ] {
        let (signing, decrypting) = sample(&set, section, name);
        let encryption = decrypting.certificate().clone();
        let signer = signing
            .identity
            .clone()
            .with_encryption_certificate(encryption.clone());
        let signed = sign(&mail(), &signer, &SignOptions::default(), &context()).unwrap();
        let bench = Workbench::new();
        bench.put("mail.eml", &signed.message().to_bytes());
        bench.certificate("root.pem", &certificate(&set, root));
        if signing.certificate().key_algorithm() != KeyAlgorithm::Ed25519 {
            bench.run(&format!(
                "cms -verify -in mail.eml -CAfile root.pem -attime {} -out content",
                NOW.unix()
            ));
        }
        let sealed = encrypt(
            signed.message(),
            &[encryption],
            &EncryptOptions::default(),
            &context(),
        );
        let sealed = sealed.unwrap();
        if decrypting.certificate().key_algorithm() != KeyAlgorithm::X25519 {
            bench.put("sealed.eml", &sealed.message().to_bytes());
            bench.certificate("cert.pem", decrypting.certificate());
            bench.key("key.pem", &decrypting.pkcs8);
            bench.run("cms -decrypt -in sealed.eml -recip cert.pem -inkey key.pem -out content");
            assert_eq!(
                bench.read("content"),
                entity::prepare(signed.message()).entity.to_bytes()
            );
        }
    }
}
