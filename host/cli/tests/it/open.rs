//! `waxseal open`, `verify` and `decrypt`: exit codes, reports, and what is written and what is
//! not. Keys and mails are made here by the same binary; other programs' mails are in the
//! corpus.

mod corpus;
mod schema;

use insta::assert_snapshot;
use serde_json::Value;
use std::fs;

use crate::{AT, Place, data, shown};

const MAIL: &str = "From: alice@example.org\r\nTo: bob@example.net\r\nSubject: lunch\r\n\
MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nAt noon?\r\n";
const CONTENT: &str = "Content-Type: text/plain\r\n\r\nAt noon?\r\n";

/// Alice's certificate is its own authority. Mails: signed, opaque, encrypted, both, triple.
fn place() -> Place {
    let place = Place::new();
    place.write("mail.eml", MAIL);
    for name in [
        "alice.pem",
        "alice.key.pem",
        "alice-2024.pem",
        "alice-2024.key.pem",
    ] {
        fs::copy(data(name), place.path(name)).unwrap();
    }
    let sign = format!("sign --identity alice.pem --key alice.key.pem --at {AT}");
    let encrypt = format!("encrypt --to alice.pem --at {AT}");
    for line in [
        format!("{sign} --out signed.eml mail.eml"),
        format!("{sign} --opaque --out opaque.eml mail.eml"),
        format!("{encrypt} --out encrypted.eml mail.eml"),
        format!("{encrypt} --cipher aes-256-gcm --out gcm.eml mail.eml"),
        format!("{encrypt} --out both.eml signed.eml"),
        format!("{encrypt} --header-protection baseline --out hidden.eml mail.eml"),
    ] {
        let output = place.run(&line);
        assert!(output.status.success(), "{line}: {}", shown(&output));
    }
    place
}

const KEY: &str = "--identity alice.pem --key alice.key.pem";
const TRUST: &str = "--anchor alice.pem";

/// The verdict and the exit code. The report must be of the schema.
fn check(place: &Place, arguments: &str, verdict: &str, code: i32) -> Value {
    let output = place.run(&format!("open --json --at {AT} {arguments}"));
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments}: {error}: {}", shown(&output)));
    schema::assert_valid(&report);
    assert_eq!(report["verdict"], verdict, "{arguments}: {report:#}");
    assert_eq!(output.status.code(), Some(code), "{arguments}");
    report
}

#[test]
fn verdicts() {
    let place = place();
    let check = |arguments: &str, verdict, code| check(&place, arguments, verdict, code);
    check("mail.eml", "not-smime", 1);
    for mail in ["signed.eml", "opaque.eml"] {
        check(&format!("{TRUST} {mail}"), "valid", 0);
        check(mail, "untrusted", 1);
        check(&format!("--no-trust {mail}"), "valid", 0);
    }
    check("encrypted.eml", "closed", 1);
    check(
        "--identity alice-2024.pem --key alice-2024.key.pem encrypted.eml",
        "no-key",
        1,
    );
    check(
        &format!("{KEY} encrypted.eml"),
        "decrypted-unauthenticated",
        0,
    );
    check(&format!("{KEY} gcm.eml"), "decrypted", 0);
    let both = check(&format!("{KEY} {TRUST} both.eml"), "valid", 0);
    // The signature inside authenticates what was decrypted.
    assert_eq!(both["layers"][0]["state"], "decrypted");
    assert_eq!(
        both["layers"][1]["signatures"][0]["chain"]["state"],
        "trusted"
    );
    check(&format!("{KEY} both.eml"), "untrusted", 1);
    check("both.eml", "closed", 1);
}

