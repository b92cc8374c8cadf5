//! Outbound mail as an operator sees it: the promises of DESIGN §5, §6 and §8, driven through
//! `waxseal run` and checked with OpenSSL.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use waxseal_tests::openssl;
use waxseal_tests::operator::{Policy, Ran};

const SECRET: &str = "the merger is on friday";
const CHIEF: &str = "chief@example.org";
const ALICE: &str = "alice@example.org";

/// The stock filter `rules` with one rule, and one profile named `p`.
fn policy(rule: &str, profile: &str) -> Policy {
    let policy = Policy::new(&format!(
        r#"
[[filter]]
name = "rules"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles:p"]
settings = "rules.json"

[origin]
authenticated = true
networks = ["10.0.0.0/8"]
domains = ["example.org"]

[profile.p]
{profile}
"#
    ));
    let rules = format!(r#"{{ "rules": [{rule}] }}"#);
    std::fs::write(policy.directory().join("rules.json"), rules).unwrap();
    policy
}

const APPLY: &str = r#"{ "then": { "apply": { "profile": "p" } } }"#;
const MUST: &str = r#"{ "then": { "require-encryption": "all", "apply": { "profile": "p" } } }"#;
const MUST_ONLY: &str = r#"{ "then": { "require-encryption": "all" } }"#;

/// The command compiles soon rather than well, so its frames are the largest.
#[test]
fn conditions_may_be_nested() {
    let nested = (0..20).fold(r#"{ "subject": "news" }"#.to_owned(), |inner, _| {
        format!(r#"{{ "not": {inner} }}"#)
    });
    let then = r#"{ "headers": { "add": { "X-Nested": "yes" } } }"#;
    let rule = format!(r#"{{ "when": {nested}, "then": {then} }}"#);
    let policy = policy(&rule, r#"mode = "sign""#);
    let ran = policy.run(&mail(CHIEF, ALICE), CHIEF, &[ALICE], &[]);
    assert_eq!(ran.copy().field("X-Nested"), Some("yes"));
}

fn mail(from: &str, to: &str) -> String {
    format!(
        "From: {from}\nTo: {to}\nSubject: news\nMessage-ID: <1@example.org>\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\n\n{SECRET}\n"
    )
}

/// Nothing was written, it says why, and the exit code is this one.
fn check_nothing_left(ran: &Ran, code: i32, cause: &str) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert!(ran.copies.is_empty(), "{ran:#?}");
    assert!(
        ran.causes().iter().any(|c| c == cause),
        "no cause {cause}: {ran:#?}"
    );
}

fn check_no_clear_copy(ran: &Ran) {
    for copy in &ran.copies {
        assert!(!copy.reveals(SECRET), "left in clear: {copy:#?}");
        assert!(
            copy.protections.contains(&"encrypted".to_owned()),
            "{copy:#?}"
        );
    }
}

#[test]
fn rule_12_the_chiefs_own_mail_is_signed() {
    let mut policy = policy(APPLY, "mode = \"sign\"");
    policy.signer("chief", CHIEF);
    let ran = policy.run(
        &mail(CHIEF, "bob@partner.example"),
        CHIEF,
        &["bob@partner.example"],
        &["--auth-user", CHIEF],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.copy().protections, ["signed"]);
    let inside = openssl::verify(&ran.copy().file, &policy.root()).expect("the signature verifies");
    assert!(String::from_utf8_lossy(&inside).contains(SECRET));
}

/// A stranger, an authenticated colleague, and a stranger who also forges the envelope write as
/// the chief: nobody gets the chief's signature.
#[test]
fn rule_12_nobody_else_gets_the_chiefs_signature() {
    let mut policy = policy(APPLY, "mode = \"sign\"");
    policy.signer("chief", CHIEF);
    policy.signer("alice", ALICE);
    let sessions: [(&str, &[&str]); 5] = [
        (CHIEF, &[]),
        (CHIEF, &["--client-ip", "203.0.113.9"]),
        (ALICE, &["--auth-user", ALICE]),
        (CHIEF, &["--auth-user", ALICE]),
        (CHIEF, &["--auth-user", ALICE, "--client-ip", "10.1.2.3"]),
    ];
    for (envelope, session) in sessions {
        let forms = [
            mail(CHIEF, "bob@partner.example"),
            // A Sender of her own, a second From, a display name and a comment change nothing.
            mail(&format!("{CHIEF}\nSender: {CHIEF}"), "bob@partner.example"),
            mail(&format!("\"{ALICE}\" <{CHIEF}>"), "bob@partner.example"),
            mail(&format!("{CHIEF} ({ALICE})"), "bob@partner.example"),
        ];
        for mail in forms {
            let ran = policy.run(&mail, envelope, &["bob@partner.example"], session);
            for copy in &ran.copies {
                assert!(
                    !copy.protections.contains(&"signed".to_owned()),
                    "{session:?} {ran:#?}"
                );
                assert!(!copy.text.contains("pkcs7"), "{session:?} {ran:#?}");
            }
            // Passed on unsigned, or refused with its cause: never silence.
            assert!(
                ran.code == Some(0) || !ran.causes().is_empty(),
                "{session:?} {ran:#?}"
            );
        }
    }
}

/// Rule 6: what only calls itself encrypted does not meet an obligation to encrypt.
#[test]
fn rule_6_fake_envelopes_do_not_leave_where_encryption_is_required() {
    let plain = base64(SECRET.as_bytes());
    let fakes = [
        format!(
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\n{SECRET}\n"
        ),
        format!(
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n{plain}\n"
        ),
        format!(
            "Content-Type: application/x-pkcs7-mime; name=smime.p7m\nContent-Disposition: attachment; filename=smime.p7m\n\n{SECRET}\n"
        ),
        format!(
            "Content-Type: application/octet-stream; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n{plain}\n"
        ),
        format!(
            "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data\nContent-Transfer-Encoding: base64\n\n{plain}\n"
        ),
    ];
    for fake in fakes {
        let mail = format!(
            "From: {CHIEF}\nTo: bob@partner.example\nSubject: news\nMIME-Version: 1.0\n{fake}"
        );
        let none = policy(MUST_ONLY, "mode = \"encrypt\"");
        let ran = none.run(
            &mail,
            CHIEF,
            &["bob@partner.example"],
            &["--auth-user", CHIEF],
        );
        assert!(matches!(ran.code, Some(69 | 75)), "{fake}\n{ran:#?}");
        assert!(
            ran.copies.is_empty() && !ran.causes().is_empty(),
            "{fake}\n{ran:#?}"
        );

        // With a profile and a certificate it is encrypted like anything else, or refused.
        let mut with = policy(MUST, "mode = \"encrypt\"");
        let bob = with.recipient("bob@partner.example");
        let ran = with.run(
            &mail,
            CHIEF,
            &["bob@partner.example"],
            &["--auth-user", CHIEF],
        );
        match ran.code {
            Some(0) => {
                check_no_clear_copy(&ran);
                openssl::decrypt(&ran.copy().file, &bob).expect("bob reads it");
            }
            _ => assert!(
                ran.copies.is_empty() && !ran.causes().is_empty(),
                "{fake}\n{ran:#?}"
            ),
        }
    }
}

/// Rule 6: a body that parses as an envelope, and holds text beside it. Readers of base64 pass over the text, and so would a gateway that trusts them.
#[test]
fn rule_6_text_beside_an_envelope_does_not_leave() {
    let mut policy = policy(MUST, "mode = \"encrypt\"");
    policy.recipient("bob@partner.example");
    let mail = mail(CHIEF, "bob@partner.example");
    let ran = policy.run(
        &mail,
        CHIEF,
        &["bob@partner.example"],
        &["--auth-user", CHIEF],
    );
    let envelope = std::fs::read_to_string(&ran.copy().file).expect("the copy");
    let (head, body) = envelope
        .split_once("\r\n\r\n")
        .expect("a header and a body");
    let padded = format!("{}====", body.trim_end().trim_end_matches('='));
    let beside = [
        format!("{head}\r\n\r\n{body}\r\n{SECRET}\r\n"),
        format!("{head}\r\n\r\n{padded}\r\n{SECRET}\r\n"),
        format!("{head}\r\n\r\n!-.:;\r\n{body}"),
    ];
    let nobody = self::policy(MUST_ONLY, "mode = \"encrypt\"");
    for fake in beside {
        let ran = nobody.run(
            &fake,
            CHIEF,
            &["bob@partner.example"],
            &["--auth-user", CHIEF],
        );
        check_nothing_left(&ran, 69, "recipient.no-certificate");
    }
    // The genuine one passes, so that the test above means something.
    let genuine = format!("{head}\r\n\r\n{body}");
    let ran = nobody.run(
        &genuine,
        CHIEF,
        &["bob@partner.example"],
        &["--auth-user", CHIEF],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

/// Opaque SignedData hides nothing: it does not count as encrypted either.
#[test]
fn rule_6_a_signature_is_no_envelope() {
    let mut signs = policy(APPLY, "mode = \"sign\"\nsignature = \"opaque\"");
    signs.signer("chief", CHIEF);
    let to = ["bob@partner.example"];
    let signed = signs.run(&mail(CHIEF, to[0]), CHIEF, &to, &["--auth-user", CHIEF]);
    let text = signed.copy().text.replace("\r\n", "\n");

    let requires = policy(MUST_ONLY, "mode = \"encrypt\"");
    for disguise in [text.clone(), text.replace("signed-data", "enveloped-data")] {
        let ran = requires.run(&disguise, CHIEF, &to, &["--auth-user", CHIEF]);
        assert!(matches!(ran.code, Some(69 | 75)), "{ran:#?}");
        assert!(
            ran.copies.is_empty() && !ran.causes().is_empty(),
            "{ran:#?}"
        );
    }
}

/// Rule 4: no copy's RecipientInfos name anyone but those whom the copy goes to, and nobody in
/// Bcc shares a copy.
#[test]
fn rule_4_no_envelope_names_a_bcc_recipient_of_another_copy() {
    for (mode, layers) in [("encrypt", 1), ("sign-encrypt", 1), ("triple-wrap", 3)] {
        let mut policy = policy(APPLY, &format!("mode = \"{mode}\"\nidentity = \"chief\""));
        policy.signer("chief", CHIEF);
        let open = ["ann@partner.example", "bob@partner.example"];
        let hidden = ["carl@partner.example", "dora@elsewhere.example"];
        let people: Vec<_> = open
            .iter()
            .chain(&hidden)
            .map(|address| policy.recipient(address))
            .collect();
        let to: Vec<&str> = people.iter().map(|p| p.address.as_str()).collect();
        // Carl stands in the Bcc field too, Dora only in the envelope; Bob in Cc, in other case.
        let text = mail(CHIEF, "Ann <ann@PARTNER.example>").replace(
            "\nSubject",
            "\nCc: bob@Partner.Example\nBcc: carl@partner.example\nSubject",
        );
        let ran = policy.run(&text, CHIEF, &to, &["--auth-user", CHIEF]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");

        let groups: BTreeSet<_> = ran.copies.iter().map(|c| c.recipients.clone()).collect();
        let expected = [vec![open[0], open[1]], vec![hidden[0]], vec![hidden[1]]];
        let expected = expected.map(|g| g.into_iter().map(str::to_owned).collect());
        assert_eq!(groups, BTreeSet::from(expected), "{mode}");
        for copy in &ran.copies {
            assert_eq!(copy.field("Bcc"), None, "{mode}: {copy:#?}");
            assert_eq!(copy.field("Message-ID"), Some("<1@example.org>"));
            let envelope = if layers == 1 {
                copy.file.clone()
            } else {
                let inside = openssl::verify(&copy.file, &policy.root()).unwrap();
                let file = policy.elsewhere("envelope");
                std::fs::write(&file, inside).unwrap();
                file
            };
            let named = openssl::recipients(&envelope);
            let meant = people
                .iter()
                .filter(|p| copy.recipients.contains(&p.address));
            assert_eq!(
                named,
                meant.map(|p| p.serial).collect(),
                "{mode}: {:?}",
                copy.recipients
            );
            for person in &people {
                let reads = openssl::decrypt(&envelope, person).is_some_and(|inside| {
                    mode != "encrypt" || String::from_utf8_lossy(&inside).contains(SECRET)
                });
                // A stranger's key may make noise of CBC, but never the content.
                if copy.recipients.contains(&person.address) {
                    assert!(reads, "{mode}: {} cannot read", person.address);
                }
            }
        }
    }
}

/// DESIGN §5: every action for a recipient without a certificate, where encryption is required:
/// nothing leaves in clear, whatever the profile says.
#[test]
fn a_missing_certificate_never_means_clear_where_encryption_is_required() {
    let to = ["bob@partner.example", "eve@nowhere.example"];
    let text = mail(CHIEF, "bob@partner.example, eve@nowhere.example");
    for action in [
        "bounce",
        "drop",
        "split",
        "encrypt-or-bounce-rest",
        "defer",
        "quarantine",
    ] {
        let mut policy = policy(
            MUST,
            &format!("mode = \"encrypt\"\nmissing-certificate = \"{action}\""),
        );
        let bob = policy.recipient(to[0]);
        let ran = policy.run(&text, CHIEF, &to, &["--auth-user", CHIEF]);
        check_no_clear_copy(&ran);
        assert!(ran.copy_for(to[1]).is_none(), "{action}: {ran:#?}");
        match action {
            "bounce" => check_nothing_left(&ran, 69, "recipient.no-certificate"),
            "defer" => check_nothing_left(&ran, 75, "recipient.no-certificate"),
            // Nobody could keep it safely: the policy has no [quarantine].
            "quarantine" => check_nothing_left(&ran, 75, "quarantine.no-address"),
            _ => {
                assert_eq!(ran.code, Some(0), "{action}: {ran:#?}");
                let inside = openssl::decrypt(&ran.copy().file, &bob).unwrap();
                assert!(
                    String::from_utf8_lossy(&inside).contains(SECRET),
                    "{action}"
                );
                assert!(
                    !ran.causes().is_empty(),
                    "{action}: eve's loss has no cause: {ran:#?}"
                );
            }
        }
    }
}

/// Without the obligation, `split` is what it says.
#[test]
fn split_encrypts_for_those_who_can_read_it() {
    let mut policy = policy(APPLY, "mode = \"encrypt\"\nmissing-certificate = \"split\"");
    let bob = policy.recipient("bob@partner.example");
    let to = ["bob@partner.example", "eve@nowhere.example"];
    let ran = policy.run(
        &mail(CHIEF, &to.join(", ")),
        CHIEF,
        &to,
        &["--auth-user", CHIEF],
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(openssl::decrypt(&ran.copy_for(to[0]).unwrap().file, &bob).is_some());
    assert!(ran.copy_for(to[1]).unwrap().reveals(SECRET));
}

/// An obligation without a profile that would meet it is named.
#[test]
fn an_obligation_that_nobody_meets_stops_the_mail() {
    let mut policy = policy(MUST_ONLY, "mode = \"encrypt\"");
    policy.recipient("bob@partner.example");
    let to = ["bob@partner.example"];
    let ran = policy.run(&mail(CHIEF, to[0]), CHIEF, &to, &["--auth-user", CHIEF]);
    assert!(matches!(ran.code, Some(69 | 75)), "{ran:#?}");
    assert!(
        ran.copies.is_empty() && !ran.causes().is_empty(),
        "{ran:#?}"
    );
}

/// Sign once, encrypt for each: the recipient finds a valid signature inside.
#[test]
fn sign_encrypt_and_triple_wrap_open_layer_by_layer() {
    for mode in ["sign-encrypt", "triple-wrap"] {
        let mut policy = policy(APPLY, &format!("mode = \"{mode}\""));
        policy.signer("chief", CHIEF);
        let bob = policy.recipient("bob@partner.example");
        let to = ["bob@partner.example"];
        let ran = policy.run(&mail(CHIEF, to[0]), CHIEF, &to, &["--auth-user", CHIEF]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        check_no_clear_copy(&ran);
        let layer = policy.elsewhere("layer");
        std::fs::copy(&ran.copy().file, &layer).unwrap();
        if mode == "triple-wrap" {
            let inside = openssl::verify(&layer, &policy.root()).expect("outer signature");
            std::fs::write(&layer, inside).unwrap();
        }
        let inside = openssl::decrypt(&layer, &bob).expect("envelope");
        std::fs::write(&layer, inside).unwrap();
        let inside = openssl::verify(&layer, &policy.root()).expect("inner signature");
        assert!(String::from_utf8_lossy(&inside).contains(SECRET));
    }
}

/// The certificate of a stranger to the trust anchors is not encrypted to, once paths are
/// required; one that is expired never is. Here: one that is for another address.
#[test]
fn rule_5_a_certificate_for_another_address_is_not_used() {
    let mut policy = policy(APPLY, "mode = \"encrypt\"");
    policy.recipient("robert@partner.example");
    let to = ["bob@partner.example"];
    let ran = policy.run(&mail(CHIEF, to[0]), CHIEF, &to, &["--auth-user", CHIEF]);
    check_nothing_left(&ran, 69, "recipient.no-certificate");
}

fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quantum = |chunk: &[u8]| -> String {
        let bits =
            chunk.iter().fold(0u32, |bits, o| bits << 8 | u32::from(*o)) << (8 * (3 - chunk.len()));
        let sextet = |i: usize| char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]);
        (0..4)
            .map(|i| if i <= chunk.len() { sextet(i) } else { '=' })
            .collect()
    };
    octets.chunks(3).map(quantum).collect()
}
