//! Whose key signs (DESIGN §6 rules 12 and 14), how often (rule 4), and what is not signed
//! again (rule 6): through `Engine::process`, with the stock filter `rules`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod operator;

use std::sync::atomic::Ordering;

use operator::{ALICE, GATEWAY, MAIL, NOW, Operator};
use waxseal_engine::{Delivery, Disposition, IdentityChoice, MissingIdentity, Outcome};
use waxseal_message::Limits;
use waxseal_policy::plan::{MissingCertificate, ProtectionMode};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::Time;
use waxseal_smime::open::{Opening, open};

fn signer(delivery: &Delivery) -> String {
    let opening = Opening {
        provider: &AwsLc,
        now: Time::from_unix(NOW),
        limits: &Limits::default(),
        keys: Vec::new(),
        secrets: &[],
        trust: None,
        certificates: &[],
        allow_weak: false,
        clock_skew: 0,
    };
    let opened = open(&delivery.copies[0].message, &opening);
    let signer = opened.layers[0].signatures[0].signer.as_ref();
    signer.unwrap().subject()
}

fn cause(outcome: &Outcome) -> String {
    match &outcome.disposition {
        Disposition::Reject(refused) => format!("reject {}", refused.causes[0].code),
        Disposition::Defer(refused) => format!("defer {}", refused.causes[0].code),
        other => format!("{other:?}"),
    }
}

#[test]
fn rule_14_the_newest_valid_identity_signs() {
    let operator = Operator::new(ProtectionMode::Sign)
        .identity(ALICE, -90..30)
        .identity(ALICE, -10..300)
        .identity(ALICE, -5..-1)
        .identity(ALICE, 1..900);
    assert_eq!(
        signer(&operator.delivery(MAIL.as_bytes())),
        "CN=alice@example.org -10"
    );
}

#[test]
fn rule_14_an_expired_identity_is_an_error_and_never_silence() {
    let operator = Operator::new(ProtectionMode::Sign)
        .identity(ALICE, -90..-1)
        .with(|profile| profile.missing_identity = MissingIdentity::Unsigned);
    assert_eq!(
        cause(&operator.process(MAIL.as_bytes())),
        "defer identity.expired"
    );
}

#[test]
fn a_sender_without_an_identity_is_what_the_profile_says() {
    for (missing, expected) in [
        (MissingIdentity::Bounce, "reject identity.missing"),
        (MissingIdentity::Defer, "defer identity.missing"),
    ] {
        let operator = Operator::new(ProtectionMode::Sign)
            .identity(GATEWAY, -1..1)
            .with(|profile| profile.missing_identity = missing);
        assert_eq!(cause(&operator.process(MAIL.as_bytes())), expected);
    }
    let operator = Operator::new(ProtectionMode::Sign)
        .with(|profile| profile.missing_identity = MissingIdentity::Unsigned);
    let delivery = operator.delivery(MAIL.as_bytes());
    assert_eq!(delivery.copies[0].message.to_bytes(), MAIL.as_bytes());
    assert_eq!(delivery.copies[0].notes[0].code, "identity.missing");
}

fn gateway() -> Operator {
    let operator = Operator::new(ProtectionMode::Sign).identity(GATEWAY, -1..1);
    let name = operator.identities[0].identity.name.clone();
    operator.with(|profile| profile.identity = IdentityChoice::Named(name))
}

#[test]
fn rule_12_a_gateway_adds_a_sender_that_matches_its_certificate() {
    let delivery = gateway().delivery(MAIL.as_bytes());
    let message = &delivery.copies[0].message;
    assert_eq!(message.first("Sender").unwrap().value(), GATEWAY);
    assert_eq!(message.first("From").unwrap().value(), ALICE);
}

#[test]
fn rule_12_a_gateway_signs_what_claims_no_author() {
    let delivery = gateway().delivery(b"To: bob@example.net\r\n\r\nhi\r\n");
    assert_eq!(signer(&delivery), "CN=gateway@example.org -1");
}

#[test]
fn without_an_author_nobody_signs_by_sender() {
    let operator = Operator::new(ProtectionMode::Sign).identity(ALICE, -1..1);
    let outcome = operator.process(b"From: nobody\r\nTo: bob@example.net\r\n\r\nhi\r\n");
    assert_eq!(cause(&outcome), "reject sign.no-author");
}

#[test]
fn rule_04_all_copies_share_one_signature() {
    let operator = Operator::new(ProtectionMode::SignEncrypt)
        .identity(ALICE, -1..1)
        .recipient("bob@example.net")
        .with(|profile| profile.missing_certificate = MissingCertificate::Split);
    let delivery = operator.delivery(MAIL.as_bytes());
    assert_eq!(delivery.copies.len(), 2, "one envelope, one copy in clear");
    assert_eq!(operator.signatures.load(Ordering::Relaxed), 1);
    for copy in &delivery.copies {
        let id = copy.message.first("Message-ID").map(|field| field.value());
        assert_eq!(id.as_deref(), Some("<1@example.org>"));
    }
}

#[test]
fn rule_06_a_signed_message_is_not_signed_again() {
    let operator = Operator::new(ProtectionMode::Sign).identity(ALICE, -1..1);
    let once = operator.delivery(MAIL.as_bytes()).copies[0]
        .message
        .to_bytes();
    let twice = operator.delivery(&once);
    assert_eq!(twice.copies[0].message.to_bytes(), once);
    assert_eq!(twice.copies[0].notes[0].code, "sign.already-protected");
}

#[test]
fn rule_06_an_envelope_is_not_encrypted_again() {
    let operator = Operator::new(ProtectionMode::Encrypt)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let once = operator.delivery(MAIL.as_bytes()).copies[0]
        .message
        .to_bytes();
    let twice = operator.delivery(&once);
    assert_eq!(twice.copies[0].message.to_bytes(), once);
}

#[test]
fn a_triple_wrap_has_its_three_layers() {
    let operator = Operator::new(ProtectionMode::TripleWrap)
        .identity(ALICE, -1..1)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let delivery = operator.delivery(MAIL.as_bytes());
    let made: Vec<_> = delivery.copies[0]
        .layers
        .iter()
        .map(|layer| layer.as_str())
        .collect();
    assert_eq!(made, ["signed", "encrypted", "signed"]);
}
