//! Signatures that others made: the corpus, OpenSSL with many options, gpgsm, NSS.

use super::common::{Person, Workbench, corpus, files, from_pem, message, opening, person};
use std::path::Path;
use waxseal_smime::Certificate;
use waxseal_smime::open::{Layer, Opening, open, open_cms};

/// Layer and signatures in one line: state, then for each signature what the cryptography says,
/// the algorithms, and what is weak.
fn line(layer: &Layer) -> String {
    let signatures: Vec<String> = layer
        .signatures
        .iter()
        .map(|each| {
            format!(
                "{} {} {} [{}]",
                each.cryptographic,
                each.digest,
                each.algorithm,
                each.weak.join(" ")
            )
        })
        .collect();
    let code = layer.problem.as_ref().map(|problem| problem.code);
    let state = match code {
        Some(code) => format!("{} ({code})", layer.state),
        None => layer.state.to_string(),
    };
    format!("{state}: {}", signatures.join(", "))
}

/// OpenSSL signs with the time of the day, which is past [`common::NOW`].
fn strict(certificates: &[Certificate]) -> Opening<'_> {
    Opening {
        certificates,
        clock_skew: i64::MAX,
        ..opening()
    }
}

fn reading(certificates: &[Certificate]) -> Opening<'_> {
    Opening {
        allow_weak: true,
        ..strict(certificates)
    }
}

fn outermost(octets: &[u8], detached: Option<&[u8]>, opening: &Opening<'_>) -> String {
    let is_mail = octets.first() != Some(&0x30) && !octets.starts_with(b"-----BEGIN");
    let layers = if is_mail {
        open(&message(octets), opening).layers
    } else if octets.first() == Some(&0x30) {
        open_cms(octets, detached, opening).map_or_else(|_| Vec::new(), |opened| opened.layers)
    } else {
        let der = from_pem(octets);
        open_cms(&der, detached, opening).map_or_else(|_| Vec::new(), |opened| opened.layers)
    };
    layers.first().map_or_else(|| "not cms".into(), line)
}

fn certificate(path: &Path) -> Certificate {
    Certificate::from_der(&std::fs::read(path).unwrap()).unwrap()
}

/// Each file of a set, with what is expected of it.
fn check(set: &str, detached: &[(&str, &str)], certificates: &[&str], expected: &[(&str, &str)]) {
    let Some(directory) = corpus(set) else { return };
    let certificates: Vec<Certificate> = certificates
        .iter()
        .map(|name| certificate(&directory.join(name)))
        .collect();
    let mut found = Vec::new();
    for (name, _) in expected {
        let octets = std::fs::read(directory.join(name)).unwrap();
        let content = detached.iter().find(|(file, _)| file == name);
        let content = content.map(|(_, content)| std::fs::read(directory.join(content)).unwrap());
        let line = outermost(&octets, content.as_deref(), &reading(&certificates));
        found.push((*name, line));
    }
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(name, line)| (*name, line.as_str()))
        .collect();
    assert_eq!(found, expected, "\n{found:#?}");
}

const DSA: &str = "valid: valid sha-1 dsa [sha-1 dsa]";
const RSA: &str = "valid: valid sha-1 rsa-pkcs1v15 [sha-1 rsa-1024]";

#[test]
fn rfc_4134() {
    check(
        "rfc4134",
        &[("4.3.bin", "ExContent.bin")],
        &["CarlDSSSelf.cer", "CarlRSASelf.cer"],
        &[
            ("4.1.bin", DSA),
            ("4.2.bin", RSA),
            ("4.3.bin", DSA),
            ("4.4.bin", DSA),
            ("4.5.bin", RSA),
            // Two persons, of whom one inherits her DSA parameters from the authority.
            (
                "4.6.bin",
                "conflicting-signers (signature.conflict): valid sha-1 dsa [sha-1 dsa], valid sha-1 dsa [sha-1 dsa]",
            ),
            ("4.7.bin", DSA),
            ("4.8.eml", DSA),
            ("4.9.eml", DSA),
            ("4.10.bin", DSA),
            ("4.11.bin", "present: "),
        ],
    );
}

#[test]
fn openssl_files_that_must_fail() {
    check(
        "openssl",
        &[],
        &[],
        &[
            (
                "cms_data/bad_signtime_attr.cms",
                "malformed (signature.attribute-malformed): malformed sha-256 rsa-pkcs1v15 []",
            ),
            (
                "cms_data/no_ct_attr.cms",
                "missing-attribute (signature.attribute-missing): missing-attribute sha-256 rsa-pkcs1v15 []",
            ),
            (
                "cms_data/no_md_attr.cms",
                "missing-attribute (signature.attribute-missing): missing-attribute sha-256 rsa-pkcs1v15 []",
            ),
            (
                "cms_data/ct_multiple_attr.cms",
                "duplicate-attribute (signature.attribute-duplicate): duplicate-attribute sha-256 rsa-pkcs1v15 []",
            ),
            (
                "cms_data/pkcs7-md4.pem",
                "unsupported (signature.algorithm): unsupported 1.2.840.113549.2.4 rsa-pkcs1v15 []",
            ),
            (
                "smime-eml/pkcs7-empty-digest-set.eml",
                "malformed (signature.digest-algorithms): malformed sha-256 rsa-pkcs1v15 []",
            ),
            (
                "smime-eml/SignedInvalidMappingFromanyPolicyTest7.eml",
                "valid: valid sha-256 rsa-pkcs1v15 []",
            ),
        ],
    );
}

