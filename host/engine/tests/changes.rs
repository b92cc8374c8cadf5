//! What of a copy differs from the message that came in: through `Engine::process`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod operator;

use operator::{MAIL, Operator};
use waxseal_engine::Change;
use waxseal_policy::plan::ProtectionMode;

fn check(rules: &str, expected: Change) {
    let mut operator = Operator::new(ProtectionMode::Encrypt)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    operator.rules = rules.into();
    let delivery = operator.delivery(MAIL.as_bytes());
    let copy = &delivery.copies[0];
    assert_eq!(copy.change(MAIL.as_bytes()), expected, "{rules}");
    // Equal octets in another place are equal, too.
    assert_eq!(copy.change(&copy.message.to_bytes()), Change::Nothing);
    let mut other = copy.message.to_bytes().to_vec();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(copy.change(&other), Change::Body);
    assert_eq!(copy.change(b""), Change::Body);
}

#[test]
fn a_copy_says_how_it_differs() {
    check(r#"{ "rules": [] }"#, Change::Nothing);
    check(
        r#"{ "rules": [{ "then": { "headers": { "add": { "X-Seen": "yes" } } } }] }"#,
        Change::Header,
    );
    check(
        r#"{ "rules": [{ "then": { "apply": { "profile": "p" } } }] }"#,
        Change::Body,
    );
}
