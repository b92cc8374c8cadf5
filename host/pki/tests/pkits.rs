//! NIST's Public Key Interoperability Test Suite: every test, with the expected result and for
//! the expected reason. Prints the counts by section.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use common::{NOW, corpus, files, request};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use waxseal_pki::{Crl, Profile, RevocationMode, Settings, TrustPolicy};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Certificate, Trust};

/// One line of `expected.tsv`.
struct Test {
    number: String,
    title: String,
    parameters: String,
    is_valid: bool,
    /// The error of OpenSSL's `verify`.
    error: u32,
}

fn tests(set: &Path) -> Vec<Test> {
    let text = std::fs::read_to_string(set.join("expected.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect());
    rows.map(|row: Vec<&str>| Test {
        number: row[1].to_owned(),
        title: row[2].to_owned(),
        parameters: row[3].to_owned(),
        is_valid: row[4] == "ok",
        error: row[5].parse().unwrap(),
    })
    .collect()
}

/// The files of some tests are not called as the tests are.
const OTHER_FILES: [(&str, &str); 10] = [
    ("Valid Signatures Test1", "validcertificatepathtest1ee"),
    (
        "All Certificates Same Policy Test1",
        "validcertificatepathtest1ee",
    ),
    (
        "Invalid Name Chaining EE Test1",
        "invalidnamechainingtest1ee",
    ),
    ("Valid Name Chaining UIDs Test6", "validnameuidstest6ee"),
    ("Missing CRL Test1", "invalidmissingcrltest1ee"),
    (
        "Valid Self-Issued DN nameConstraints Test19",
        "validdnnameconstraintstest19ee",
    ),
    (
        "Invalid Self-Issued DN nameConstraints Test20",
        "invaliddnnameconstraintstest20ee",
    ),
    (
        "Invalid onlyContainsUserCerts CRL Test11",
        "invalidonlycontainsusercertstest11ee",
    ),
    (
        "Invalid onlyContainsCACerts CRL Test12",
        "invalidonlycontainscacertstest12ee",
    ),
    (
        "Valid onlyContainsCACerts CRL Test13",
        "validonlycontainscacertstest13ee",
    ),
];

fn file_of(title: &str) -> String {
    let other = OTHER_FILES.iter().find(|(known, _)| *known == title);
    let plain = || {
        let letters = title.chars().filter(char::is_ascii_alphanumeric);
        format!("{}ee", letters.collect::<String>().to_lowercase())
    };
    other.map_or_else(plain, |(_, file)| (*file).to_owned())
}

/// What our code may be where OpenSSL has this error.
fn codes(error: u32) -> &'static [&'static str] {
    match error {
        3 => &[
            "revocation.unknown",
            "revocation.scope",
            "revocation.issuer",
            "revocation.reasons",
        ],
        7 => &["path.signature"],
        8 => &["revocation.signature"],
        9 => &["certificate.not-yet-valid"],
        10 => &["certificate.expired"],
        12 => &["revocation.stale"],
        20 => &[
            "path.unknown-issuer",
            "path.key-usage",
            "path.not-authority",
        ],
        23 => &["certificate.revoked"],
        24 => &["path.not-authority"],
        25 => &["path.length"],
        34 => &["path.critical-extension"],
        35 => &["revocation.key-usage"],
        36 => &["revocation.critical-extension"],
        42 => &["path.policy-mapping"],
        43 => &["path.policy"],
        44 => &["revocation.scope", "revocation.reasons"],
        47 | 48 => &["path.name-constraints"],
        54 => &["revocation.issuer"],
        _ => &[],
    }
}

fn settings(parameters: &str) -> Settings {
    let mut settings = Settings {
        revocation: RevocationMode::Required,
        profile: Profile::Any,
        // Section 4.1 has DSA.
        allow_weak: true,
        ..Settings::default()
    };
    let mut words = parameters.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-policy" => {
                let policy = words.next().unwrap().parse().unwrap();
                settings.initial_policies.push(policy);
            }
            "-explicit_policy" => settings.explicit_policy = true,
            "-inhibit_any" => settings.inhibit_any_policy = true,
            "-inhibit_map" => settings.inhibit_policy_mapping = true,
            other => panic!("unknown parameter: {other}"),
        }
    }
    settings
}

struct Suite {
    certificates: BTreeMap<String, Certificate>,
    crls: Vec<Crl>,
}

fn load(set: &Path) -> Suite {
    let certificates = files(&set.join("certs")).into_iter().map(|(path, octets)| {
        let name = path.file_stem().unwrap().to_string_lossy().to_lowercase();
        let certificate = Certificate::from_der(&octets);
        let certificate = certificate.unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, certificate)
    });
    let crls = files(&set.join("crls")).into_iter().map(|(path, octets)| {
        Crl::from_der(&octets).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    Suite {
        certificates: certificates.collect(),
        crls: crls.collect(),
    }
}

impl Suite {
    /// `None` when it ends as expected.
    fn wrong(&self, test: &Test) -> Option<String> {
        let anchor = self.certificates["trustanchorrootcertificate"].clone();
        let all = self.certificates.values().cloned().collect();
        let settings = settings(&test.parameters);
        let policy = TrustPolicy::new(vec![anchor], settings, Arc::new(RustCrypto))
            .with_intermediates(all)
            .with_crls(self.crls.clone());
        let file = file_of(&test.title);
        let certificate = &self.certificates[&file];
        let judged = policy.judge(certificate, &request(&[], NOW));
        let found = match &judged {
            Ok(_) => "trusted".to_owned(),
            Err(distrust) => format!("{} ({})", distrust.code, distrust.message),
        };
        let as_expected = match judged {
            Ok(_) => test.is_valid,
            Err(distrust) => !test.is_valid && codes(test.error).contains(&distrust.code),
        };
        (!as_expected).then(|| {
            let Test {
                number,
                title,
                error,
                ..
            } = test;
            format!("{number} {title}: {found}, OpenSSL {error}")
        })
    }
}

#[test]
fn all_of_pkits() {
    let Some(set) = corpus("pkits") else { return };
    let suite = load(&set);
    let (mut counts, mut wrong) = (BTreeMap::<u32, (u32, u32)>::new(), Vec::new());
    for test in tests(&set) {
        let section = test.number.split('.').nth(1).unwrap().parse().unwrap();
        let count = counts.entry(section).or_default();
        count.1 += 1;
        match suite.wrong(&test) {
            None => count.0 += 1,
            Some(why) => wrong.push(why),
        }
    }
    for (section, (right, all)) in &counts {
        println!("4.{section:<3} {right:>3} of {all:>3}");
    }
    let right: u32 = counts.values().map(|(right, _)| right).sum();
    let all: u32 = counts.values().map(|(_, all)| all).sum();
    println!("all   {right:>3} of {all:>3}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(all, 247);
}