#[test]
fn real_and_odd_files() {
    check(
        "mimekit-smime",
        &[],
        &[],
        &[(
            "thunderbird-signed.txt",
            "valid: valid sha-1 rsa-pkcs1v15 [sha-1]",
        )],
    );
    check(
        "lamps-protected-headers",
        &[],
        &[],
        &[
            (
                "smime-multipart-signed.eml",
                "valid: valid sha-256 rsa-pkcs1v15 []",
            ),
            (
                "smime-onepart-signed.eml",
                "valid: valid sha-256 rsa-pkcs1v15 []",
            ),
        ],
    );
    check(
        "rustcrypto-cms",
        &[],
        &[],
        &[
            ("cms_ber.bin", "valid: valid sha-256 ecdsa []"),
            ("cms_der.bin", "valid: valid sha-256 ecdsa []"),
            (
                "authroot.stl",
                "wrong-usage (certificate.key-usage): valid sha-256 rsa-pkcs1v15 []",
            ),
            ("pkits.p7b", "present: "),
            ("scep_der.bin", "valid: valid sha-256 rsa-pkcs1v15 []"),
            ("sd.cms", "valid: valid sha-256 rsa-pkcs1v15 []"),
        ],
    );
    check(
        "cryptography-pkcs7",
        &[],
        &[],
        &[("amazon-roots.der", "present: "), ("isrg.pem", "present: ")],
    );
}

#[test]
fn fuzzed_files_do_no_harm() {
    for set in ["openssl-fuzz-cms", "openssl-fuzz-smime"] {
        let Some(directory) = corpus(set) else { return };
        let mut signed = 0;
        for (name, octets) in files(&directory) {
            if name == "MANIFEST.md" {
                continue;
            }
            for content in [None, Some(&b"content"[..])] {
                if let Ok(opened) = open_cms(&octets, content, &reading(&[])) {
                    signed += usize::from(
                        opened
                            .layers
                            .iter()
                            .any(|layer| !layer.signatures.is_empty()),
                    );
                }
            }
            let _ = open(&message(&octets), &reading(&[]));
        }
        eprintln!("{set}: {signed} with a signer");
    }
}

/// A workbench with the keys of these people, as `KEY.pem` and `KEY.key`.
fn bench_of(people: &[(&str, &Person)]) -> Workbench {
    let bench = Workbench::new();
    for (name, person) in people {
        bench
            .certificate(&format!("{name}.pem"), person.certificate())
            .key(&format!("{name}.key"), &person.pkcs8);
    }
    bench
        .put("content", CONTENT)
        .put("unix", b"Content-Type: text/plain\n\nHello\n.\nEnd\n");
    bench
}

const CONTENT: &[u8] = b"Content-Type: text/plain\r\n\r\nHello\r\n.\r\nEnd\r\n";

