//! What is kept for a person, and that nothing is kept where it could leave in clear (DESIGN §8):
//! through `Engine::process`, with the stock filter `rules`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod operator;

use operator::{ALICE, MAIL, Operator};
use waxseal_engine::{Change, Disposition, LayerMade, Outcome, OutgoingCopy, Quarantine};
use waxseal_message::Address;
use waxseal_policy::plan::ProtectionMode;

const GUARD: &str = "guard@example.org";
const KEPT: &str = r#"{ "rules": [{ "then": { "verdict": { "quarantine": "look" } } }] }"#;
const KEPT_IF_ENCRYPTED: &str = r#"{ "rules": [
    { "then": { "require-encryption": "all", "headers": { "add": { "X-Seen": "yes" } } } },
    { "then": { "verdict": { "quarantine": "look" } } }] }"#;

/// Everything is kept, at this address and by this profile.
fn keeping(rules: &'static str, at: Option<(&str, Option<&str>)>) -> Operator {
    let mut operator = Operator::new(ProtectionMode::Encrypt).recipient("bob@example.net");
    operator.rules = rules.into();
    operator.quarantine = at.map(|(address, profile)| Quarantine {
        address: Address::parse(address).unwrap(),
        profile: profile.map(str::to_owned),
    });
    operator
}

fn kept(outcome: Outcome) -> Option<OutgoingCopy> {
    match outcome.disposition {
        Disposition::Quarantine { copy, reason, .. } => {
            assert_eq!(reason, "look");
            copy
        }
        other => panic!("not kept: {other:?}"),
    }
}

fn deferred(outcome: Outcome) -> String {
    let Disposition::Defer(refused) = outcome.disposition else {
        panic!("not deferred: {:?}", outcome.disposition)
    };
    assert_eq!(
        refused.reply.to_string(),
        "451 4.7.1 the message cannot be kept for inspection now; try again later"
    );
    refused.causes.last().unwrap().code.clone()
}

#[test]
fn without_an_address_the_front_end_keeps_what_may_leave_in_clear() {
    let outcome = keeping(KEPT, None).process(MAIL.as_bytes());
    assert!(kept(outcome).is_none());
}

#[test]
fn without_a_profile_the_message_is_kept_as_received() {
    let outcome = keeping(KEPT, Some((GUARD, None))).process(MAIL.as_bytes());
    let copy = kept(outcome).unwrap();
    assert_eq!(copy.message.to_bytes(), MAIL.as_bytes());
    assert_eq!(copy.change(MAIL.as_bytes()), Change::Nothing);
    assert_eq!(copy.recipients[0].address.to_string(), GUARD);
}

#[test]
fn a_profile_encrypts_the_message_as_received_to_the_address() {
    let operator = keeping(KEPT_IF_ENCRYPTED, Some((GUARD, Some("p")))).recipient(GUARD);
    let copy = kept(operator.process(MAIL.as_bytes())).unwrap();
    assert_eq!(copy.layers, [LayerMade::Encrypted]);
    assert!(copy.message.first("X-Seen").is_none(), "no filter's change");
    assert_eq!(copy.change(MAIL.as_bytes()), Change::Body);
}

#[test]
fn what_must_be_encrypted_is_not_kept_in_clear() {
    let must = |at| deferred(keeping(KEPT_IF_ENCRYPTED, at).process(MAIL.as_bytes()));
    assert_eq!(must(None), "quarantine.no-address");
    assert_eq!(must(Some((GUARD, None))), "quarantine.not-encrypted");
    assert_eq!(must(Some((GUARD, Some("p")))), "recipient.no-certificate");
}

#[test]
fn an_envelope_is_kept_as_it_came() {
    let operator = Operator::new(ProtectionMode::Encrypt)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let arrived = operator.delivery(MAIL.as_bytes()).copies[0]
        .message
        .to_bytes();
    for profile in [None, Some("p")] {
        let outcome = keeping(KEPT_IF_ENCRYPTED, Some((GUARD, profile))).process(&arrived);
        assert_eq!(kept(outcome).unwrap().change(&arrived), Change::Nothing);
    }
}

#[test]
fn a_profile_that_cannot_encrypt_defers_what_nobody_obliged() {
    let outcome = keeping(KEPT, Some((GUARD, Some("p")))).process(MAIL.as_bytes());
    assert_eq!(deferred(outcome), "recipient.no-certificate");
}

#[test]
fn an_outcome_says_whose_it_is_and_how_long_it_took() {
    let outcome = Operator::new(ProtectionMode::Sign)
        .identity(ALICE, -1..1)
        .process(MAIL.as_bytes());
    assert!(outcome.ours);
    assert_eq!(outcome.direction.unwrap().as_str(), "outbound");
    let stages = outcome.stages;
    assert!(!stages.filters.is_zero() && !stages.crypto.is_zero());
    assert!(stages.crypto <= stages.filters + stages.copies);
}
