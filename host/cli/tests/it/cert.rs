//! `waxseal cert`, with keys on an elliptic curve, which are made in no time.

use std::process::Output;

use insta::assert_snapshot;
use serde_json::Value;

use crate::{AT, Place, data, shown};

/// A certificate's fingerprint and serial number are random.
fn without_digits(output: &Output) -> String {
    let text = shown(output);
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((name @ ("sha-256" | "serial"), _)) => format!("{name} …\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", shown(output)))
}

#[test]
fn a_certificate_of_ones_own() {
    let place = Place::new();
    let made = place.run(&format!(
        "cert generate --address alice@example.org --key ec-p256 --at {AT}"
    ));
    assert_snapshot!("generate-self-signed", without_digits(&made));
    assert_eq!(
        place.files(),
        [
            "alice@example.org.key.pem",
            "alice@example.org.p12",
            "alice@example.org.pem"
        ]
    );
    let shown = place.run(&format!("cert show alice@example.org.pem --at {AT}"));
    assert_snapshot!("show-self-signed", without_digits(&shown));
}

#[cfg(unix)]
#[test]
fn keys_are_the_owners() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.run("cert generate --address a@example.org --key ec-p256 --out keys");
    for name in ["keys/a@example.org.key.pem", "keys/a@example.org.p12"] {
        let mode = std::fs::metadata(place.path(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = place.run("cert generate --address a@example.org --key ec-p256 --out keys");
    assert_snapshot!("generate-twice", shown(&again));
}

#[test]
fn a_small_ca() {
    let place = Place::new();
    let ca = place.run(&format!(
        "cert generate --ca-name Example --key ec-p384 --out ca --at {AT}"
    ));
    assert_snapshot!("generate-ca", without_digits(&ca));
    let leaf = place.run(&format!(
        "cert generate --ca ca --address bob@example.org --key x25519 --days 30 --out leaf --at {AT}"
    ));
    assert_snapshot!("generate-leaf", without_digits(&leaf));
    let chain = place.run(&format!("cert show leaf/bob@example.org.pem --at {AT}"));
    assert_snapshot!("show-chain", without_digits(&chain));
}

#[test]
fn a_ca_is_made_when_it_is_not_there() {
    let place = Place::new();
    let made = place.run(&format!(
        "cert generate --ca ca --address bob@example.org --key ec-p256 --out leaf --json --at {AT}"
    ));
    let made = json(&made);
    assert_eq!(made[0]["files"]["ca-certificate"], "ca/ca.pem");
    assert_eq!(made[1]["files"]["certificate"], "leaf/bob@example.org.pem");
    assert_eq!(made[1]["certificate"]["issuer"], "CN=Waxseal CA");
}

#[test]
fn x25519_cannot_vouch_for_itself() {
    let place = Place::new();
    assert_snapshot!(place.sees("cert generate --address a@example.org --key x25519"));
    assert!(place.files().is_empty());
}

#[test]
fn a_passphrase_closes_key_and_container() {
    let place = Place::new();
    place.write("pass", "correct horse\n");
    place.run("cert generate --address a@example.org --key ec-p256 --passphrase-file pass");
    let key = std::fs::read_to_string(place.path("a@example.org.key.pem")).unwrap();
    assert!(
        key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
        "{key}"
    );
    let closed = place.run("cert show a@example.org.p12");
    assert_snapshot!("show-without-passphrase", shown(&closed));
    let open = place.run("cert show --json a@example.org.p12 --passphrase-file pass");
    assert_eq!(json(&open)[0]["addresses"][0], "a@example.org");
}

#[test]
fn a_request() {
    let place = Place::new();
    let made = place.run("cert request --address carol@example.org --name Carol --key ec-p256");
    assert_snapshot!("request", shown(&made));
    let pem = std::fs::read_to_string(place.path("carol@example.org.csr.pem")).unwrap();
    assert!(
        pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"),
        "{pem}"
    );
}

#[test]
fn shows_a_certificate_whole() {
    let place = Place::new();
    assert_snapshot!(
        "show",
        place.sees(&format!("cert show {} --at {AT}", data("alice.pem")))
    );
}

#[test]
fn a_missing_file() {
    assert_snapshot!("show-missing", Place::new().sees("cert show nobody.pem"));
}

/// Alice's certificate, one of hers that has ended, one for signing only, and a file that is
/// none.
fn directory() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("certificates")).unwrap();
    for name in ["alice.pem", "alice-2024.pem", "alice-ed25519.pem"] {
        std::fs::copy(data(name), place.path("certificates").join(name)).unwrap();
    }
    place.write(
        "certificates/broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    place
}

#[test]
fn lists_a_directory() {
    let place = directory();
    assert_snapshot!(
        "list",
        place.sees(&format!("cert list certificates --at {AT}"))
    );
    assert_snapshot!(
        "list policy",
        place.sees(&format!("cert list --policy . --at {AT}"))
    );
}

#[test]
fn explains_a_choice() {
    let place = directory();
    let explain =
        |rest: &str| place.sees(&format!("cert explain --dir certificates --at {AT} {rest}"));
    assert_snapshot!("explain-encrypt", explain("alice@example.org"));
    assert_snapshot!("explain-sign", explain("alice@example.org --for sign"));
    assert_snapshot!("explain-nobody", explain("nobody@example.org"));
}
