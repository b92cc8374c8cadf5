//! Mails of others with known results: RFC 4134, the LAMPS drafts on protected headers, a
//! Thunderbird mail, and the identities of RFC 9216.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{AT, Place, shown};

/// The corpus, where there is one; CI does not do without.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let place = std::env::var_os("WAXSEAL_CORPUS").map_or(beside, PathBuf::from);
    if place.is_dir() {
        return Some(place);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus: {}",
        place.display()
    );
    eprintln!("NOT RUN: no corpus: {}", place.display());
    None
}

/// The same place, with every file of one set of the corpus.
fn place_of(set: &str) -> Option<Place> {
    let place = Place::new();
    for entry in fs::read_dir(corpus()?.join(set)).unwrap().flatten() {
        if entry.path().is_file() {
            fs::copy(
                entry.path(),
                place.path(&entry.file_name().to_string_lossy()),
            )
            .unwrap();
        }
    }
    Some(place)
}

/// Opens a file; the verdict, and the content with LF line ends.
fn check(place: &Place, arguments: &str, verdict: &str, content: Option<&[u8]>) {
    let _ = fs::remove_file(place.path("out"));
    let output = place.run(&format!("open --json --out out {arguments}"));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments}: {error}: {}", shown(&output)));
    super::schema::assert_valid(&report);
    assert_eq!(report["verdict"], verdict, "{arguments}: {report:#}");
    let written = fs::read(place.path("out"))
        .ok()
        .map(|octets| with_lf(&octets));
    if let Some(content) = content {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        assert_eq!(
            written.as_deref().map(text),
            Some(text(&with_lf(content))),
            "{arguments}"
        );
    }
}

fn with_lf(octets: &[u8]) -> Vec<u8> {
    octets
        .iter()
        .copied()
        .filter(|octet| *octet != b'\r')
        .collect()
}

#[test]
fn lamps_protected_headers() {
    let Some(place) = place_of("lamps-protected-headers") else {
        return;
    };
    place.write("pass", "bob\n");
    let options = "--at 2020-01-01 --anchor sample-ca.pem --allow-weak --identity bob.p12 \
                   --passphrase-file pass";
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    for (mail, verdict, inner) in [
        ("smime-multipart-signed", "valid", None),
        (
            "smime-onepart-signed",
            "valid",
            Some("smime-onepart-signed.inner"),
        ),
        (
            "smime-enc+legacy-disp",
            "decrypted-unauthenticated",
            Some("smime-enc+legacy-disp.inner"),
        ),
        (
            "smime-sign+enc",
            "valid",
            Some("smime-sign+enc.inner.inner"),
        ),
        (
            "smime-sign+enc+legacy-disp",
            "valid",
            Some("smime-sign+enc+legacy-disp.inner.inner"),
        ),
    ] {
        let content = inner.map(read);
        check(
            &place,
            &format!("{options} {mail}.eml"),
            verdict,
            content.as_deref(),
        );
    }
    check(
        &place,
        &format!("{options} unfortunately-complex.eml"),
        "not-smime",
        None,
    );
    // Without the setting, 3DES stays closed.
    let strict = options.replace("--allow-weak", "");
    check(
        &place,
        &format!("{strict} smime-sign+enc.eml"),
        "weak",
        None,
    );
    // The hidden subject is back, and what stood in for it is gone.
    let output = place.run(&format!("decrypt {options} smime-enc+legacy-disp.eml"));
    let text = String::from_utf8(output.stdout).unwrap();
    let subject = "Subject: BarCorp contract signed, let's go!";
    assert_eq!(text.matches(subject).count(), 1, "{text}");
    assert!(!text.contains("Subject: ..."));
}

#[test]
fn rfc_4134() {
    let Some(place) = place_of("rfc4134") else {
        return;
    };
    let weak = "--at 2004-01-01 --allow-weak --no-trust --any-signer";
    let content = fs::read(place.path("ExContent.bin")).unwrap();
    let bob = "--identity BobRSASignByCarl.cer --key BobPrivRSAEncrypt.pri";
    // Two signers, of whom one has the parameters of her issuer's key: no key that is read here.
    check(
        &place,
        &format!("{weak} 4.6.bin"),
        "conflicting-signers",
        Some(&content),
    );
    for file in ["4.8.eml", "4.9.eml"] {
        check(&place, &format!("{weak} {file}"), "valid", None);
        let strict = weak.replace("--allow-weak", "");
        check(&place, &format!("{strict} {file}"), "weak", None);
    }
    check(
        &place,
        &format!("{weak} {bob} 5.1.bin"),
        "decrypted-unauthenticated",
        Some(&content),
    );
    check(
        &place,
        &format!("{weak} {bob} 5.3.eml"),
        "decrypted-unauthenticated",
        None,
    );
    check(
        &place,
        &format!("{weak} 6.0.bin"),
        "expanded",
        Some(&content),
    );
    let key = "--secret-key 737c791f25ead0e04629254352f7dc6291e5cb26917ada32";
    for file in ["7.1.bin", "7.2.bin"] {
        check(
            &place,
            &format!("{weak} {key} {file}"),
            "decrypted-unauthenticated",
            Some(&content),
        );
    }
    check(&place, &format!("{weak} 7.1.bin"), "closed", None);
    check(&place, &format!("{weak} 4.11.bin"), "present", None);
}

#[test]
fn a_thunderbird_mail() {
    let Some(place) = place_of("mimekit-smime") else {
        return;
    };
    let line = "--at 2013-11-03 --allow-weak thunderbird-signed.txt";
    check(&place, &format!("--no-trust {line}"), "valid", None);
    let strict = line.replace("--allow-weak", "--no-trust");
    check(&place, &strict, "weak", None);
}

/// Sign and encrypt with every identity of RFC 9216, and back.
#[test]
fn rfc_9216_identities() {
    let Some(place) = place_of("rfc9216") else {
        return;
    };
    let people = [
        (
            "alice",
            "4-5-pkcs-12-object-for-alice",
            "4-3-alice-s-encryption-end-entity-certificate",
            "3-1-rsa",
        ),
        (
            "bob",
            "5-5-pkcs-12-object-for-bob",
            "5-3-bob-s-encryption-end-entity-certificate",
            "3-1-rsa",
        ),
        (
            "carlos",
            "7-5-pkcs-12-object-for-carlos",
            "7-3-carlos-s-encryption-end-entity-certificate",
            "6-1-ed25519",
        ),
        (
            "dana",
            "8-5-pkcs-12-object-for-dana",
            "8-3-dana-s-encryption-end-entity-certificate",
            "6-1-ed25519",
        ),
    ];
    for (name, p12, certificate, root) in people {
        place.write("pass", name);
        place.write(
            "mail.eml",
            &format!("From: {name}@smime.example\r\nSubject: s\r\n\r\nhi\r\n"),
        );
        let identity = format!("--identity {p12}.p12 --passphrase-file pass --at {AT}");
        for line in [
            format!("sign {identity} --out signed.eml mail.eml"),
            format!("encrypt --to {certificate}.crt --at {AT} --out both.eml signed.eml"),
        ] {
            let output = place.run(&line);
            assert!(output.status.success(), "{line}: {}", shown(&output));
        }
        let anchor = format!("--anchor {root}-certification-authority-root-certificate.crt");
        check(
            &place,
            &format!("{identity} {anchor} both.eml"),
            "valid",
            None,
        );
    }
}
