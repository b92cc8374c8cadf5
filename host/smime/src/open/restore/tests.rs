//! Header fields inside and outside, in every form.

use super::*;
use crate::open::LayerKind;
use waxseal_message::Limits;

/// Encrypted, or signed with this state; nobody knows by whom.
fn layer(kind: LayerKind, state: State) -> Layer {
    Layer::new(kind, state)
}

/// The header that is handed on, without its line ends, and the body.
fn check_with(layers: &[Layer], outer: &str, payload: &str, expected: Option<&[&str]>) -> Restored {
    let limits = Limits::default();
    let parse = |text: &str| Message::parse(text.replace('\n', "\r\n"), &limits).unwrap();
    let layers: Vec<&Layer> = layers.iter().collect();
    let restored = restored(&parse(outer), &parse(payload), &layers, &limits);
    let fields = restored.fields.as_ref().map(|fields| {
        let text = String::from_utf8(fields.concat()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let expected = expected.map(|lines| lines.iter().map(ToString::to_string).collect());
    assert_eq!(fields, expected, "{payload}");
    restored
}

fn check(outer: &str, payload: &str, expected: Option<&[&str]>) -> Restored {
    let layers = [layer(LayerKind::Enveloped, State::DecryptedUnauthenticated)];
    check_with(&layers, outer, payload, expected)
}

const OUTER: &str = "Received: from x\nFrom: a@example.org\nTo: b@example.net\nSubject: [...]\n\
Reply-To: c@example.com\nMessage-ID: <1@example.org>\n\nx\n";

#[test]
fn rule_10_protected_fields_replace_outer_ones() {
    check(
        OUTER,
        "From: Anna <a@example.org>\nTo: b@example.net\nSubject: lunch\n\
         Message-ID: <1@example.org>\nHP-Outer: Subject: [...]\n\
         Content-Type: text/plain; hp=\"cipher\"\n\nx\n",
        Some(&[
            "Received: from x",
            "From: Anna <a@example.org>",
            "To: b@example.net",
            "Subject: lunch",
            "Message-ID: <1@example.org>",
        ]),
    );
    // What a message must have stays even when it is only outside.
    check(
        OUTER,
        "Subject: lunch\nContent-Type: text/plain; hp=\"clear\"\n\nx\n",
        Some(&[
            "Received: from x",
            "From: a@example.org",
            "To: b@example.net",
            "Message-ID: <1@example.org>",
            "Subject: lunch",
        ]),
    );
    check(
        OUTER,
        "Subject: lunch\nContent-Type: text/plain\n\nx\n",
        None,
    );
    check(
        OUTER,
        "Subject: lunch\nContent-Type: text/plain; hp=\"what\"\n\nx\n",
        None,
    );
}

#[test]
fn rule_10_marks_of_transport_never_come_from_inside() {
    check(
        "Authentication-Results: mx; dmarc=fail\nFrom: a@example.org\n\nx\n",
        "Authentication-Results: mx; dmarc=pass\nX-Spam-Flag: NO\nReceived: from bank\n\
         Return-Path: <>\nDKIM-Signature: v=1\nBcc: z@example.org\nSubject: one\nSubject: two\n\
         Content-Type: text/plain; hp=\"cipher\"\n\nx\n",
        Some(&[
            "Authentication-Results: mx; dmarc=fail",
            "From: a@example.org",
            "Subject: one",
        ]),
    );
}

#[test]
fn rule_10_a_foreign_from_needs_a_valid_signature() {
    let payload = "From: boss@example.com\nSubject: pay\nSender: d@example.com\n\
                   Content-Type: text/plain; hp=\"cipher\"\n\nx\n";
    let kept = [
        "Received: from x",
        "From: a@example.org",
        "To: b@example.net",
        "Message-ID: <1@example.org>",
        "Subject: pay",
    ];
    let restored = check(OUTER, payload, Some(&kept));
    assert_eq!(restored.problem.unwrap().code, "header.from-mismatch");
    // Two of them are no author.
    let two = payload.replace(
        "From: boss@example.com",
        "From: a@example.org\nFrom: a@example.org",
    );
    let restored = check(OUTER, &two, Some(&kept));
    assert!(restored.problem.is_some());
    // The same address in other letters is the outer author.
    let same = payload.replace("boss@example.com", "A@Example.ORG");
    let restored = check(
        OUTER,
        &same.replace("Sender: d@example.com\n", ""),
        Some(&[
            "Received: from x",
            "To: b@example.net",
            "Message-ID: <1@example.org>",
            "From: A@Example.ORG",
            "Subject: pay",
        ]),
    );
    assert!(restored.problem.is_none());
}

#[test]
fn rule_10_fields_under_a_bad_signature_do_not_count() {
    let payload = "Subject: lunch\nContent-Type: text/plain; hp=\"clear\"\n\nx\n";
    let signed = |state| layer(LayerKind::SignedDetached, state);
    for state in [
        State::Invalid,
        State::Untrusted,
        State::Expired,
        State::UnknownSigner,
    ] {
        check_with(&[signed(state)], OUTER, payload, None);
        check_with(&[signed(State::Valid), signed(state)], OUTER, payload, None);
    }
    let lifted = [
        "Received: from x",
        "From: a@example.org",
        "To: b@example.net",
        "Message-ID: <1@example.org>",
        "Subject: lunch",
    ];
    check_with(&[signed(State::Valid)], OUTER, payload, Some(&lifted));
    // What was encrypted is hidden from those who could have changed it.
    let encrypted = layer(LayerKind::AuthEnveloped, State::Decrypted);
    check_with(
        &[encrypted, signed(State::Invalid)],
        OUTER,
        payload,
        Some(&lifted),
    );
    check_with(
        &[layer(LayerKind::Compressed, State::Expanded)],
        OUTER,
        payload,
        None,
    );
}

#[test]
fn rule_10_older_forms() {
    let kept = [
        "Received: from x",
        "From: a@example.org",
        "To: b@example.net",
        "Reply-To: c@example.com",
        "Message-ID: <1@example.org>",
        "Subject: lunch",
    ];
    let v1 = "Subject: lunch\nContent-Type: text/plain; protected-headers=\"v1\"\n\nx\n";
    check(OUTER, v1, Some(&kept));
    let wrapped = |parameter: &str, inside: &str| {
        format!("Content-Type: message/rfc822{parameter}\n\nSubject: lunch\n{inside}\n\nhello\n")
    };
    let restored = check(
        OUTER,
        &wrapped("; forwarded=no", "Content-Type: text/plain"),
        Some(&kept),
    );
    assert_eq!(&restored.body.unwrap().body()[..], b"hello\r\n");
    // A forwarded message is content.
    check(
        OUTER,
        &wrapped("; forwarded=yes", "From: a@example.org"),
        None,
    );
    check(OUTER, &wrapped("", "From: a@example.org"), None);
    check(
        OUTER,
        &wrapped("", "From: a@example.org\nMessage-ID: <2@example.org>"),
        None,
    );
    check(
        OUTER,
        &wrapped("; forwarded=no", "Content-Type: text/plain; hp=\"clear\""),
        None,
    );
    // The very message that is outside.
    let same = "From: a@example.org\nMessage-ID: <1@example.org>";
    assert!(
        check(
            OUTER,
            &wrapped("", same),
            Some(&[
                "Received: from x",
                "To: b@example.net",
                "Reply-To: c@example.com",
                "Subject: lunch",
                "From: a@example.org",
                "Message-ID: <1@example.org>",
            ]),
        )
        .body
        .is_some()
    );
}

fn body(payload: &str) -> Option<String> {
    let limits = Limits::default();
    let parse = |text: &str| Message::parse(text.replace('\n', "\r\n"), &limits).unwrap();
    let layer = layer(LayerKind::Enveloped, State::DecryptedUnauthenticated);
    let restored = restored(&parse(OUTER), &parse(payload), &[&layer], &limits);
    let body = restored.body?;
    Some(
        String::from_utf8(body.body().to_vec())
            .unwrap()
            .replace("\r\n", "\n"),
    )
}

#[test]
fn rule_10_legacy_display_elements_go() {
    let text = |parameters: &str, encoding: &str, content: &str| {
        format!(
            "Subject: s\nContent-Type: text/plain; hp=\"cipher\"{parameters}\n{encoding}\n{content}"
        )
    };
    let marked = "; hp-legacy-display=1";
    assert_eq!(
        body(&text(marked, "", "Subject: s\n\nHi\n\nyou\n")).as_deref(),
        Some("Hi\n\nyou\n")
    );
    assert_eq!(body(&text("", "", "Subject: s\n\nHi\n")), None);
    let quoted = "Content-Transfer-Encoding: quoted-printable\n";
    assert_eq!(
        body(&text(marked, quoted, "Subject: =73\n\nH=69\n")).as_deref(),
        Some("SGkNCg==\n")
    );
    let base64 = "Content-Transfer-Encoding: base64\n";
    assert_eq!(
        body(&text(marked, base64, "QTogYgoKSGkK\n")).as_deref(),
        Some("SGkK\n")
    );
    let both = "Subject: s\nContent-Type: multipart/alternative; hp=\"cipher\"; boundary=b\n\n\
        --b\nContent-Type: text/plain; hp-legacy-display=\"1\"\n\nSubject: s\n\nHi\n\
        --b\nContent-Type: text/html; hp-legacy-display=\"1\"\n\n\
        <p><div class=\"header-protection-legacy-display\">S</div>Hi\n--b--\n";
    assert_eq!(
        body(both).as_deref(),
        Some(
            "--b\nContent-Type: text/plain; hp-legacy-display=\"1\"\n\nHi\n\
             --b\nContent-Type: text/html; hp-legacy-display=\"1\"\n\n<p>Hi\n--b--\n"
        )
    );
    let older = "Subject: s\nContent-Type: multipart/mixed; boundary=b; protected-headers=v1\n\n\
        --b\nContent-Type: text/plain; protected-headers=v1\n\nSubject: s\n\
        --b\nContent-Type: text/plain\n\nHi\n--b--\n";
    assert_eq!(
        body(older).as_deref(),
        Some("--b\nContent-Type: text/plain\n\nHi\n--b--\n")
    );
}
