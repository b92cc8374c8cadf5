//! What we encrypt is decrypted by those it was meant for, and by nobody else.

use super::common::{self, Person, context, mail, opening, opening_with, person};
use waxseal_message::{Message, entity};
use waxseal_smime::open::{LayerKind, Opened, State, open};
use waxseal_smime::{
    Certificate, ContentCipher, EncryptOptions, KeyTransport, RecipientId, encrypt,
};

const RECIPIENTS: [&str; 6] = [
    "rsa-2048", "rsa-3072", "ec-p256", "ec-p384", "ec-p521", "x25519",
];

fn encrypted(recipients: &[&Person], options: &EncryptOptions) -> Message {
    let certificates: Vec<Certificate> = recipients
        .iter()
        .map(|person| person.certificate().clone())
        .collect();
    encrypt(&mail(), &certificates, options, &context())
        .unwrap()
        .into_message()
}

fn check_opened(opened: &Opened, cipher: ContentCipher, what: &str) {
    let layer = &opened.layers[0];
    let (kind, state) = if cipher.is_authenticated() {
        (LayerKind::AuthEnveloped, State::Decrypted)
    } else {
        (LayerKind::Enveloped, State::DecryptedUnauthenticated)
    };
    assert_eq!((layer.kind, layer.state), (kind, state), "{what}");
    assert_eq!(layer.problem, None, "{what}");
    assert_eq!(layer.cipher, Some(cipher.to_string()), "{what}");
    assert_eq!(layer.opened_by.as_deref(), Some("person"), "{what}");
    assert!(layer.weak.is_empty(), "{what}");
    let expected = entity::prepare(&mail()).entity.to_bytes();
    assert_eq!(opened.content.as_deref(), Some(&expected[..]), "{what}");
}

#[test]
fn rule_03_every_cipher_for_every_kind_of_key() {
    for name in RECIPIENTS {
        let recipient = person(name);
        for cipher in ContentCipher::ALL.iter().copied() {
            for key_transport in KeyTransport::ALL.iter().copied() {
                let options = EncryptOptions {
                    cipher,
                    key_transport,
                    ..EncryptOptions::default()
                };
                let mail = encrypted(&[recipient], &options);
                let opened = open(&mail, &opening_with(&[recipient]));
                check_opened(&opened, cipher, &format!("{name} {options:?}"));
                let named = RecipientId::of(recipient.certificate());
                assert_eq!(opened.layers[0].recipients, [named]);
            }
        }
    }
}

#[test]
fn rule_03_one_of_several_recipients() {
    let all = RECIPIENTS.map(person);
    let mail = encrypted(&all, &EncryptOptions::default());
    for recipient in all {
        let opened = open(&mail, &opening_with(&[recipient]));
        check_opened(&opened, ContentCipher::Aes256Cbc, "several");
        assert_eq!(opened.layers[0].recipients.len(), all.len());
    }
    // With all keys at once as well.
    let opened = open(&mail, &opening_with(&all));
    check_opened(&opened, ContentCipher::Aes256Cbc, "all keys");
}

#[test]
fn nothing_opens_without_the_right_key() {
    let mail = encrypted(&[person("ec-p256")], &EncryptOptions::default());
    for (keys, expected, code) in [
        (vec![], State::Closed, None),
        (
            vec![person("rsa-2048"), person("ec-p384")],
            State::NoKey,
            Some("decrypt.no-key"),
        ),
    ] {
        let opened = open(&mail, &opening_with(&keys));
        let layer = &opened.layers[0];
        assert_eq!(layer.state, expected);
        assert_eq!(layer.problem.as_ref().map(|problem| problem.code), code);
        assert_eq!(layer.cipher.as_deref(), Some("aes-256-cbc"));
        assert_eq!(layer.recipients.len(), 1);
        assert_eq!(opened.content, None);
        assert_eq!(opened.message.unwrap().to_bytes(), mail.to_bytes());
    }
}

#[test]
fn rule_11_a_small_key_is_weak() {
    let bench = common::Workbench::new();
    let holder = Box::leak(Box::new(common::foreign("rsa:1024", "keyEncipherment")));
    bench.certificate("cert.pem", holder.certificate());
    bench.put("entity", b"Content-Type: text/plain\r\n\r\nhello\r\n");
    let octets = bench.run("cms -encrypt -in entity -binary -aes128 cert.pem");
    let mail = common::message(&octets);
    let opened = open(&mail, &opening_with(&[holder]));
    let layer = &opened.layers[0];
    assert_eq!((layer.state, opened.content), (State::Weak, None));
    assert_eq!(layer.weak, ["rsa-1024"]);
    let allowing = waxseal_smime::open::Opening {
        allow_weak: true,
        keys: vec![&holder.identity],
        ..opening()
    };
    let opened = open(&mail, &allowing);
    let layer = &opened.layers[0];
    assert_eq!(layer.state, State::DecryptedUnauthenticated);
    assert_eq!(layer.weak, ["rsa-1024"]);
}
