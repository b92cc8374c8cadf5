//! Policies as an operator works with them: `init`, `check`, `run`, `explain`, `test`, `demo`.
//! What leaves is opened with `openssl`, which the tests need.

#![allow(clippy::unwrap_used, clippy::panic)]

mod received;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A policy made by `init`, once for all tests; a test that changes it takes a copy.
fn made() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let home = MADE.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let made = waxseal(home.path(), &["init", "policy"]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
        home
    });
    home.path()
}

/// A place with a copy of the policy in `policy`.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    copy(&made().join("policy"), &place.path().join("policy"));
    place
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

fn waxseal(place: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(arguments)
        .current_dir(place)
        .env_remove("WAXSEAL_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run(place: &Path, mail: &str, to: &[&str], more: &[&str]) -> Output {
    let mail = format!("policy/tests/{mail}.eml");
    let mut arguments = vec!["run", "--policy", "policy", "--from", "anna@example.org"];
    for address in to {
        arguments.extend(["--to", address]);
    }
    arguments.extend(more);
    arguments.push(&mail);
    waxseal(place, &arguments)
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_policy_is_sound_and_its_fixtures_pass() {
    let check = waxseal(made(), &["check", "policy"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    assert_eq!(said(&check), "", "no warnings");
    let test = waxseal(made(), &["test", "policy"]);
    assert_eq!(test.status.code(), Some(0), "{}", said(&test));
    let lines = "forged: ok\nno-certificate: ok\nreceived: ok\nsecure: ok\nsigned: ok\n";
    assert_eq!(String::from_utf8_lossy(&test.stdout), lines);
    let again = waxseal(made(), &["init", "policy"]);
    assert_eq!(
        again.status.code(),
        Some(73),
        "never over another: {}",
        said(&again)
    );
}

#[test]
fn one_copy_goes_to_standard_output_and_openssl_reads_it() {
    let place = place();
    let output = run(place.path(), "secure", &["ben@partner.example"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    fs::write(place.path().join("out.eml"), &output.stdout).unwrap();
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ');
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(place.path())
            .output();
        let done = done.expect("openssl is needed");
        assert!(done.status.success(), "{}", said(&done));
        done.stdout
    };
    let inner = openssl("cms -decrypt -in out.eml -recip policy/ca/ben@partner.example.pem");
    fs::write(place.path().join("inner.eml"), inner).unwrap();
    let content = openssl("cms -verify -in inner.eml -CAfile policy/ca/ca.pem");
    assert!(String::from_utf8_lossy(&content).contains("Not a word before Friday"));
    let head = String::from_utf8_lossy(&output.stdout);
    assert!(
        head.contains("Subject: Our offer\r\n"),
        "the tag is gone: {head}"
    );
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let check = |mail: &str, to: &[&str], code: i32, words: &str| {
        let place = place();
        let rules = place.path().join("policy/rules.json");
        edit(
            &rules,
            r#""rules": ["#,
            r#""rules": [
                { "when": { "recipient": "later@x.example" }, "then": { "verdict": { "defer": { "text": "later" } } } },
                { "when": { "recipient": "aside@x.example" }, "then": { "verdict": { "quarantine": "look at it" } } },
                { "when": { "recipient": "away@x.example" }, "then": { "verdict": "discard" } },
                { "when": { "recipient": "never@x.example" }, "then": { "refuse": { "text": "never" } } },"#,
        );
        let file = place.path().join("policy/waxseal.toml");
        edit(
            &file,
            r#"grant = ["actions", "inspect","#,
            r#"grant = ["quarantine", "discard", "actions", "inspect","#,
        );
        let output = run(place.path(), mail, to, &["--out-dir", "out"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{to:?}: {said}");
        assert!(said.contains(words), "{to:?}: {said}");
        let copies = names(&place.path().join("out")).len() - 1;
        assert_eq!(
            code == 0,
            copies > 0,
            "{to:?}: 0 only when copies were written"
        );
    };
    check("signed", &["clara@x.example"], 0, "");
    check(
        "signed",
        &["clara@x.example", "never@x.example"],
        0,
        "warning: refused: 550 5.7.1 never",
    );
    check("signed", &["never@x.example"], 69, "error: ");
    check(
        "signed",
        &["paul@partner.example"],
        69,
        "error: recipient.no-certificate: ",
    );
    check(
        "signed",
        &["later@x.example"],
        75,
        "error: message.deferred: 451 4.7.1 later",
    );
    check(
        "signed",
        &["aside@x.example"],
        79,
        "error: message.quarantined: look at it",
    );
    check(
        "signed",
        &["away@x.example"],
        80,
        "error: message.discarded: ",
    );
}

#[test]
fn several_copies_need_a_directory() {
    let place = place();
    let rules = place.path().join("policy/rules.json");
    edit(
        &rules,
        r#""rules": ["#,
        r#""rules": [{ "when": { "recipient": "x.example" }, "then": { "route": { "add": { "X-For": "x" } } } },"#,
    );
    let to = ["clara@elsewhere.example", "a@x.example"];
    let output = run(place.path(), "signed", &to, &[]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(output.stdout.is_empty());

    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    for old in ["copy-7.eml", "mine.txt"] {
        fs::write(out.join(old), "old").unwrap();
    }
    let output = run(place.path(), "signed", &to, &["--out-dir", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty());
    assert_eq!(
        names(&out),
        ["copy-1.eml", "copy-2.eml", "mine.txt", "outcome.json"]
    );
    let outcome: Value =
        serde_json::from_slice(&fs::read(out.join("outcome.json")).unwrap()).unwrap();
    assert_eq!(outcome["copies"][1]["file"], "copy-2.eml");
    assert_eq!(outcome["copies"][1]["recipients"][0], "a@x.example");
    assert_eq!(outcome["copies"][1]["protections"][0], "signed");
}

#[test]
fn a_stranger_gets_no_signature() {
    let place = place();
    let output = run(
        place.path(),
        "signed",
        &["clara@x.example"],
        &["--client-ip", "203.0.113.9"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mail = fs::read(place.path().join("policy/tests/signed.eml")).unwrap();
    assert_eq!(output.stdout, mail, "as it came, octet for octet");
    fs::write(
        place.path().join("session.json"),
        r#"{ "auth-user": "anna" }"#,
    )
    .unwrap();
    let ours = run(
        place.path(),
        "signed",
        &["clara@x.example"],
        &["--session", "session.json"],
    );
    assert!(
        String::from_utf8_lossy(&ours.stdout).contains("multipart/signed"),
        "{}",
        said(&ours)
    );
}

#[test]
fn explain_shows_plan_calls_rules_and_certificates() {
    let place = place();
    let arguments = [
        "explain",
        "--policy",
        "policy",
        "--from",
        "anna@example.org",
        "--to",
        "ben@partner.example",
        "policy/tests/secure.eml",
    ];
    let output = waxseal(place.path(), &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for words in [
        "rule \"our mail is signed\" matched",
        "actions.require-encryption(ben@partner.example) → ok",
        "chosen: CN=ben@partner.example, ec-p256",
        "+ Subject: Our offer",
        "copy 1: encrypted, signed → ben@partner.example",
        "times: policy loaded in",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let json = waxseal(place.path(), &[&arguments[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["trace"]["filters"][0]["name"], "inbound");
    assert_eq!(json["trace"]["filters"][1]["name"], "rules");
    assert_eq!(
        json["certificates"][0]["usable"][0]["key-algorithm"],
        "ec-p256"
    );
}

#[test]
fn a_fixture_that_differs_says_where() {
    let place = place();
    edit(
        &place.path().join("policy/tests/signed.plan.txt"),
        "profile signed",
        "profile other",
    );
    let output = waxseal(place.path(), &["test", "policy"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("signed: differs\n"), "{text}");
    assert!(
        text.contains("    -     sign on delivery, profile other\n"),
        "{text}"
    );
    assert!(
        text.contains("    +     sign on delivery, profile signed\n"),
        "{text}"
    );
    let update = waxseal(place.path(), &["test", "policy", "--update"]);
    assert_eq!(update.status.code(), Some(0), "{}", said(&update));
    assert_eq!(
        waxseal(place.path(), &["test", "policy"]).status.code(),
        Some(0)
    );
}

#[test]
fn check_names_what_is_wrong_in_a_filters_settings() {
    let place = place();
    edit(
        &place.path().join("policy/rules.json"),
        r#""apply""#,
        r#""aply""#,
    );
    let output = waxseal(place.path(), &["check", "policy"]);
    assert_eq!(output.status.code(), Some(78));
    let said = said(&output);
    assert!(
        said.starts_with("error: rules.json: rules[1].then.aply: "),
        "{said}"
    );
    assert!(
        said.ends_with("error: 1 problem in the policy: policy\n"),
        "{said}"
    );
}

#[test]
fn the_demo_checks_out_with_openssl() {
    let place = tempfile::tempdir().unwrap();
    let demo = waxseal(place.path(), &["demo", "--out", "demo"]);
    assert_eq!(demo.status.code(), Some(0), "{}", said(&demo));
    let text = String::from_utf8_lossy(&demo.stdout).into_owned();
    assert_eq!(text.matches("    plan: ").count(), 8, "{text}");
    let check = Command::new("sh")
        .arg("demo/check.sh")
        .current_dir(place.path())
        .output()
        .unwrap();
    let results = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{results}");
    assert_eq!(
        results
            .lines()
            .filter(|line| line.starts_with("ok "))
            .count(),
        8,
        "{results}"
    );
    // The lines that are printed work as they stand, too.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  openssl "))
        .collect();
    assert_eq!(lines.len(), 8);
    for line in lines {
        let done = Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{line}: {}", said(&done));
    }
    let forged: PathBuf = place.path().join("demo/out/08-forged-chief/copy-1.eml");
    let mail = place.path().join("demo/mails/08-forged-chief.eml");
    assert_eq!(
        fs::read(forged).unwrap(),
        fs::read(mail).unwrap(),
        "not signed"
    );
}
