//! Settings and judgements, without a host.

use waxseal_guest::{
    Filter,
    inspect::{Kind, Layer, Layers, Signature, State},
    settings::parse,
};

use crate::{
    Judgement,
    settings::{Action, Inbound},
};

fn signed(state: State) -> Layer {
    let mut signature = Signature::default();
    signature.matches_from = true;
    let mut layer = Layer::new(Kind::Signed, state);
    layer.signatures = vec![signature];
    layer
}

fn by_another() -> Layer {
    let mut layer = signed(State::Valid);
    layer.signatures[0].matches_from = false;
    layer
}

fn encrypted(state: State) -> Layer {
    Layer::new(Kind::Encrypted, state)
}

#[track_caller]
fn check(settings: &str, layers: &[Layer], action: Action, state: &str) {
    let inbound = Inbound::new(parse(settings).unwrap()).unwrap();
    let expected = Judgement {
        action,
        state: state.to_owned(),
    };
    assert_eq!(inbound.judge(&Layers(layers.to_vec())), expected);
}

#[test]
fn what_is_in_order_is_delivered() {
    let check = |layers: &[Layer], state| check("{}", layers, Action::Deliver, state);
    check(&[], "none");
    check(&[signed(State::Valid)], "valid");
    check(&[encrypted(State::Decrypted)], "decrypted");
    check(
        &[encrypted(State::Decrypted), signed(State::Valid)],
        "valid",
    );
    check(
        &[
            signed(State::Valid),
            encrypted(State::Decrypted),
            signed(State::Valid),
        ],
        "valid",
    );
    check(
        &[encrypted(State::DecryptedUnauthenticated)],
        "decrypted-unauthenticated",
    );
    check(&[encrypted(State::NoKey)], "no-key");
    check(&[signed(State::Valid), encrypted(State::NoKey)], "no-key");
    check(&[Layer::new(Kind::Certificates, State::Present)], "present");
}

#[test]
fn what_is_not_is_marked() {
    let check = |layers: &[Layer], state| check("{}", layers, Action::Mark, state);
    check(&[signed(State::Invalid)], "invalid");
    check(&[signed(State::Untrusted)], "untrusted");
    check(&[by_another()], "signer-mismatch");
    check(
        &[encrypted(State::Decrypted), by_another()],
        "signer-mismatch",
    );
    check(&[encrypted(State::Damaged)], "damaged");
    check(&[signed(State::Other("new".to_owned()))], "new");
    check(
        &[
            signed(State::Invalid),
            encrypted(State::Decrypted),
            signed(State::Valid),
        ],
        "invalid",
    );
    check(&[by_another(), encrypted(State::NoKey)], "signer-mismatch");
}

#[test]
fn rule_08_what_is_suspicious_is_quarantined() {
    let layers = [signed(State::Valid), encrypted(State::Suspicious)];
    check("{}", &layers, Action::Quarantine, "suspicious");
    let lax = r#"{"states":{"suspicious":"mark"}}"#;
    check(lax, &layers, Action::Mark, "suspicious");
}

#[test]
fn settings_decide_and_the_gravest_counts() {
    let settings = r#"{"states":{"untrusted":"deliver","expired":"reject","weak":"quarantine"}}"#;
    check(
        settings,
        &[signed(State::Untrusted)],
        Action::Deliver,
        "untrusted",
    );
    check(
        settings,
        &[signed(State::Expired)],
        Action::Reject,
        "expired",
    );
    check(
        settings,
        &[signed(State::Expired), signed(State::Weak)],
        Action::Quarantine,
        "weak",
    );
    let strict = r#"{"states":{"signer-mismatch":"reject"}}"#;
    check(strict, &[by_another()], Action::Reject, "signer-mismatch");
}

/// A reply that depends on what was inside is an oracle.
#[test]
fn rule_08_what_was_decrypted_is_not_refused() {
    let settings = r#"{"states":{"invalid":"reject"}}"#;
    let inside = [encrypted(State::Decrypted), signed(State::Invalid)];
    check(settings, &inside, Action::Quarantine, "invalid");
    for state in [
        "damaged",
        "suspicious",
        "decrypted",
        "decrypted-unauthenticated",
    ] {
        let settings = format!(r#"{{"states":{{"{state}":"reject"}}}}"#);
        let problems = Inbound::new(parse(&settings).unwrap()).unwrap_err();
        assert_eq!(problems[0].path, format!("states.{state}"));
    }
}

#[track_caller]
fn wrong(settings: &str, path: &str, message: &str) {
    let parsed = parse::<Inbound>(settings);
    let problem = match parsed.map(Inbound::new) {
        Err(problem) => problem,
        Ok(made) => made.unwrap_err().remove(0),
    };
    assert_eq!(
        (problem.path.as_str(), problem.message.as_str()),
        (path, message)
    );
}

#[test]
fn mistakes_have_their_places() {
    wrong(
        r#"{"decrypt":"always"}"#,
        "decrypt",
        "`always` is not known here; known are `when-possible`, `never`",
    );
    wrong(
        r#"{"states":{"invalyd":"mark"}}"#,
        "states.invalyd",
        "`invalyd` is not known here; did you mean `invalid`?",
    );
    wrong(
        r#"{"header":"Subject"}"#,
        "header",
        "not the name of a field of your own, such as X-SMIME: Subject",
    );
    wrong(
        r#"{"subject-tag":"{state}"}"#,
        "subject-tag",
        "a tag begins with text of its own, such as `[S/MIME: {state}]`",
    );
}

#[track_caller]
fn check_tag(tag: &str, arrived: &str, untagged: &str, tagged: &str) {
    let settings = format!(r#"{{"subject-tag":"{tag}"}}"#);
    let tag = parse::<Inbound>(&settings).unwrap().subject_tag.unwrap();
    assert_eq!(tag.off(arrived), untagged);
    assert_eq!(tag.on(untagged, "invalid"), tagged);
}

#[test]
fn tags_come_and_go() {
    let tag = "[S/MIME: {state}]";
    check_tag(tag, "Offer", "Offer", "[S/MIME: invalid] Offer");
    check_tag(tag, "", "", "[S/MIME: invalid]");
    check_tag(
        tag,
        "[S/MIME: valid] Offer",
        "Offer",
        "[S/MIME: invalid] Offer",
    );
    check_tag(
        tag,
        "Re: [s/mime: VALID]Grüße",
        "Re: Grüße",
        "[S/MIME: invalid] Re: Grüße",
    );
    check_tag(
        tag,
        "[S/MIME: [S/MIME: valid]valid] x",
        "x",
        "[S/MIME: invalid] x",
    );
    check_tag(
        tag,
        "[S/MIME: two words]",
        "[S/MIME: two words]",
        "[S/MIME: invalid] [S/MIME: two words]",
    );
    check_tag(
        "[checked]",
        "[CHECKED] a [checked] b",
        "a b",
        "[checked] a b",
    );
}
