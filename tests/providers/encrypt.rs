//! What we encrypt is decrypted by OpenSSL for exactly those it was meant for.

use super::common::{
    self, Person, Workbench, authority, context, context_at, mail, message, person,
};
use waxseal_message::{Message, entity};
use waxseal_smime::{
    Certificate, ContentCipher, EncryptOptions, HeaderProtection, KeyTransport, Protected,
    RecipientId, SignOptions, SignatureFormat, Then, classify, encrypt, recipients_of, sign,
    sign_encrypt, triple_wrap,
};

fn encrypted(recipients: &[&Person], options: &EncryptOptions) -> Message {
    let certificates: Vec<Certificate> = recipients
        .iter()
        .map(|person| person.certificate().clone())
        .collect();
    encrypt(&mail(), &certificates, options, &context())
        .unwrap()
        .into_message()
}

/// OpenSSL decrypts the mail for one recipient.
fn openssl_decrypts(mail: &Message, recipient: &Person) -> Vec<u8> {
    let bench = Workbench::new();
    bench.put("mail.eml", &mail.to_bytes());
    bench
        .certificate("cert.pem", recipient.certificate())
        .key("key.pem", &recipient.pkcs8);
    bench.run("cms -decrypt -in mail.eml -recip cert.pem -inkey key.pem -out content");
    bench.read("content")
}

fn check_openssl(key: &str, transports: &[KeyTransport]) {
    let recipient = person(key);
    for cipher in ContentCipher::ALL.iter().copied() {
        for key_transport in transports.iter().copied() {
            let options = EncryptOptions {
                cipher,
                key_transport,
                ..EncryptOptions::default()
            };
            let mail = encrypted(&[recipient], &options);
            let content = openssl_decrypts(&mail, recipient);
            assert_eq!(
                content,
                entity::prepare(&common::mail()).entity.to_bytes(),
                "{key} {options:?}"
            );
            assert_eq!(classify(&mail), Protected::Encrypted { within_floor: true });
        }
    }
}

#[test]
fn rule_03_openssl_decrypts_for_rsa() {
    check_openssl("rsa-2048", KeyTransport::ALL);
    check_openssl("rsa-3072", KeyTransport::ALL);
}

#[test]
fn rule_03_openssl_decrypts_for_ec() {
    for key in ["ec-p256", "ec-p384", "ec-p521"] {
        check_openssl(key, &[KeyTransport::Pkcs1v15]);
    }
}

