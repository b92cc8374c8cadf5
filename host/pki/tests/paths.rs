//! Paths, names, revocation and profiles over certificates that OpenSSL made
//! (`fixtures/make.sh`).

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use common::request;
use std::path::Path;
use std::sync::{Arc, Mutex};
use waxseal_pki::{Crl, Fetch, FetchError, Profile, RevocationMode, Settings, TrustPolicy};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Certificate, DistrustKind, Purpose, Revocation, Time, Trust, TrustRequest};

/// 2027-01-01T00:00:00Z.
const NOW: Time = Time::from_unix(1_798_761_600);

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(directory.join(name)).unwrap()
}

fn certificate(name: &str) -> Certificate {
    Certificate::from_der(&fixture(&format!("{name}.crt"))).unwrap()
}

fn crl(name: &str) -> Crl {
    Crl::from_der(&fixture(&format!("{name}.crl"))).unwrap()
}

fn policy(settings: Settings) -> TrustPolicy {
    TrustPolicy::new(vec![certificate("root")], settings, Arc::new(RustCrypto))
        .with_intermediates(vec![certificate("middle")])
}

fn revocation(revocation: RevocationMode) -> Settings {
    Settings {
        revocation,
        ..Settings::default()
    }
}

/// The code of the distrust, or `trusted`.
fn verdict(policy: &TrustPolicy, name: &str, request: &TrustRequest<'_>) -> &'static str {
    match policy.judge(&certificate(name), request) {
        Ok(_) => "trusted",
        Err(distrust) => distrust.code,
    }
}

fn check(policy: &TrustPolicy, name: &str, expected: &str) {
    assert_eq!(
        verdict(policy, name, &request(&[], NOW)),
        expected,
        "{name}"
    );
}

#[test]
fn rule_05_names_outside_the_constraints_are_refused() {
    let policy = policy(Settings::default());
    check(&policy, "anna", "trusted");
    check(&policy, "sub", "trusted");
    check(&policy, "outside", "path.name-constraints");
    check(&policy, "blocked", "path.name-constraints");
}

#[test]
fn rule_05_a_path_is_told_from_leaf_to_anchor() {
    let path = policy(Settings::default())
        .judge(&certificate("anna"), &request(&[], NOW))
        .unwrap();
    let expected = ["anna", "middle", "root"].map(certificate);
    assert_eq!(path.certificates, expected);
    assert_eq!(path.revocation, Revocation::NotChecked);
    assert!(path.weak.is_empty());
}

#[test]
fn rule_05_paths_need_every_certificate_and_every_date() {
    let alone = TrustPolicy::new(
        vec![certificate("root")],
        Settings::default(),
        Arc::new(RustCrypto),
    );
    check(&alone, "anna", "path.unknown-issuer");
    let middle = [certificate("middle")];
    assert_eq!(verdict(&alone, "anna", &request(&middle, NOW)), "trusted");
    let year = 366 * 86_400;
    for (at, expected) in [
        (NOW.plus(year), "certificate.expired"),
        (NOW.plus(-2 * year), "certificate.not-yet-valid"),
    ] {
        assert_eq!(verdict(&alone, "anna", &request(&middle, at)), expected);
    }
}

#[test]
fn rule_05_a_forged_signature_is_refused() {
    let mut octets = fixture("anna.crt");
    *octets.last_mut().unwrap() ^= 1;
    let forged = Certificate::from_der(&octets).unwrap();
    let judged = policy(Settings::default()).judge(&forged, &request(&[], NOW));
    assert_eq!(judged.unwrap_err().code, "path.signature");
}

/// What a policy remembers of one question answers no other.
#[test]
fn rule_05_a_question_that_was_answered_hides_no_defect() {
    let policy =
        policy(revocation(RevocationMode::Required)).with_crls(vec![crl("root"), crl("middle")]);
    let mut octets = fixture("anna.crt");
    *octets.last_mut().unwrap() ^= 1;
    let forged = Certificate::from_der(&octets).unwrap();
    for _ in 0..2 {
        check(&policy, "anna", "trusted");
        check(&policy, "ben", "certificate.revoked");
        let judged = policy.judge(&forged, &request(&[], NOW));
        assert_eq!(judged.unwrap_err().code, "path.signature");
        let later = request(&[], NOW.plus(366 * 86_400));
        assert_eq!(verdict(&policy, "anna", &later), "certificate.expired");
    }
}

#[test]
fn rule_05_a_path_through_no_authority_is_refused() {
    // Nobody's certificate leads on to one that is no authority: Anna as an anchor trusts
    // herself, and nobody below.
    let policy = TrustPolicy::new(
        vec![certificate("anna")],
        Settings::default(),
        Arc::new(RustCrypto),
    );
    check(&policy, "anna", "trusted");
    check(&policy, "ben", "path.unknown-issuer");
}

#[test]
fn rfc_8550_usage() {
    let settings = |profile| Settings {
        profile,
        ..Settings::default()
    };
    check(
        &policy(settings(Profile::Rfc8550)),
        "server",
        "certificate.extended-key-usage",
    );
    let any = policy(settings(Profile::Any));
    check(&any, "server", "trusted");
    let request = TrustRequest {
        purpose: Purpose::Encrypt,
        ..request(&[], NOW)
    };
    let strict = policy(settings(Profile::Rfc8550));
    assert_eq!(verdict(&strict, "anna", &request), "certificate.key-usage");
}

#[test]
fn baseline_requirements() {
    let policy = policy(Settings {
        profile: Profile::CaBrowserForum,
        ..Settings::default()
    });
    check(&policy, "anna", "trusted");
    // Valid for twenty years.
    check(&policy, "ben", "certificate.profile");
    // Without a policy of theirs.
    check(&policy, "sub", "certificate.profile");
}

#[test]
fn policies_are_told_and_asked_for() {
    let settings = |oid: &str| Settings {
        initial_policies: vec![oid.parse().unwrap()],
        explicit_policy: true,
        ..Settings::default()
    };
    // The authority states no policy, so no path has any.
    check(&policy(settings("2.23.140.1.5.1.3")), "anna", "path.policy");
    check(&policy(settings("anyPolicy")), "anna", "path.policy");
}

#[test]
fn revocation_by_list() {
    let lists = || vec![crl("root"), crl("middle")];
    let required = policy(revocation(RevocationMode::Required)).with_crls(lists());
    check(&required, "anna", "trusted");
    check(&required, "ben", "certificate.revoked");
    let path = required
        .judge(&certificate("anna"), &request(&[], NOW))
        .unwrap();
    assert_eq!(path.revocation, Revocation::Good);
    let without = policy(revocation(RevocationMode::Required));
    check(&without, "anna", "revocation.unknown");
    let if_available = policy(revocation(RevocationMode::IfAvailable));
    check(&if_available, "anna", "trusted");
    check(
        &if_available.with_crls(lists()),
        "ben",
        "certificate.revoked",
    );
    check(
        &policy(revocation(RevocationMode::Off)).with_crls(lists()),
        "ben",
        "trusted",
    );
}

#[test]
fn lists_of_another_time_or_changed_ones_say_nothing() {
    let required = revocation(RevocationMode::Required);
    let with_lists = policy(required.clone()).with_crls(vec![crl("root"), crl("middle")]);
    let early = request(&[], Time::from_unix(1_790_000_000));
    assert_eq!(verdict(&with_lists, "anna", &early), "revocation.stale");
    let mut octets = fixture("middle.crl");
    *octets.last_mut().unwrap() ^= 1;
    let changed = Crl::from_der(&octets).unwrap();
    let with_changed = policy(required).with_crls(vec![crl("root"), changed]);
    check(&with_changed, "anna", "revocation.signature");
}

#[test]
fn lists_that_came_with_the_message_count() {
    let crls = [fixture("root.crl"), fixture("middle.crl")];
    let request = TrustRequest {
        crls: &crls,
        ..request(&[], NOW)
    };
    let required = policy(revocation(RevocationMode::Required));
    assert_eq!(verdict(&required, "anna", &request), "trusted");
    assert_eq!(verdict(&required, "ben", &request), "certificate.revoked");
}

#[test]
fn answers_of_responders() {
    let check = |answer: &str, name: &str, expected: &str| {
        let responses = [fixture(&format!("{answer}.ocsp"))];
        let request = TrustRequest {
            ocsp_responses: &responses,
            ..request(&[], NOW)
        };
        let policy = policy(revocation(RevocationMode::Required)).with_crls(vec![crl("root")]);
        assert_eq!(verdict(&policy, name, &request), expected, "{answer}");
    };
    check("anna", "anna", "trusted");
    check("anna-delegated", "anna", "trusted");
    check("ben", "ben", "certificate.revoked");
    // Certified by the same authority, but not for this.
    check("anna-false", "anna", "revocation.issuer");
    // About somebody else.
    check("anna", "ben", "revocation.unknown");
}

/// Answers by URL, and remembers what it was asked.
struct Web(Mutex<Vec<String>>, bool);

impl Web {
    fn answer(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.0.lock().unwrap().push(url.to_owned());
        match url {
            _ if !self.1 => Err(FetchError::Unreachable("no network".into())),
            "http://crl.example.org/middle.crl" => Ok(fixture("middle.crl")),
            "http://ca.example.org/middle.der" => Ok(fixture("middle.crt")),
            _ => Err(FetchError::Unreachable(url.into())),
        }
    }
}

impl Fetch for Web {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.answer(url)
    }

    fn ocsp(&self, url: &str, _: &[u8]) -> Result<Vec<u8>, FetchError> {
        self.answer(url)
    }
}