#[test]
fn openssl_signs_in_many_ways() {
    let rsa = person("rsa-2048");
    let people = [
        ("rsa", rsa),
        ("p256", person("ec-p256")),
        ("p384", person("ec-p384")),
        ("p521", person("ec-p521")),
    ];
    let bench = bench_of(&people);
    let pkcs1 = |digest: &str| format!("valid: valid {digest} rsa-pkcs1v15 []");
    let weak = |digest: &str| format!("valid: valid {digest} rsa-pkcs1v15 [{digest}]");
    let one = "-signer rsa.pem -inkey rsa.key";
    let pss = "-keyopt rsa_padding_mode:pss";
    let none: &[Certificate] = &[];
    let outside = [rsa.certificate().clone()];
    for (options, certificates, expected) in [
        ("-nodetach", none, pkcs1("sha-256")),
        ("-nodetach -noattr", none, pkcs1("sha-256")),
        ("-nodetach -keyid", none, pkcs1("sha-256")),
        ("-nodetach -keyid -noattr -indef", none, pkcs1("sha-256")),
        ("-nodetach -binary", none, pkcs1("sha-256")),
        ("-nodetach -stream", none, pkcs1("sha-256")),
        ("-nodetach -indef -binary", none, pkcs1("sha-256")),
        ("-nodetach -cades", none, pkcs1("sha-256")),
        ("-nodetach -nosmimecap", none, pkcs1("sha-256")),
        ("-nodetach -md sha384", none, pkcs1("sha-384")),
        ("-nodetach -md sha512", none, pkcs1("sha-512")),
        ("-nodetach -md sha1", none, weak("sha-1")),
        ("-nodetach -md sha224", none, weak("sha-224")),
        (
            "-nodetach -md md5",
            none,
            "unsupported (signature.algorithm): unsupported 1.2.840.113549.2.5 rsa-pkcs1v15 []"
                .into(),
        ),
        ("-nodetach -certfile p256.pem", none, pkcs1("sha-256")),
        (
            "-nodetach -nocerts",
            none,
            "unknown-signer (signature.unknown-signer): unknown-signer sha-256 rsa-pkcs1v15 []"
                .into(),
        ),
        ("-nodetach -nocerts", &outside, pkcs1("sha-256")),
        ("-nodetach -nocerts -keyid", &outside, pkcs1("sha-256")),
        (
            "-nodetach -econtent_type 1.2.3.4",
            none,
            "valid (signature.content-type): valid sha-256 rsa-pkcs1v15 []".into(),
        ),
    ] {
        bench.run(&format!(
            "cms -sign -in content {one} {options} -outform DER -out out.der"
        ));
        let line = outermost(&bench.read("out.der"), None, &reading(certificates));
        assert_eq!(line, expected, "{options}");
    }
    let pss_of = |digest: &str| format!("valid: valid {digest} rsa-pss []");
    for (options, expected) in [
        (pss.to_owned(), pss_of("sha-256")),
        (
            format!("{pss} -keyopt rsa_pss_saltlen:-1 -md sha384"),
            pss_of("sha-384"),
        ),
        (
            format!("{pss} -keyopt rsa_pss_saltlen:0 -md sha512"),
            pss_of("sha-512"),
        ),
        (
            format!("{pss} -keyopt rsa_pss_saltlen:-3"),
            pss_of("sha-256"),
        ),
        (
            format!("{pss} -md sha1"),
            "valid: valid sha-1 rsa-pss [sha-1]".into(),
        ),
    ] {
        for more in ["", "-noattr"] {
            bench.run(&format!(
                "cms -sign -in content {one} -nodetach {options} {more} -outform DER -out out.der"
            ));
            let line = outermost(&bench.read("out.der"), None, &reading(none));
            assert_eq!(line, expected, "{options} {more}");
        }
    }
    for key in ["p256", "p384", "p521"] {
        for (digest, name) in [
            ("sha256", "sha-256"),
            ("sha384", "sha-384"),
            ("sha512", "sha-512"),
            ("sha1", "sha-1"),
        ] {
            bench.run(&format!(
                "cms -sign -in content -signer {key}.pem -inkey {key}.key -nodetach -md {digest} \
                 -outform DER -out out.der"
            ));
            let line = outermost(&bench.read("out.der"), None, &reading(none));
            let weak = if digest == "sha1" { name } else { "" };
            assert_eq!(
                line,
                format!("valid: valid {name} ecdsa [{weak}]"),
                "{key} {digest}"
            );
        }
    }
}

#[test]
fn openssl_signs_detached() {
    let bench = bench_of(&[("rsa", person("rsa-2048"))]);
    let valid = "valid: valid sha-256 rsa-pkcs1v15 []";
    let invalid = "invalid (signature.digest): invalid sha-256 rsa-pkcs1v15 []";
    let one = "-signer rsa.pem -inkey rsa.key";
    let crlf = bench.read("content");
    let lf = bench.read("unix");
    for (file, options, content, expected) in [
        ("content", "-binary", &crlf, valid),
        // A file with LF was signed with CRLF.
        ("unix", "", &lf, valid),
        ("unix", "", &crlf, valid),
        ("unix", "-binary", &lf, valid),
        ("unix", "-binary", &crlf, invalid),
        ("content", "-binary -noattr", &crlf, valid),
        ("unix", "-noattr", &lf, valid),
        (
            "unix",
            "-binary -noattr",
            &crlf,
            "invalid (signature.invalid): invalid sha-256 rsa-pkcs1v15 []",
        ),
    ] {
        bench.run(&format!(
            "cms -sign -in {file} {one} {options} -outform DER -out out.der"
        ));
        let octets = bench.read("out.der");
        let line = outermost(&octets, Some(content), &reading(&[]));
        assert_eq!(line, expected, "{file} {options}");
    }
    for options in [
        "",
        "-stream",
        "-noattr",
        "-keyid",
        "-binary -crlfeol",
        "-text",
    ] {
        for (program, file) in [("cms", "unix"), ("smime", "unix"), ("cms", "content")] {
            if program == "smime" && options.contains("-keyid") {
                continue;
            }
            bench.run(&format!(
                "{program} -sign -in {file} {one} {options} -outform SMIME -out out.eml"
            ));
            let line = outermost(&bench.read("out.eml"), None, &reading(&[]));
            assert_eq!(line, valid, "{program} {options} {file}");
        }
    }
    // Without the content, there is nothing to verify.
    let der = bench.run(&format!("cms -sign -in content {one} -binary -outform DER"));
    assert_eq!(
        outermost(&der, None, &reading(&[])),
        "invalid (signature.no-content): invalid sha-256 rsa-pkcs1v15 []"
    );
}