#[test]
fn the_signer_must_be_the_author() {
    let place = place();
    let foreign = fs::read_to_string(place.path("signed.eml")).unwrap();
    place.write(
        "foreign.eml",
        &foreign.replacen("alice@example.org", "boss@example.org", 1),
    );
    let report = check(
        &place,
        &format!("{TRUST} foreign.eml"),
        "signer-mismatch",
        1,
    );
    assert_eq!(report["layers"][0]["state"], "valid");
    assert_eq!(report["layers"][0]["signatures"][0]["from"], "differs");
    check(
        &place,
        &format!("{TRUST} --any-signer foreign.eml"),
        "valid",
        0,
    );
    place.write(
        "several.eml",
        &format!("From: boss@example.org\r\n{foreign}"),
    );
    let report = check(
        &place,
        &format!("{TRUST} several.eml"),
        "signer-mismatch",
        1,
    );
    assert_eq!(report["layers"][0]["signatures"][0]["from"], "several");
}

#[test]
fn changed_mail_is_invalid() {
    let place = place();
    let signed = fs::read_to_string(place.path("signed.eml")).unwrap();
    place.write("changed.eml", &signed.replace("noon", "nine"));
    check(&place, &format!("{TRUST} changed.eml"), "invalid", 1);
    // A file saved with LF is the same mail.
    place.write("lf.eml", &signed.replace("\r\n", "\n"));
    check(&place, &format!("{TRUST} lf.eml"), "valid", 0);
}

#[test]
fn rule_09_only_the_root_counts() {
    let place = place();
    let part = |name: &str| {
        let octets = fs::read_to_string(place.path(name)).unwrap();
        let at = octets.find("Content-Type").unwrap();
        octets[at..].to_owned()
    };
    let below = |name: &str| {
        format!(
            "From: alice@example.org\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\r\nhi\r\n\
             --outer\r\n{}\r\n--outer--\r\n",
            part(name)
        )
    };
    place.write("below.eml", &below("signed.eml"));
    let report = check(&place, &format!("{TRUST} below.eml"), "not-root", 1);
    assert_eq!(report["layers"].as_array().unwrap().len(), 1);
    assert_eq!(report["layers"][0]["signatures"], serde_json::json!([]));
    // EFAIL: not decrypted in place, whatever keys there are.
    place.write("efail.eml", &below("encrypted.eml"));
    check(
        &place,
        &format!("{KEY} --out out efail.eml"),
        "suspicious",
        1,
    );
    assert!(!place.path("out").exists());
    // Inside an envelope too.
    let output = place.run(&format!(
        "encrypt --to alice.pem --at {AT} --out inside.eml below.eml"
    ));
    assert!(output.status.success(), "{}", shown(&output));
    let report = check(&place, &format!("{KEY} {TRUST} inside.eml"), "not-root", 1);
    assert_eq!(report["layers"].as_array().unwrap().len(), 2);
    // Anybody can encrypt a captured ciphertext again.
    let output = place.run(&format!(
        "encrypt --to alice.pem --at {AT} --out again.eml efail.eml"
    ));
    assert!(output.status.success(), "{}", shown(&output));
    check(&place, &format!("{KEY} again.eml"), "suspicious", 1);
}

#[test]
fn rule_09_one_reading_or_none() {
    let place = place();
    let signed = fs::read_to_string(place.path("signed.eml")).unwrap();
    let boundary = signed
        .split("boundary=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let third = signed.replace(
        &format!("--{boundary}--"),
        &format!("--{boundary}\r\n\r\nmore\r\n--{boundary}--"),
    );
    place.write("third.eml", &third);
    check(&place, &format!("{TRUST} third.eml"), "malformed", 1);
    place.write(
        "protocol.eml",
        &signed.replace(
            "Content-Type: application/pkcs7-signature",
            "Content-Type: text/plain",
        ),
    );
    check(&place, &format!("{TRUST} protocol.eml"), "malformed", 1);
    let twice = signed.replacen(
        "Content-Type: multipart/signed",
        "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/signed",
        1,
    );
    place.write("twice.eml", &twice);
    check(
        &place,
        &format!("{TRUST} twice.eml"),
        "ambiguous-content",
        1,
    );
}

