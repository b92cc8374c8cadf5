//! Received mail: what Waxseal makes, it opens; what OpenSSL, gpgsm and NSS make, it opens too.
//! Contents are compared, octet for octet.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use waxseal_tests::opener::{Opened, open, open_as};
use waxseal_tests::openssl::{Authority, Identity};
use waxseal_tests::operator::binary;

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@partner.example";
const HEADER: &str =
    "From: alice@example.org\r\nTo: bob@partner.example\r\nSubject: the merger\r\n";
const ENTITY: &str = "Content-Type: text/plain; charset=us-ascii\r\n\r\n\
                      what is inside\r\n\r\n from the start to the end\r\n";
const KEYS: [(&str, &str, &str); 4] = [
    ("rsa", "rsa:2048", "keyEncipherment"),
    (
        "p256",
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "keyAgreement",
    ),
    (
        "p384",
        "ec -pkeyopt ec_paramgen_curve:P-384",
        "keyAgreement",
    ),
    (
        "p521",
        "ec -pkeyopt ec_paramgen_curve:P-521",
        "keyAgreement",
    ),
];

/// A place where mail is made and read.
struct Desk {
    home: tempfile::TempDir,
    authority: Authority,
}

impl Desk {
    fn new() -> Desk {
        let home = tempfile::Builder::new()
            .prefix("waxseal-in-")
            .tempdir()
            .unwrap();
        let authority = Authority::new(&home.path().join("authority"));
        let desk = Desk { home, authority };
        desk.write(
            "mail.eml",
            &format!("{HEADER}MIME-Version: 1.0\r\n{ENTITY}"),
        );
        desk.write("entity", ENTITY);
        desk
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.file(name), text).unwrap();
        self.file(name)
    }

    /// One identity of each kind of key, for this address.
    fn everybody(&self, address: &str) -> Vec<(&'static str, Identity)> {
        let issue = |(number, (name, key, usage)): (usize, (&'static str, &str, &str))| {
            let serial = u32::try_from(number).unwrap() + 10 * u32::from(address.as_bytes()[0]);
            (name, self.authority.issue_with(serial, address, key, usage))
        };
        KEYS.into_iter().enumerate().map(issue).collect()
    }

    /// What `waxseal sign` or `encrypt` makes of a mail.
    fn made(&self, source: &Path, arguments: &[&str]) -> PathBuf {
        let made = self.file("made.eml");
        let mut command = Command::new(binary());
        command.args(arguments).arg("--out").arg(&made).arg(source);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        made
    }

    fn signed(&self, by: &Identity, more: &[&str]) -> PathBuf {
        let [certificate, key] = [&by.certificate, &by.key].map(|path| text(path));
        let mut arguments = vec!["sign", "--identity", certificate, "--key", key];
        arguments.extend(more);
        self.made(&self.file("mail.eml"), &arguments)
    }

    fn encrypted(&self, source: &Path, to: &[&Identity], more: &[&str]) -> PathBuf {
        let mut arguments = vec!["encrypt"];
        for identity in to {
            arguments.extend(["--to", text(&identity.certificate)]);
        }
        arguments.extend(more);
        self.made(source, &arguments)
    }

    fn open(&self, reader: &Identity, mail: &Path, more: &[&str]) -> Opened {
        open_as(reader, &self.authority.root(), mail, more)
    }

    /// What `openssl cms` makes of the entity, as a mail from Alice.
    fn openssl(&self, arguments: &str) -> PathBuf {
        self.openssl_on("entity", arguments)
    }

    fn openssl_on(&self, source: &str, arguments: &str) -> PathBuf {
        // The input comes first: recipients' certificates are the last arguments.
        let (program, rest) = arguments.split_once(' ').unwrap();
        let mut command = Command::new("openssl");
        command.arg(program).arg("-in").arg(self.file(source));
        command.args(rest.split_whitespace());
        let output = command.output().expect("openssl is installed");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {stderr}");
        let mail = [HEADER.as_bytes(), &output.stdout].concat();
        std::fs::write(self.file("theirs.eml"), mail).unwrap();
        self.file("theirs.eml")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// It opened, layer by layer, to this verdict, and what is inside is what went in.
fn check(opened: &Opened, what: &str, layers: &[&str], verdict: &str) {
    assert_eq!(opened.layers(), layers, "{what}: {:#}", opened.report);
    assert_eq!(opened.verdict(), verdict, "{what}: {:#}", opened.report);
    assert_eq!(opened.code, 0, "{what}: {:#}", opened.report);
    assert_eq!(opened.text(), ENTITY, "{what}");
}

const DETACHED: &str = "multipart-signed valid";
const OPAQUE: &str = "signed-data valid";
const OPEN: &str = "enveloped-data decrypted-unauthenticated";
const UNAUTHENTICATED: &str = "decrypted-unauthenticated";

#[test]
fn what_waxseal_signs_it_verifies() {
    let desk = Desk::new();
    let everybody = desk.everybody(ALICE);
    for (kind, alice) in &everybody {
        for digest in ["sha-256", "sha-384", "sha-512"] {
            for (form, layer) in [(None, DETACHED), (Some("--opaque"), OPAQUE)] {
                let mut more = vec!["--digest", digest];
                more.extend(form);
                let what = format!("{kind} {more:?}");
                let opened = desk.open(alice, &desk.signed(alice, &more), &[]);
                check(&opened, &what, &[layer], "valid");
                assert_eq!(opened.signatures()[0]["digest"], digest, "{what}");
            }
        }
    }
    let (_, rsa) = &everybody[0];
    for digest in ["sha-256", "sha-384", "sha-512"] {
        let more = ["--scheme", "pss", "--digest", digest];
        let opened = desk.open(rsa, &desk.signed(rsa, &more), &[]);
        check(&opened, &format!("{more:?}"), &[DETACHED], "valid");
    }
}

#[test]
fn what_waxseal_encrypts_it_decrypts() {
    let desk = Desk::new();
    let mail = desk.file("mail.eml");
    let everybody = desk.everybody(BOB);
    for (kind, bob) in &everybody {
        for length in ["128", "192", "256"] {
            for (mode, layer, verdict) in [
                ("cbc", OPEN, UNAUTHENTICATED),
                ("gcm", "auth-enveloped-data decrypted", "decrypted"),
            ] {
                let cipher = format!("aes-{length}-{mode}");
                let made = desk.encrypted(&mail, &[bob], &["--cipher", &cipher]);
                let opened = desk.open(bob, &made, &[]);
                check(&opened, &format!("{kind} {cipher}"), &[layer], verdict);
                assert_eq!(opened.report["layers"][0]["cipher"], cipher);
            }
        }
    }
    let (_, rsa) = &everybody[0];
    let made = desk.encrypted(&mail, &[rsa], &["--key-transport", "oaep"]);
    check(
        &desk.open(rsa, &made, &[]),
        "oaep",
        &[OPEN],
        UNAUTHENTICATED,
    );

    let all: Vec<_> = everybody.iter().map(|(_, identity)| identity).collect();
    let made = desk.encrypted(&mail, &all, &[]);
    for (kind, bob) in &everybody {
        let what = format!("{kind} among several");
        check(&desk.open(bob, &made, &[]), &what, &[OPEN], UNAUTHENTICATED);
    }
    let stranger = desk.authority.issue(7777, "eve@nowhere.example");
    let opened = desk.open(&stranger, &made, &[]);
    assert_eq!((opened.code, opened.verdict()), (1, "no-key"));
    assert!(opened.content.is_empty());
}

/// Curve25519 by `cert generate`, since OpenSSL's `cms` knows neither of its algorithms.
#[test]
fn what_waxseal_makes_with_curve25519_it_opens() {
    let desk = Desk::new();
    let ca = desk.file("ca");
    let generate = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        let output = command.args(["cert", "generate"]).args(arguments).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
    };
    generate(&["--key", "ed25519", "--ca-name", "Test", "--out", text(&ca)]);
    let identity = |key: &str, address: &str| {
        let out = desk.file(key);
        generate(&[
            "--key",
            key,
            "--address",
            address,
            "--ca",
            text(&ca),
            "--out",
            text(&out),
        ]);
        Identity {
            address: address.to_owned(),
            certificate: out.join(format!("{address}.pem")),
            key: out.join(format!("{address}.key.pem")),
            serial: 0,
        }
    };
    let (alice, bob) = (identity("ed25519", ALICE), identity("x25519", BOB));
    let root = ca.join("ca.pem");
    for (form, layer) in [(None, DETACHED), (Some("--opaque"), OPAQUE)] {
        let more: Vec<_> = form.into_iter().collect();
        let opened = open_as(&bob, &root, &desk.signed(&alice, &more), &[]);
        check(&opened, "ed25519", &[layer], "valid");
    }
    for (cipher, layer, verdict) in [
        ("aes-256-cbc", OPEN, UNAUTHENTICATED),
        ("aes-128-gcm", "auth-enveloped-data decrypted", "decrypted"),
    ] {
        let made = desk.encrypted(&desk.file("mail.eml"), &[&bob], &["--cipher", cipher]);
        check(
            &open_as(&bob, &root, &made, &[]),
            "x25519",
            &[layer],
            verdict,
        );
    }
}

#[test]
fn protected_header_fields_come_back() {
    let desk = Desk::new();
    let (alice, bob) = (desk.authority.issue(1, ALICE), desk.authority.issue(2, BOB));
    for protection in ["no-confidentiality", "baseline", "shy"] {
        let more = ["--header-protection", protection];
        let signed = desk.signed(&alice, &more);
        let opened = desk.open(&bob, &signed, &[]);
        let what = format!("{protection}: {:#}\n{}", opened.report, opened.text());
        assert_eq!((opened.code, opened.verdict()), (0, "valid"), "{what}");
        assert!(opened.text().contains("Subject: the merger"), "{what}");
        assert!(opened.text().ends_with("to the end\r\n"), "{what}");

        let plain = desk.file("mail.eml");
        let made = desk.encrypted(&plain, &[&bob], &more);
        let outside = std::fs::read_to_string(&made).unwrap();
        let hidden = protection != "no-confidentiality";
        assert_eq!(
            outside.contains("the merger"),
            !hidden,
            "{protection}: {outside}"
        );
        let opened = desk.open(&bob, &made, &[]);
        let what = format!("{protection}: {:#}\n{}", opened.report, opened.text());
        assert_eq!(
            (opened.code, opened.verdict()),
            (0, UNAUTHENTICATED),
            "{what}"
        );
        assert!(opened.text().contains("Subject: the merger"), "{what}");
    }
}

#[test]
fn what_openssl_signs_is_verified() {
    let desk = Desk::new();
    let reader = desk.authority.issue(1, BOB);
    let mut signers = desk.everybody(ALICE);
    for (kind, alice) in &signers {
        let by = format!(
            "-signer {} -inkey {}",
            text(&alice.certificate),
            text(&alice.key)
        );
        for (options, layer) in [
            ("", DETACHED),
            ("-stream", DETACHED),
            ("-nodetach", OPAQUE),
            ("-nodetach -stream", OPAQUE),
            ("-nodetach -indef", OPAQUE),
            ("-keyid", DETACHED),
            ("-keyid -nodetach -stream", OPAQUE),
            ("-noattr", DETACHED),
            ("-nosmimecap", DETACHED),
            ("-md sha384", DETACHED),
            ("-md sha512 -nodetach", OPAQUE),
            ("-cades", DETACHED),
        ] {
            let mail = desk.openssl(&format!("cms -sign -binary -crlfeol {options} {by}"));
            let opened = desk.open(&reader, &mail, &[]);
            check(&opened, &format!("{kind} {options}"), &[layer], "valid");
        }
        let mail = desk.openssl(&format!("cms -sign -binary -crlfeol -nocerts {by}"));
        assert_eq!(desk.open(&reader, &mail, &[]).verdict(), "unknown-signer");
        let with = ["--cert", text(&alice.certificate)];
        check(
            &desk.open(&reader, &mail, &with),
            "-nocerts",
            &[DETACHED],
            "valid",
        );
    }
    // The older program, PKCS #7 1.5.
    let (_, rsa) = signers.swap_remove(0);
    let by = format!(
        "-signer {} -inkey {}",
        text(&rsa.certificate),
        text(&rsa.key)
    );
    for (options, layer) in [("", DETACHED), ("-nodetach", OPAQUE), ("-noattr", DETACHED)] {
        let mail = desk.openssl(&format!("smime -sign -binary -crlfeol {options} {by}"));
        check(&desk.open(&reader, &mail, &[]), options, &[layer], "valid");
    }
    for salt in ["digest", "max", "20"] {
        let options = format!("-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:{salt}");
        let mail = desk.openssl(&format!("cms -sign -binary -crlfeol {by} {options}"));
        check(
            &desk.open(&reader, &mail, &[]),
            &options,
            &[DETACHED],
            "valid",
        );
    }
}

/// Two keys of one person are in order; a stranger beside her is not.
#[test]
fn rule_09_several_signers_agree_or_are_named() {
    let desk = Desk::new();
    let alice = [
        desk.authority.issue(1, ALICE),
        desk.authority
            .issue_with(2, ALICE, KEYS[1].1, "keyAgreement"),
    ];
    let mallory = desk.authority.issue(3, "mallory@example.org");
    let by = |signers: &[&Identity]| -> String {
        let one =
            |s: &&Identity| format!(" -signer {} -inkey {}", text(&s.certificate), text(&s.key));
        signers.iter().map(one).collect()
    };
    for (options, layer) in [
        ("", "multipart-signed"),
        ("-nodetach -stream", "signed-data"),
    ] {
        let both = by(&[&alice[0], &alice[1]]);
        let mail = desk.openssl(&format!("cms -sign -binary -crlfeol {options}{both}"));
        let opened = desk.open(&alice[0], &mail, &[]);
        check(
            &opened,
            "two of Alice's",
            &[&format!("{layer} valid")],
            "valid",
        );
        assert_eq!(opened.signatures().len(), 2);

        let both = by(&[&alice[0], &mallory]);
        let mail = desk.openssl(&format!("cms -sign -binary -crlfeol {options}{both}"));
        let opened = desk.open(&alice[0], &mail, &[]);
        assert_eq!(
            opened.verdict(),
            "conflicting-signers",
            "{:#}",
            opened.report
        );
        assert_eq!(opened.code, 1);
    }
}

#[test]
fn what_openssl_encrypts_is_decrypted() {
    let desk = Desk::new();
    let everybody = desk.everybody(BOB);
    let gcm = "auth-enveloped-data decrypted";
    for (kind, bob) in &everybody {
        let to = text(&bob.certificate);
        for (options, layer) in [
            ("-aes-128-cbc", OPEN),
            ("-aes-256-cbc -stream", OPEN),
            ("-aes-192-cbc -indef", OPEN),
            ("-aes-256-cbc -keyid", OPEN),
            ("-aes-128-gcm", gcm),
            ("-aes-256-gcm -stream", gcm),
            ("-aes-256-gcm -keyid", gcm),
        ] {
            let mail = desk.openssl(&format!("cms -encrypt -binary {options} {to}"));
            let opened = desk.open(bob, &mail, &[]);
            let verdict = layer.split(' ').next_back().unwrap();
            check(&opened, &format!("{kind} {options}"), &[layer], verdict);
        }
        // Rule 11: for reading only, and only when the operator allows it.
        let mail = desk.openssl(&format!("cms -encrypt -binary -des3 {to}"));
        let opened = desk.open(bob, &mail, &[]);
        assert_eq!(
            (opened.code, opened.verdict()),
            (1, "weak"),
            "{:#}",
            opened.report
        );
        assert!(opened.content.is_empty());
        let opened = desk.open(bob, &mail, &["--allow-weak"]);
        check(&opened, &format!("{kind} 3des"), &[OPEN], UNAUTHENTICATED);
        assert_ne!(
            opened.report["layers"][0]["weak"].as_array().unwrap().len(),
            0
        );
    }
    let (_, rsa) = &everybody[0];
    let to = format!("-recip {}", text(&rsa.certificate));
    for options in [
        "-keyopt rsa_padding_mode:oaep",
        "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
        "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha512 -keyopt rsa_mgf1_md:sha1",
    ] {
        let mail = desk.openssl(&format!("cms -encrypt -binary -aes-256-cbc {to} {options}"));
        check(
            &desk.open(rsa, &mail, &[]),
            options,
            &[OPEN],
            UNAUTHENTICATED,
        );
    }
    for (kind, bob) in &everybody[1..] {
        let to = format!("-recip {}", text(&bob.certificate));
        for hash in ["sha1", "sha224", "sha256", "sha384", "sha512"] {
            for mode in ["0", "1"] {
                let options =
                    format!("-keyopt ecdh_kdf_md:{hash} -keyopt ecdh_cofactor_mode:{mode}");
                let mail =
                    desk.openssl(&format!("cms -encrypt -binary -aes-256-cbc {to} {options}"));
                let what = format!("{kind} {options}");
                let opened = desk.open(bob, &mail, &["--allow-weak"]);
                check(&opened, &what, &[OPEN], UNAUTHENTICATED);
            }
        }
    }
    // Everybody at once, and a stranger before them.
    let stranger = desk.authority.issue(7777, "eve@nowhere.example");
    let all: Vec<_> = std::iter::once(&stranger)
        .chain(everybody.iter().map(|(_, identity)| identity))
        .map(|identity| text(&identity.certificate))
        .collect();
    let mail = desk.openssl(&format!(
        "cms -encrypt -binary -aes-256-cbc {}",
        all.join(" ")
    ));
    for (kind, bob) in &everybody {
        let what = format!("{kind} among several");
        check(&desk.open(bob, &mail, &[]), &what, &[OPEN], UNAUTHENTICATED);
    }
}

#[test]
fn secrets_open_what_openssl_encrypts_for_them() {
    let desk = Desk::new();
    let password = desk.write("password", "correct horse\n");
    let wrong = desk.write("wrong", "battery staple\n");
    let key = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
    let password_file = ["--password-file", text(&password)];
    for options in [
        "-aes-256-cbc -pwri_password",
        "-aes-128-cbc -stream -pwri_password",
    ] {
        let mut arguments: Vec<String> = format!("cms -encrypt -binary {options}")
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        arguments.push("correct horse".to_owned());
        let output = Command::new("openssl")
            .args(&arguments)
            .arg("-in")
            .arg(desk.file("entity"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{options}: {output:?}");
        let mail = desk.file("theirs.eml");
        std::fs::write(&mail, [HEADER.as_bytes(), &output.stdout].concat()).unwrap();
        check(
            &open(&mail, &password_file),
            options,
            &[OPEN],
            UNAUTHENTICATED,
        );
        let opened = open(&mail, &["--password-file", text(&wrong)]);
        assert_eq!(
            (opened.code, opened.verdict()),
            (1, "damaged"),
            "{:#}",
            opened.report
        );
    }
    let mail = desk.openssl(&format!(
        "cms -encrypt -binary -aes-256-cbc -secretkey {key} -secretkeyid C0FFEE"
    ));
    let opened = open(&mail, &["--secret-key", key, "--secret-key-id", "C0FFEE"]);
    check(&opened, "kek", &[OPEN], UNAUTHENTICATED);
}

/// Signed, then encrypted, then signed: each by another program than the one that reads.
#[test]
fn what_openssl_nests_is_opened() {
    let desk = Desk::new();
    let (alice, bob) = (desk.authority.issue(1, ALICE), desk.authority.issue(2, BOB));
    let by = format!(
        "-signer {} -inkey {}",
        text(&alice.certificate),
        text(&alice.key)
    );
    let without_fields = |mail: &Path, name: &str| {
        let octets = std::fs::read(mail).unwrap();
        std::fs::write(desk.file(name), &octets[HEADER.len()..]).unwrap();
    };
    without_fields(
        &desk.openssl(&format!("cms -sign -binary -crlfeol {by}")),
        "inner",
    );
    let to = text(&bob.certificate);
    let encrypt = format!("cms -encrypt -binary -aes-256-cbc {to}");
    let mail = desk.openssl_on("inner", &encrypt);
    let decrypted = "enveloped-data decrypted";
    let opened = desk.open(&bob, &mail, &[]);
    check(
        &opened,
        "signed, encrypted",
        &[decrypted, DETACHED],
        "valid",
    );

    without_fields(&mail, "middle");
    let mail = desk.openssl_on("middle", &format!("cms -sign -binary -crlfeol {by}"));
    let opened = desk.open(&bob, &mail, &[]);
    check(
        &opened,
        "triple wrap",
        &[DETACHED, decrypted, DETACHED],
        "valid",
    );

    let mail = desk.openssl_on("middle", &format!("cms -sign -nodetach -binary {by}"));
    let opened = desk.open(&bob, &mail, &[]);
    check(
        &opened,
        "triple wrap, opaque",
        &[OPAQUE, decrypted, DETACHED],
        "valid",
    );
}