/// OpenSSL 3.0 has no X25519 recipients. The steps of RFC 8418 are taken by hand, with the
/// agreement by OpenSSL and the HKDF of RFC 5869 by OpenSSL.
#[test]
fn rule_03_x25519_by_the_steps_of_rfc_8418() {
    use cms::enveloped_data::{EnvelopedData, OriginatorIdentifierOrKey, RecipientInfo};
    use der::{Decode, Encode};
    let recipient = person("x25519");
    let mail = encrypted(&[recipient], &EncryptOptions::default());
    let octets = mail.root().decoded().into_owned();
    let info = cms::content_info::ContentInfo::from_der(&octets).unwrap();
    let data: EnvelopedData = info.content.decode_as().unwrap();
    let RecipientInfo::Kari(kari) = data.recip_infos.0.iter().next().unwrap() else {
        panic!("no key agreement")
    };
    let OriginatorIdentifierOrKey::OriginatorKey(ephemeral) = &kari.originator else {
        panic!("no ephemeral key")
    };
    assert_eq!(
        kari.key_enc_alg.oid.to_string(),
        "1.2.840.113549.1.9.16.3.19"
    );

    let bench = Workbench::new();
    let ephemeral = spki::SubjectPublicKeyInfoOwned {
        algorithm: ephemeral.algorithm.clone(),
        subject_public_key: ephemeral.public_key.clone(),
    };
    bench.put(
        "peer.pem",
        common::pem("PUBLIC KEY", &ephemeral.to_der().unwrap()).as_bytes(),
    );
    bench.key("key.pem", &recipient.pkcs8);
    let secret = bench.run("pkeyutl -derive -inkey key.pem -peerkey peer.pem");
    // ECC-CMS-SharedInfo: id-aes256-wrap, and 256 bits.
    let info = "3015300b060960864801650304012da206040400000100";
    let key = bench.run(&format!(
        "kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:{} -kdfopt hexinfo:{info} -binary HKDF",
        hex(&secret)
    ));
    let wrapped = kari.recipient_enc_keys[0].enc_key.as_bytes();
    bench.put("wrapped", wrapped);
    let content_key = bench.run(&format!(
        "enc -d -id-aes256-wrap -iv a6a6a6a6a6a6a6a6 -K {} -in wrapped",
        hex(&key)
    ));
    let content = &data.encrypted_content;
    let iv = content.content_enc_alg.parameters.as_ref().unwrap().value();
    bench.put(
        "content",
        content.encrypted_content.as_ref().unwrap().as_bytes(),
    );
    let plain = bench.run(&format!(
        "enc -d -aes-256-cbc -K {} -iv {} -in content",
        hex(&content_key),
        hex(iv)
    ));
    assert_eq!(plain, entity::prepare(&common::mail()).entity.to_bytes());
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn rule_03_several_recipients_of_every_kind() {
    let all = [
        "rsa-2048", "rsa-3072", "ec-p256", "ec-p384", "ec-p521", "x25519",
    ]
    .map(person);
    let mail = encrypted(&all, &EncryptOptions::default());
    for recipient in &all[..5] {
        assert_eq!(
            openssl_decrypts(&mail, recipient),
            entity::prepare(&common::mail()).entity.to_bytes()
        );
    }
}

/// RSA signs the same octets the same way, and an opaque signature has no boundary.
#[test]
fn signing_and_encrypting_in_one_step_is_the_same_as_in_two() {
    let (signer, recipient) = (&person("rsa-2048").identity, person("rsa-2048"));
    let recipients = [recipient.certificate().clone()];
    let bulk = format!(
        "Subject: bulk\r\n\r\n{}",
        "lines and lines\r\n".repeat(5000)
    );
    for mail in [mail(), message(bulk.as_bytes())] {
        for header_protection in [HeaderProtection::Off, HeaderProtection::Shy] {
            let signature = SignOptions {
                format: SignatureFormat::Opaque,
                header_protection,
                then: Then::Encrypt,
                ..SignOptions::default()
            };
            let envelope = EncryptOptions {
                header_protection,
                ..EncryptOptions::default()
            };
            let signed = sign(&mail, signer, &signature, &context()).unwrap();
            let twice = encrypt(signed.message(), &recipients, &envelope, &context()).unwrap();
            let context = context();
            let once = sign_encrypt(&mail, signer, &signature, &recipients, &envelope, &context);
            let (once, twice) = (once.unwrap().into_message(), twice.into_message());
            assert_eq!(once.head(), twice.head());
            assert_eq!(
                openssl_decrypts(&once, recipient),
                openssl_decrypts(&twice, recipient)
            );
        }
    }
}

#[test]
fn rule_03_every_copy_has_a_fresh_key_and_nonce() {
    let one = encrypted(&[person("ec-p256")], &EncryptOptions::default());
    let other = encrypted(&[person("ec-p256")], &EncryptOptions::default());
    let (one, other) = (
        one.root().decoded().into_owned(),
        other.root().decoded().into_owned(),
    );
    assert_eq!(one.len(), other.len());
    let same = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(same < 16);
}

#[test]
fn rule_04_an_envelope_is_for_exactly_those_it_was_asked_for() {
    let (one, two) = (person("rsa-2048"), person("ec-p384"));
    let mail = encrypted(&[one, two, one], &EncryptOptions::default());
    let mut found = recipients_of(&mail).unwrap();
    let mut expected = [one, two]
        .map(|person| RecipientId::of(person.certificate()))
        .to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(
        found
            .iter()
            .all(|id| !id.names(person("ec-p256").certificate()))
    );
}

#[test]
fn rule_05_certificates_that_cannot_be_encrypted_to_are_named_errors() {
    let check = |person: &Person, now, expected: &str| {
        let certificates = [person.certificate().clone()];
        let result = encrypt(
            &mail(),
            &certificates,
            &EncryptOptions::default(),
            &context_at(now),
        );
        assert_eq!(result.err().unwrap().code(), expected);
    };
    let good = person("rsa-2048").certificate();
    check(
        person("rsa-2048"),
        good.not_after().plus(1),
        "certificate.expired",
    );
    check(
        person("rsa-2048"),
        good.not_before().plus(-1),
        "certificate.not-yet-valid",
    );
    check(person("ed25519"), common::NOW, "certificate.key-usage");
    check(authority(), common::NOW, "certificate.key-usage");
    let none = encrypt(&mail(), &[], &EncryptOptions::default(), &context());
    assert_eq!(none.err().unwrap().code(), "recipient.none");
}

#[test]
fn rule_11_keys_below_the_floor_get_no_mail() {
    let weak = common::foreign("rsa:1024", "keyEncipherment");
    let certificates = [weak.certificate().clone()];
    let now = weak.certificate().not_before();
    let result = encrypt(
        &mail(),
        &certificates,
        &EncryptOptions::default(),
        &context_at(now),
    );
    assert_eq!(result.err().unwrap().code(), "certificate.algorithm");
}

#[test]
fn rule_06_what_is_signed_is_encrypted_octet_for_octet() {
    for format in SignatureFormat::ALL.iter().copied() {
        let options = SignOptions {
            format,
            ..SignOptions::default()
        };
        let signer = &person("rsa-2048").identity;
        let signed = sign(&mail(), signer, &options, &context())
            .unwrap()
            .into_message();
        let recipient = person("ec-p256");
        let certificates = [recipient.certificate().clone()];
        let sealed = encrypt(
            &signed,
            &certificates,
            &EncryptOptions::default(),
            &context(),
        );
        let content = openssl_decrypts(sealed.unwrap().message(), recipient);
        assert!(content.ends_with(&signed.to_bytes()[signed.head().len() - 2..]));
        openssl_verifies(&content);
    }
}

fn openssl_verifies(entity: &[u8]) -> Vec<u8> {
    let bench = Workbench::new();
    bench
        .put("mail.eml", entity)
        .certificate("ca.pem", authority().certificate());
    bench.run(&format!(
        "cms -verify -in mail.eml -CAfile ca.pem -attime {} -out content",
        common::NOW.unix()
    ));
    bench.read("content")
}

#[test]
fn triple_wrap_opens_layer_by_layer() {
    for cipher in [ContentCipher::Aes256Cbc, ContentCipher::Aes256Gcm] {
        let (signer, recipient) = (&person("rsa-2048").identity, person("ec-p384"));
        let sealing = EncryptOptions {
            cipher,
            ..EncryptOptions::default()
        };
        let certificates = [recipient.certificate().clone()];
        let signing = SignOptions::default();
        let wrapped = triple_wrap(
            &mail(),
            signer,
            &signing,
            &certificates,
            &sealing,
            &signing,
            &context(),
        );
        let wrapped = wrapped.unwrap().into_message();
        let envelope = openssl_verifies(&wrapped.to_bytes());
        let signed = openssl_decrypts(&message(&envelope), recipient);
        assert_eq!(
            openssl_verifies(&signed),
            entity::prepare(&common::mail()).entity.to_bytes()
        );
    }
}

#[test]
fn a_mail_of_25_megabytes_goes_all_the_way() {
    let mut octets = b"From: a@example.org\r\nContent-Type: text/plain\r\n\r\n".to_vec();
    let line = [b"x".repeat(70), b"\r\n".to_vec()].concat();
    while octets.len() < 25_000_000 {
        octets.extend_from_slice(&line);
    }
    let large = message(&octets);
    let signing = SignOptions {
        format: SignatureFormat::Opaque,
        ..SignOptions::default()
    };
    let signed = sign(&large, &person("ec-p256").identity, &signing, &context()).unwrap();
    let recipient = person("rsa-2048");
    let certificates = [recipient.certificate().clone()];
    let sealed = encrypt(
        signed.message(),
        &certificates,
        &EncryptOptions::default(),
        &context(),
    );
    let content = openssl_decrypts(sealed.unwrap().message(), recipient);
    assert!(openssl_verifies(&content).ends_with(&line));
}