#[test]
fn content_is_written_when_it_was_reached() {
    let place = place();
    let written = |arguments: &str| {
        let _ = fs::remove_file(place.path("out"));
        place.run(&format!("open --at {AT} --out out {arguments}"));
        fs::read_to_string(place.path("out")).ok()
    };
    assert_eq!(
        written(&format!("{TRUST} signed.eml")).as_deref(),
        Some(CONTENT)
    );
    assert_eq!(written("opaque.eml").as_deref(), Some(CONTENT));
    assert_eq!(
        written(&format!("{KEY} both.eml")).as_deref(),
        Some(CONTENT)
    );
    assert_eq!(written("encrypted.eml"), None);
    assert_eq!(written("mail.eml"), None);
    // A ciphertext that somebody changed.
    let mut octets = fs::read(place.path("gcm.eml")).unwrap();
    let at = octets.len() - 20;
    octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
    fs::write(place.path("damaged.eml"), octets).unwrap();
    assert_eq!(written(&format!("{KEY} damaged.eml")), None);
    check(&place, &format!("{KEY} damaged.eml"), "damaged", 1);
}

#[test]
fn decrypt_gives_a_mail_or_nothing() {
    let place = place();
    let output = place.run(&format!("decrypt --at {AT} {KEY} encrypted.eml"));
    assert_snapshot!(shown(&output));
    assert_snapshot!(place.sees(&format!("decrypt --at {AT} encrypted.eml")));
    assert_snapshot!(place.sees(&format!("decrypt --at {AT} {KEY} signed.eml")));
    // Hidden fields are back, the signature inside stays.
    let output = place.run(&format!("decrypt --at {AT} {KEY} hidden.eml"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\r\nSubject: lunch\r\n"), "{text}");
    assert!(
        !text.contains("[...]") && !text.contains("HP-Outer"),
        "{text}"
    );
    let output = place.run(&format!("decrypt --at {AT} {KEY} --out inner.eml both.eml"));
    assert!(output.status.success());
    check(&place, &format!("{TRUST} inner.eml"), "valid", 0);
    // Nothing is written on failure.
    place.run(&format!("decrypt --at {AT} --out none.eml encrypted.eml"));
    assert!(!place.path("none.eml").exists());
}

/// RFC 9788 §4.4: a protected From that is not the outer one.
#[test]
fn rule_10_a_protected_from_needs_a_valid_signature() {
    let place = place();
    for line in [
        format!(
            "sign --identity alice.pem --key alice.key.pem --at {AT} --header-protection baseline \
             --out s.eml mail.eml"
        ),
        format!("encrypt --to alice.pem --at {AT} --out e.eml s.eml"),
    ] {
        let output = place.run(&line);
        assert!(output.status.success(), "{line}: {}", shown(&output));
    }
    let mail = fs::read_to_string(place.path("e.eml")).unwrap();
    place.write(
        "e.eml",
        &mail.replacen("alice@example.org", "list@example.com", 1),
    );
    let from = |arguments: &str| {
        let output = place.run(&format!("decrypt --at {AT} {KEY} {arguments} e.eml"));
        let text = String::from_utf8(output.stdout).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap().to_owned();
        let line = head
            .lines()
            .find(|line| line.starts_with("From: "))
            .map(str::to_owned);
        line.unwrap()
    };
    check(&place, &format!("{KEY} {TRUST} e.eml"), "valid", 0);
    assert_eq!(from(TRUST), "From: alice@example.org");
    let report = check(&place, &format!("{KEY} e.eml"), "untrusted", 1);
    assert_eq!(report["layers"][1]["signatures"][0]["from"], "differs");
    assert_eq!(from(""), "From: list@example.com");
}

#[test]
fn for_people() {
    let place = place();
    assert_snapshot!(place.sees(&format!("open --at {AT} {KEY} both.eml")));
    assert_snapshot!(place.sees(&format!("verify --at {AT} {TRUST} signed.eml")));
    assert_snapshot!(place.sees(&format!("verify --at {AT} {KEY} encrypted.eml")));
}

/// RFC 8551 §3.9, and what programs write in its stead.
#[test]
fn types_names_and_encodings() {
    use base64::Engine as _;
    let place = place();
    let opaque = fs::read_to_string(place.path("opaque.eml")).unwrap();
    let body = opaque.split("\r\n\r\n").nth(1).unwrap();
    let digits: String = body.split_whitespace().collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(digits)
        .unwrap();
    let with = |fields: &str, body: &[u8], verdict: &str| {
        let head = format!("From: alice@example.org\r\nMIME-Version: 1.0\r\n{fields}\r\n");
        fs::write(place.path("form.eml"), [head.as_bytes(), body].concat()).unwrap();
        let code = i32::from(verdict != "valid");
        check(&place, &format!("{TRUST} form.eml"), verdict, code);
    };
    let base64 = "Content-Transfer-Encoding: base64\r\n";
    for kind in [
        "application/pkcs7-mime",
        "application/pkcs7-mime; smime-type=enveloped-data",
        "Application/X-PKCS7-Mime; name=smime.p7m",
        "application/octet-stream; name=\"SMIME.P7M\"",
        "application/octet-stream; name=data",
        "application/octet-stream",
    ] {
        let kind = format!("Content-Type: {kind}\r\n");
        with(&format!("{kind}{base64}"), body.as_bytes(), "valid");
        with(
            &format!("{kind}{base64}"),
            body.replace("\r\n", "\n").as_bytes(),
            "valid",
        );
        with(&kind, body.as_bytes(), "valid");
        with(&kind, &der, "valid");
        with(
            &format!("{kind}Content-Transfer-Encoding: binary\r\n"),
            &der,
            "valid",
        );
        let ended = [&der[..], b"\r\n"].concat();
        with(
            &format!("{kind}Content-Transfer-Encoding: 8bit\r\n"),
            &ended,
            "valid",
        );
    }
    with(
        "Content-Type: application/pkcs7-mime\r\n",
        b"hello\r\n",
        "malformed",
    );
    with(
        "Content-Type: application/octet-stream\r\n",
        b"hello\r\n",
        "not-smime",
    );
    with("Content-Type: text/plain\r\n", body.as_bytes(), "not-smime");
    // A signature without what it signs.
    let signed = fs::read_to_string(place.path("signed.eml")).unwrap();
    let part = signed
        .split("Content-Type: application/pkcs7-signature")
        .nth(1)
        .unwrap();
    let signature = part.split("\r\n\r\n").nth(1).unwrap();
    let signature = signature.split("\r\n--").next().unwrap();
    let alone = format!("Content-Type: application/pkcs7-signature\r\n{base64}");
    with(&alone, signature.as_bytes(), "invalid");
}

#[test]
fn forms() {
    let place = place();
    let octets = fs::read_to_string(place.path("opaque.eml")).unwrap();
    let base64 = octets.split("\r\n\r\n").nth(1).unwrap();
    place.write(
        "cms.pem",
        &format!("-----BEGIN CMS-----\n{base64}\n-----END CMS-----\n"),
    );
    check(&place, &format!("{TRUST} cms.pem"), "valid", 0);
    check(&place, &format!("{TRUST} --form pem cms.pem"), "valid", 0);
    let refused = |arguments: &str, code: i32| {
        let output = place.run(&format!("open --at {AT} {arguments}"));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments}: {}",
            shown(&output)
        );
        assert!(output.stdout.is_empty());
    };
    refused("--form der mail.eml", 65);
    refused("--form pem mail.eml", 65);
    refused("none.eml", 66);
    refused("--content mail.eml signed.eml", 64);
    refused("--key alice.key.pem signed.eml", 64);
}