#[test]
fn what_is_missing_is_fetched_where_there_is_a_fetcher() {
    let policy = |web: &Arc<Web>| {
        let settings = revocation(RevocationMode::Required);
        TrustPolicy::new(vec![certificate("root")], settings, Arc::new(RustCrypto))
            .with_crls(vec![crl("root")])
            .with_fetcher(web.clone())
    };
    let web = Arc::new(Web(Mutex::default(), true));
    check(&policy(&web), "anna", "trusted");
    check(&policy(&web), "ben", "certificate.revoked");
    let asked = web.0.lock().unwrap().clone();
    let expected = [
        "http://ca.example.org/middle.der",
        "http://ocsp.example.org/",
        "http://crl.example.org/middle.crl",
    ];
    assert_eq!(asked[..3], expected);
}

#[test]
fn a_fetch_that_fails_has_a_code_of_its_own() {
    let web = Arc::new(Web(Mutex::default(), false));
    let policy = policy(revocation(RevocationMode::Required))
        .with_crls(vec![crl("root")])
        .with_fetcher(web);
    let distrust = policy
        .judge(&certificate("anna"), &request(&[], NOW))
        .unwrap_err();
    assert_eq!(distrust.code, "revocation.unreachable");
    assert_eq!(distrust.kind, DistrustKind::RevocationUnknown);
    assert!(distrust.is_passing());
}
