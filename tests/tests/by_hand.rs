//! `waxseal sign` and `waxseal encrypt`: files in, S/MIME out, for every algorithm that OpenSSL
//! reads too.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use waxseal_tests::openssl::{self, Authority, Identity};
use waxseal_tests::operator::binary;

const WORDS: &str = "what is inside";
const EC: &str = "ec -pkeyopt ec_paramgen_curve:";

struct Desk {
    home: tempfile::TempDir,
    authority: Authority,
}

impl Desk {
    fn new() -> Desk {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::new(&home.path().join("authority"));
        let mail = format!(
            "From: a@example.org\r\nTo: b@example.org\r\nSubject: s\r\nBcc: c@example.org\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{WORDS}\r\n"
        );
        std::fs::write(home.path().join("mail.eml"), mail).unwrap();
        Desk { home, authority }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn waxseal(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .arg(self.file("mail.eml"))
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Runs a command that must succeed, and gives the file with what it wrote.
    fn made(&self, arguments: &[&str]) -> PathBuf {
        let output = self.waxseal(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        let file = self.file("made.eml");
        std::fs::write(&file, &output.stdout).unwrap();
        file
    }

    fn check_signed(&self, identity: &Identity, more: &[&str], marks: &[&str]) {
        let [certificate, key] = [&identity.certificate, &identity.key].map(|p| text(p));
        let mut arguments = vec!["sign", "--identity", certificate, "--key", key];
        arguments.extend(more);
        let made = self.made(&arguments);
        let inside = openssl::verify(&made, &self.authority.root());
        let inside = inside.unwrap_or_else(|| panic!("{more:?}: OpenSSL does not verify it"));
        assert!(String::from_utf8_lossy(&inside).contains(WORDS), "{more:?}");
        let printed = openssl::print(&made);
        for mark in marks {
            assert!(printed.contains(mark), "{more:?}: no {mark} in {printed}");
        }
    }

    fn check_encrypted(&self, to: &[&Identity], more: &[&str], marks: &[&str]) {
        let mut arguments = vec!["encrypt"];
        for identity in to {
            arguments.extend(["--to", text(&identity.certificate)]);
        }
        arguments.extend(more);
        let made = self.made(&arguments);
        assert!(!std::fs::read_to_string(&made).unwrap().contains(WORDS));
        let printed = openssl::print(&made);
        for mark in marks {
            assert!(printed.contains(mark), "{more:?}: no {mark} in {printed}");
        }
        for identity in to {
            let inside = openssl::decrypt(&made, identity);
            let inside = inside.unwrap_or_else(|| panic!("{more:?}: {identity:?} cannot read it"));
            assert!(String::from_utf8_lossy(&inside).contains(WORDS), "{more:?}");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn rsa_signs_in_every_form() {
    let desk = Desk::new();
    let rsa = desk.authority.issue(1, "a@example.org");
    desk.check_signed(&rsa, &[], &["sha256", "signingTime", "S/MIME Capabilities"]);
    desk.check_signed(&rsa, &["--opaque"], &["pkcs7-data"]);
    desk.check_signed(&rsa, &["--digest", "sha-384"], &["sha384"]);
    desk.check_signed(&rsa, &["--digest", "sha-512", "--opaque"], &["sha512"]);
    desk.check_signed(&rsa, &["--scheme", "pss"], &["rsassaPss"]);
    desk.check_signed(
        &rsa,
        &["--scheme", "pss", "--digest", "sha-512"],
        &["rsassaPss", "sha512"],
    );
}

#[test]
fn ecdsa_signs_on_every_curve() {
    let desk = Desk::new();
    for (serial, curve) in [(1, "P-256"), (2, "P-384"), (3, "P-521")] {
        let key = format!("{EC}{curve}");
        let identity = desk
            .authority
            .issue_with(serial, "a@example.org", &key, "keyAgreement");
        desk.check_signed(&identity, &[], &["ecdsa-with-SHA"]);
        desk.check_signed(
            &identity,
            &["--opaque", "--digest", "sha-512"],
            &["ecdsa-with-SHA512"],
        );
    }
}

#[test]
fn pkcs12_opens_with_the_passphrase_of_a_file() {
    let desk = Desk::new();
    let identity = desk.authority.issue(1, "a@example.org");
    let p12 = identity.p12("the-passphrase");
    let [right, wrong] = ["right", "wrong"].map(|name| desk.file(name));
    std::fs::write(&right, "the-passphrase\n").unwrap();
    std::fs::write(&wrong, "another\n").unwrap();
    let made = desk.made(&[
        "sign",
        "--identity",
        text(&p12),
        "--passphrase-file",
        text(&right),
    ]);
    assert!(openssl::verify(&made, &desk.authority.root()).is_some());

    let refused = desk.waxseal(&[
        "sign",
        "--identity",
        text(&p12),
        "--passphrase-file",
        text(&wrong),
    ]);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        stderr.starts_with("error: ") && !stderr.contains("another"),
        "{stderr}"
    );
}

#[test]
fn every_cipher_and_key_transport_reaches_its_recipient() {
    let desk = Desk::new();
    let rsa = desk.authority.issue(1, "b@example.org");
    for cipher in [
        "aes-128-cbc",
        "aes-192-cbc",
        "aes-256-cbc",
        "aes-128-gcm",
        "aes-192-gcm",
        "aes-256-gcm",
    ] {
        desk.check_encrypted(&[&rsa], &["--cipher", cipher], &[cipher]);
        desk.check_encrypted(
            &[&rsa],
            &["--cipher", cipher, "--key-transport", "oaep"],
            &["rsaesOaep"],
        );
    }
}

/// The ECDH builder of the `cms` crate would pass everything here but this: OpenSSL decrypts it.
#[test]
fn ecdh_reaches_recipients_on_every_curve() {
    let desk = Desk::new();
    let mut all = vec![desk.authority.issue(9, "rsa@example.org")];
    for (serial, curve) in [(1, "P-256"), (2, "P-384"), (3, "P-521")] {
        let key = format!("{EC}{curve}");
        let identity = desk
            .authority
            .issue_with(serial, "b@example.org", &key, "keyAgreement");
        for cipher in ["aes-128-cbc", "aes-256-cbc", "aes-256-gcm"] {
            desk.check_encrypted(&[&identity], &["--cipher", cipher], &["d.kari"]);
        }
        all.push(identity);
    }
    desk.check_encrypted(&all.iter().collect::<Vec<_>>(), &[], &["d.kari", "d.ktri"]);
}

#[test]
fn a_certificate_that_may_not_encrypt_is_refused() {
    let desk = Desk::new();
    let signs = desk
        .authority
        .issue_with(1, "b@example.org", "rsa:2048", "nonRepudiation");
    let output = desk.waxseal(&["encrypt", "--to", text(&signs.certificate)]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("error: "), "{stderr}");
}

#[test]
fn a_bcc_field_does_not_leave() {
    let desk = Desk::new();
    let identity = desk.authority.issue(1, "b@example.org");
    let made = desk.made(&["encrypt", "--to", text(&identity.certificate)]);
    let mail = std::fs::read_to_string(&made).unwrap();
    // The header alone: a ciphertext in base64 may spell anything.
    let (header, _) = mail.split_once("\r\n\r\n").unwrap();
    assert!(!header.to_lowercase().contains("bcc"), "{header}");
}
