//! `waxseal sign` and `waxseal encrypt`. What they make is read by OpenSSL.

use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::{AT, Place, data, shown};

const MAIL: &str = "From: alice@example.org\r\nTo: bob@example.net\r\nSubject: lunch\r\n\
MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nAt noon?\r\n";

/// A place with the mail and, from the test data, Alice's certificate and key.
fn place() -> Place {
    let place = Place::new();
    place.write("mail.eml", MAIL);
    for name in [
        "alice.pem",
        "alice.key.pem",
        "alice-2024.pem",
        "alice-2024.key.pem",
    ] {
        std::fs::copy(data(name), place.path(name)).unwrap();
    }
    place
}

/// What `openssl cms` says; `None` when there is no openssl, which CI does not accept.
fn openssl(place: &Place, arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl")
        .arg("cms")
        .args(arguments)
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "openssl cms {arguments:?}: {stderr}"
            );
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "openssl: {error}");
            eprintln!("NOT RUN: openssl is missing ({error})");
            None
        }
    }
}

fn reads_back(place: &Place, file: &str, arguments: &[&str]) {
    let mut all = arguments.to_vec();
    all.extend(["-in", file]);
    if let Some(text) = openssl(place, &all) {
        assert_eq!(text, "Content-Type: text/plain\r\n\r\nAt noon?\r\n");
    }
}

const VERIFY: &[&str] = &[
    "-verify",
    "-CAfile",
    "alice.pem",
    "-attime",
    "1795532400",
    "-purpose",
    "any",
];
const DECRYPT: &[&str] = &["-decrypt", "-recip", "alice.pem", "-inkey", "alice.key.pem"];

#[test]
fn signs() {
    let place = place();
    let forms = [
        "",
        "--opaque",
        "--digest sha-512",
        "--scheme pss",
        "--opaque --digest sha-384",
    ];
    for form in forms {
        let line = format!(
            "sign --identity alice.pem --key alice.key.pem --at {AT} {form} --out signed.eml mail.eml"
        );
        let output = place.run(&line);
        assert_eq!(
            shown(&output),
            "exit: 0\n----- stdout\n----- stderr\n",
            "{line}"
        );
        reads_back(&place, "signed.eml", VERIFY);
    }
}

#[test]
fn encrypts() {
    let place = place();
    let forms = [
        "",
        "--key-transport oaep",
        "--cipher aes-128-cbc",
        "--cipher aes-256-gcm",
        "--to alice.pem",
    ];
    for form in forms {
        let line = format!("encrypt --to alice.pem --at {AT} {form}");
        let output = place.run_with(&line, MAIL.as_bytes());
        assert!(output.status.success(), "{line}: {}", shown(&output));
        std::fs::write(place.path("encrypted.eml"), &output.stdout).unwrap();
        reads_back(&place, "encrypted.eml", DECRYPT);
    }
}

#[test]
fn pipes_into_itself() {
    let place = place();
    let signed = place.run_with(
        &format!("sign --identity alice.pem --key alice.key.pem --at {AT}"),
        MAIL.as_bytes(),
    );
    let both = place.run_with(&format!("encrypt --to alice.pem --at {AT}"), &signed.stdout);
    std::fs::write(place.path("both.eml"), &both.stdout).unwrap();
    if let Some(inner) = openssl(&place, &[DECRYPT, &["-in", "both.eml"]].concat()) {
        place.write("inner.eml", &inner);
        reads_back(&place, "inner.eml", VERIFY);
    }
}

#[test]
fn an_expired_certificate_does_not_sign() {
    let place = place();
    let before = place.files();
    assert_snapshot!(place.sees(&format!(
        "sign --identity alice-2024.pem --key alice-2024.key.pem --at {AT} --out signed.eml mail.eml"
    )));
    assert_eq!(place.files(), before, "a failed run leaves no file");
}

#[test]
fn an_expired_certificate_does_not_encrypt() {
    let place = place();
    assert_snapshot!(place.sees(&format!("encrypt --to alice-2024.pem --at {AT} mail.eml")));
}

#[test]
fn a_key_of_somebody_else() {
    let place = place();
    assert_snapshot!(place.sees(&format!(
        "sign --identity alice.pem --key alice-2024.key.pem --at {AT} mail.eml"
    )));
}

#[test]
fn no_key_at_all() {
    let place = place();
    assert_snapshot!(place.sees(&format!("sign --identity alice.pem --at {AT} mail.eml")));
}

#[test]
fn not_a_certificate() {
    let place = place();
    assert_snapshot!(place.sees("encrypt --to mail.eml mail.eml"));
}

#[test]
fn no_mail() {
    let place = place();
    assert_snapshot!(place.sees(&format!("encrypt --to alice.pem --at {AT}")));
    assert_snapshot!(place.sees(&format!("encrypt --to alice.pem --at {AT} none.eml")));
}

#[test]
fn nowhere_to_write() {
    let place = place();
    assert_snapshot!(place.sees(&format!(
        "encrypt --to alice.pem --at {AT} --out none/out.eml mail.eml"
    )));
}