#[test]
fn several_signers() {
    let people = [
        ("rsa", person("rsa-2048")),
        ("p256", person("ec-p256")),
        ("p384", person("ec-p384")),
    ];
    let bench = bench_of(&people);
    bench.run(
        "cms -sign -in content -nodetach -signer rsa.pem -inkey rsa.key -signer p256.pem \
         -inkey p256.key -signer p384.pem -inkey p384.key -outform DER -out out.der",
    );
    let opened = open_cms(&bench.read("out.der"), None, &strict(&[])).unwrap();
    let layer = opened.layers.first().unwrap();
    assert_eq!(
        line(layer),
        "conflicting-signers (signature.conflict): valid sha-256 ecdsa [], \
         valid sha-256 ecdsa [], valid sha-256 rsa-pkcs1v15 []"
    );
}

#[test]
fn gpgsm_and_nss_sign() {
    let holder = Certificate::from_der(include_bytes!("verify/fixtures/holder.der")).unwrap();
    let content = include_bytes!("verify/fixtures/content");
    for (name, octets, detached) in [
        (
            "gpgsm opaque",
            &include_bytes!("verify/fixtures/gpgsm-opaque.der")[..],
            None,
        ),
        (
            "gpgsm detached",
            include_bytes!("verify/fixtures/gpgsm-detached.der"),
            Some(&content[..]),
        ),
        (
            "nss opaque",
            include_bytes!("verify/fixtures/nss-opaque.der"),
            None,
        ),
        (
            "nss detached",
            include_bytes!("verify/fixtures/nss-detached.der"),
            Some(&content[..]),
        ),
    ] {
        let opening = reading(std::slice::from_ref(&holder));
        let line = outermost(octets, detached, &opening);
        assert_eq!(line, "valid: valid sha-256 rsa-pkcs1v15 []", "{name}");
        let opened = open_cms(octets, detached, &opening).unwrap();
        assert_eq!(opened.content.as_deref(), Some(&content[..]), "{name}");
        let wrong = outermost(octets, Some(b"other"), &opening);
        let expected = if detached.is_some() {
            "invalid (signature.digest)"
        } else {
            "ambiguous-content"
        };
        assert!(wrong.starts_with(expected), "{name}: {wrong}");
    }
}

#[test]
fn rule_11_old_keys_are_weak_and_small_ones_are_refused() {
    let bench = Workbench::new();
    bench.put("content", CONTENT);
    bench.run(
        "genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 \
         -pkeyopt dsa_paramgen_q_bits:160 -out dsa.parameters",
    );
    bench.run("genpkey -paramfile dsa.parameters -out dsa.key");
    bench.run("genrsa -out rsa1024.key 1024");
    bench.run("genrsa -out rsa768.key 768");
    bench.run("ecparam -genkey -name secp256k1 -noout -out koblitz.key");
    for (key, allowed, forbidden) in [
        (
            "dsa",
            "valid: valid sha-256 dsa [dsa]",
            "weak (signature.weak): valid sha-256 dsa [dsa]",
        ),
        (
            "rsa1024",
            "valid: valid sha-256 rsa-pkcs1v15 [rsa-1024]",
            "weak (signature.weak): valid sha-256 rsa-pkcs1v15 [rsa-1024]",
        ),
        (
            "rsa768",
            "unsupported (signature.algorithm): unsupported sha-256 rsa-pkcs1v15 [rsa-768]",
            "unsupported (signature.algorithm): unsupported sha-256 rsa-pkcs1v15 [rsa-768]",
        ),
        (
            "koblitz",
            "unsupported (signature.algorithm): unsupported sha-256 ecdsa []",
            "unsupported (signature.algorithm): unsupported sha-256 ecdsa []",
        ),
    ] {
        bench.run(&format!(
            "req -x509 -key {key}.key -out {key}.pem -subj /CN=old -days 3650"
        ));
        bench.run(&format!(
            "cms -sign -in content -signer {key}.pem -inkey {key}.key -nodetach -outform DER \
             -out out.der"
        ));
        let der = bench.read("out.der");
        assert_eq!(outermost(&der, None, &reading(&[])), allowed, "{key}");
        assert_eq!(outermost(&der, None, &strict(&[])), forbidden, "{key}");
    }
}
