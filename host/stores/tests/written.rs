//! What we write is read by ourselves, and by OpenSSL, NSS and GnuPG where they are installed.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::Certificate;
use waxseal_stores::{
    Existing, Passphrase, Pkcs12Entry, Pkcs12Options, Secret, load_certificates, load_identity,
    pem_certificate, pem_encrypted_private_key, pem_private_key, write_pkcs12, write_secret,
};

const OPTIONS: Pkcs12Options = Pkcs12Options { iterations: 2048 };
const PASSPHRASE: &str = "grüße";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn certificate(name: &str) -> Certificate {
    load_certificates(&fixture(name)).unwrap().remove(0)
}

fn container(passphrase: &str) -> Vec<u8> {
    let (sign, chain) = (certificate("sign.crt"), [certificate("intermediate.crt")]);
    let key = fs::read(fixture("pkcs8-key.der")).unwrap();
    let entries = [Pkcs12Entry {
        name: "Alice Ä",
        key: &key,
        certificate: &sign,
    }];
    write_pkcs12(
        &entries,
        &chain,
        &Secret::new(passphrase),
        OPTIONS,
        &RustCrypto,
    )
    .unwrap()
}

/// Whether the program is there; if not, says so, and fails where everything must run.
fn is_there(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "NOT RUN: {program} is not installed"
        );
        eprintln!("NOT RUN: {program} is not installed");
    }
    there
}

/// Standard output of a command that must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_container_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    for passphrase in [PASSPHRASE, ""] {
        let path = directory.path().join("alice.p12");
        write_secret(&path, &container(passphrase), Existing::Replace).unwrap();
        let given = Passphrase::Given(Secret::new(passphrase));
        let loaded = load_identity("alice", &path, None, Some(given), &RustCrypto).unwrap();
        let [identity] = &loaded.identities[..] else {
            panic!("one identity")
        };
        assert_eq!(identity.certificate, certificate("sign.crt"));
        assert_eq!(identity.chain, [certificate("intermediate.crt")]);
    }
    assert_ne!(container("x"), container("x"), "salts are fresh");
}

#[test]
fn pem_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alice.pem");
    let key = fs::read(fixture("pkcs8-key.der")).unwrap();
    let secret = Secret::new(PASSPHRASE);
    let encrypted = pem_encrypted_private_key(&key, &secret, OPTIONS, &RustCrypto).unwrap();
    for private in [encrypted.as_str(), pem_private_key(&key).as_str()] {
        let text = [private, &pem_certificate(&certificate("sign.crt"))].concat();
        fs::write(&path, text).unwrap();
        let given = Some(Passphrase::Given(secret.clone()));
        let loaded = load_identity("alice", &path, None, given, &RustCrypto).unwrap();
        assert_eq!(loaded.identities.len(), 1);
    }
}

#[test]
fn openssl_reads_it() {
    if !is_there("openssl", "version") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let p12 = directory.path().join("alice.p12");
    fs::write(&p12, container(PASSPHRASE)).unwrap();
    let pass = format!("pass:{PASSPHRASE}");
    let shown = output(
        Command::new("openssl")
            .args(["pkcs12", "-noenc", "-passin", &pass, "-in"])
            .arg(&p12),
    );
    assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 2, "{shown}");
    assert_eq!(shown.matches("BEGIN PRIVATE KEY").count(), 1, "{shown}");
    assert!(shown.contains("friendlyName: Alice"), "{shown}");

    let key = fs::read(fixture("pkcs8-key.der")).unwrap();
    let secret = Secret::new(PASSPHRASE);
    let pem = directory.path().join("key.pem");
    fs::write(
        &pem,
        pem_encrypted_private_key(&key, &secret, OPTIONS, &RustCrypto).unwrap(),
    )
    .unwrap();
    let shown = output(
        Command::new("openssl")
            .args(["pkey", "-passin", &pass, "-in"])
            .arg(&pem),
    );
    assert_eq!(shown.trim(), pem_private_key(&key).trim());
}

#[test]
fn nss_reads_it() {
    if !is_there("pk12util", "-H") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let p12 = directory.path().join("alice.p12");
    fs::write(&p12, container("fixture")).unwrap();
    let database = format!("sql:{}", directory.path().display());
    output(Command::new("certutil").args(["-N", "--empty-password", "-d", &database]));
    output(
        Command::new("pk12util")
            .args(["-d", &database, "-W", "fixture", "-i"])
            .arg(&p12),
    );
    let keys = output(Command::new("certutil").args(["-K", "-d", &database]));
    assert!(keys.contains("Alice"), "{keys}");

    // And the other way: what NSS writes is read here.
    let back = directory.path().join("back.p12");
    let nick = keys.lines().find(|line| line.contains("Alice")).unwrap();
    let nick = nick.rsplit("  ").next().unwrap().trim();
    output(
        Command::new("pk12util")
            .args(["-d", &database, "-W", "grüße", "-n", nick, "-o"])
            .arg(&back),
    );
    let given = Some(Passphrase::Given(Secret::new("grüße")));
    let loaded = load_identity("alice", &back, None, given, &RustCrypto).unwrap();
    assert_eq!(loaded.identities[0].certificate, certificate("sign.crt"));
}

/// GnuPG 2.2.40, which Debian 12 has, reads PBES2 only where the PRF is left out, so no file
/// under SHA-256, OpenSSL's neither. Newer ones must read ours.
#[test]
fn gnupg_reads_it() {
    if !is_there("gpgsm", "--version") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let p12 = directory.path().join("alice.p12");
    fs::write(&p12, container("fixture")).unwrap();
    let passphrase = directory.path().join("passphrase");
    fs::write(&passphrase, "fixture\n").unwrap();
    let gpgsm = || {
        let mut command = Command::new("gpgsm");
        command.arg("--homedir").arg(directory.path()).args([
            "--batch",
            "--pinentry-mode",
            "loopback",
        ]);
        command
    };
    let import = gpgsm()
        .args(["--passphrase-fd", "0", "--import"])
        .arg(&p12)
        .stdin(fs::File::open(&passphrase).unwrap())
        .output()
        .unwrap();
    let keys = output(gpgsm().args(["--with-colons", "--list-secret-keys"]));
    drop(
        Command::new("gpgconf")
            .arg("--homedir")
            .arg(directory.path())
            .args(["--kill", "all"])
            .output(),
    );
    let errors = String::from_utf8_lossy(&import.stderr);
    if errors.contains("error at \"pkcs5PBES2-params\"") {
        eprintln!("NOT RUN: this gpgsm reads no PBES2 with SHA-256");
        return;
    }
    assert!(keys.contains("crs:"), "{errors}\n{keys}");
}
