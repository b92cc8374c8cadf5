//! Certificates and requests that we make, paths and choices that we check.

use super::common::{NOW, Person, Workbench, authority, person, person_of, template};
use crate::PROVIDER;
use waxseal_message::Address;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{
    Candidates, Certificate, ChoiceRules, Distrust, DistrustKind, Found, KeyAlgorithm, NoAnchors,
    Origin, Path, Purpose, Revocation, Trust, TrustRequest, choose,
};

const YEAR: i64 = 365 * 86_400;

fn at_now() -> String {
    format!("-attime {}", NOW.unix())
}

#[test]
fn openssl_verifies_our_certificates_strictly() {
    for key in [
        "rsa-2048", "ec-p256", "ec-p384", "ec-p521", "ed25519", "x25519",
    ] {
        let bench = Workbench::new();
        bench.certificate("ca.pem", authority().certificate());
        bench.certificate("cert.pem", person(key).certificate());
        let purpose = if key == "x25519" { "any" } else { "smimesign" };
        bench.run(&format!(
            "verify -x509_strict {} -purpose {purpose} -CAfile ca.pem cert.pem",
            at_now()
        ));
    }
}

#[test]
fn our_certificates_say_what_the_template_says() {
    let address = Address::parse("gr\u{fc}n@example.org").unwrap();
    let plain = Address::parse("green@example.org").unwrap();
    let addresses = vec![plain.clone(), address.clone()];
    let green = person_of(
        &Template {
            addresses,
            ..template("Green")
        },
        &KeyAlgorithm::EcP256,
    );
    let certificate = green.certificate();
    assert_eq!(certificate.addresses(), [plain, address]);
    assert_eq!(certificate.subject(), "CN=Green,O=Example");
    assert_eq!(certificate.not_before(), NOW.plus(-YEAR));
    assert!(certificate.can_sign() && certificate.can_encrypt() && !certificate.can_issue());
    assert!(authority().certificate().can_issue());
    assert_eq!(certificate.serial().len(), 32);
}

#[test]
fn openssl_accepts_our_requests() {
    for key in ["rsa-2048", "ec-p521", "ed25519"] {
        let request = certgen::request(&template("Asker"), &*person(key).identity.key).unwrap();
        let bench = Workbench::new();
        bench.put("request.der", &request);
        let text = bench.run("req -verify -noout -text -inform der -in request.der");
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("email:asker@example.org"), "{text}");
        assert!(text.contains("E-mail Protection"), "{text}");
    }
}

#[test]
fn a_self_signed_certificate_is_its_own_anchor() {
    let key = &person("rsa-2048").identity.key;
    let own = certgen::self_signed(&template("Alone"), &**key, &PROVIDER).unwrap();
    let bench = Workbench::new();
    bench.certificate("cert.pem", &own);
    bench.run(&format!(
        "verify {} -purpose smimesign -CAfile cert.pem cert.pem",
        at_now()
    ));
}

#[test]
fn generated_keys_are_read_by_openssl() {
    for key in [
        "rsa-2048", "ec-p256", "ec-p384", "ec-p521", "ed25519", "x25519",
    ] {
        let bench = Workbench::new();
        bench.key("key.pem", &person(key).pkcs8);
        let public = bench.run("pkey -in key.pem -pubout -outform der");
        assert_eq!(public, person(key).identity.key.public_key_info(), "{key}");
    }
}

#[test]
fn rule_05_addresses_are_found_among_names_of_every_kind() {
    let names = "RID:1.2.3,URI:https://example.org/,IP:192.0.2.1,otherName:1.2.3;UTF8:x,\
                 otherName:1.3.6.1.5.5.7.8.9;UTF8:mailbox@example.org,\
                 email:Alice@EXAMPLE.org,DNS:*.example.org,DNS:Mail.example.org"
        .replace(' ', "");
    let bench = Workbench::new();
    bench.run(&format!(
        "req -x509 -newkey ed25519 -nodes -keyout key.pem -outform der -out cert.der \
         -subj /CN=names/emailAddress=last@example.org -addext subjectAltName={names}"
    ));
    let certificate = Certificate::from_der(&bench.read("cert.der")).unwrap();
    let expected = [
        "Alice@example.org",
        "mailbox@example.org",
        "last@example.org",
    ];
    let addresses: Vec<_> = certificate
        .addresses()
        .iter()
        .map(Address::to_string)
        .collect();
    assert_eq!(addresses, expected);
    assert_eq!(certificate.domains(), ["mail.example.org"]);
}

// Choice.

fn found(certificate: &Certificate, origin: Origin) -> Found {
    Found {
        certificate: certificate.clone(),
        origin,
        capabilities: None,
    }
}

fn candidates(address: &str, found: Vec<Found>, purpose: Purpose) -> Candidates {
    let rules = ChoiceRules {
        at: NOW,
        allow_domain_certificates: false,
        trust: None,
        trust_in_strangers: &OnlyTheAuthority,
    };
    choose(&Address::parse(address).unwrap(), found, purpose, &rules)
}

fn certified(template: &Template) -> Person {
    person_of(template, &KeyAlgorithm::EcP256)
}

#[test]
fn rule_05_an_unusable_certificate_never_hides_a_usable_one() {
    let base = template("Target");
    let good = certified(&base);
    let expired = certified(&Template {
        not_after: NOW.plus(-1),
        ..base.clone()
    });
    let future = certified(&Template {
        not_before: NOW.plus(1),
        ..base.clone()
    });
    let other = certified(&template("Stranger"));
    let signs_only = person_of(&base, &KeyAlgorithm::Ed25519);
    let all = [&expired, &future, &other, &signs_only, &good]
        .map(|person| found(person.certificate(), Origin::Pinned));
    let result = candidates("target@example.org", all.to_vec(), Purpose::Encrypt);
    let usable: Vec<_> = result.usable.iter().map(|each| &each.certificate).collect();
    assert_eq!(usable, [good.certificate()]);
    let mut reasons: Vec<_> = result
        .rejected
        .iter()
        .map(|each| each.reason.code())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "certificate.expired",
            "certificate.key-usage",
            "certificate.not-yet-valid",
            "certificate.other-address"
        ]
    );
}

#[test]
fn rule_05_exact_address_then_origin_then_the_newest() {
    let named = |address: &str, not_before| {
        let addresses = vec![Address::parse(address).unwrap()];
        certified(&Template {
            addresses,
            not_before,
            ..template("Target")
        })
    };
    let exact_old = named("Target@example.org", NOW.plus(-YEAR));
    let exact_new = named("Target@example.org", NOW.plus(-1));
    let exact_harvested = named("Target@example.org", NOW.plus(-2));
    let folded = named("target@example.org", NOW.plus(-1));
    let all = vec![
        found(folded.certificate(), Origin::Pinned),
        found(exact_harvested.certificate(), Origin::Harvested),
        found(exact_old.certificate(), Origin::Imported),
        found(exact_new.certificate(), Origin::Imported),
        found(exact_new.certificate(), Origin::Directory),
    ];
    let result = candidates("Target@EXAMPLE.org", all, Purpose::Encrypt);
    let usable: Vec<_> = result.usable.iter().map(|each| &each.certificate).collect();
    let expected =
        [&exact_new, &exact_old, &exact_harvested, &folded].map(|person| person.certificate());
    assert_eq!(usable, expected);
}

#[test]
fn rule_05_domain_certificates_only_where_allowed() {
    let address = Address::parse("domain-confidentiality-authority@example.org").unwrap();
    let gateway = certified(&Template {
        addresses: vec![address],
        ..template("Gateway")
    });
    let all = vec![found(gateway.certificate(), Origin::Imported)];
    let refused = candidates("anybody@example.org", all.clone(), Purpose::Encrypt);
    assert_eq!(refused.rejected[0].reason.code(), "certificate.domain-only");
    let rules = ChoiceRules {
        at: NOW,
        allow_domain_certificates: true,
        trust: None,
        trust_in_strangers: &NoAnchors,
    };
    let anybody = Address::parse("anybody@example.org").unwrap();
    assert_eq!(
        choose(&anybody, all, Purpose::Encrypt, &rules).usable.len(),
        1
    );
}

/// Trusts what the test authority issued, by name.
struct OnlyTheAuthority;

impl Trust for OnlyTheAuthority {
    fn judge(&self, certificate: &Certificate, _: &TrustRequest<'_>) -> Result<Path, Distrust> {
        if certificate.issuer() == authority().certificate().subject() {
            return Ok(Path {
                certificates: vec![certificate.clone()],
                revocation: Revocation::NotChecked,
                policies: Vec::new(),
                weak: Vec::new(),
            });
        }
        Err(Distrust {
            kind: DistrustKind::Revoked,
            code: "certificate.revoked",
            message: "revoked".into(),
            subject: None,
        })
    }
}

#[test]
fn rule_05_what_strangers_brought_is_never_trusted_as_it_is() {
    let rules = ChoiceRules {
        at: NOW,
        allow_domain_certificates: false,
        trust: None,
        trust_in_strangers: &NoAnchors,
    };
    let target = Address::parse("target@example.org").unwrap();
    for (origin, expected) in [
        (Origin::Pinned, None),
        (Origin::Imported, None),
        (Origin::Directory, Some("path.no-anchors")),
        (Origin::Harvested, Some("path.no-anchors")),
    ] {
        let found = vec![found(certified(&template("Target")).certificate(), origin)];
        let result = choose(&target, found, Purpose::Encrypt, &rules);
        let reason = result.rejected.first().map(|each| each.reason.code());
        assert_eq!(reason, expected, "{origin:?}");
    }
}

#[test]
fn rule_05_trust_is_asked_where_there_is_somebody_to_ask() {
    let key = &person("rsa-2048").identity.key;
    let alone = certgen::self_signed(&template("Target"), &**key, &PROVIDER).unwrap();
    let good = certified(&template("Target"));
    let rules = ChoiceRules {
        at: NOW,
        allow_domain_certificates: false,
        trust: Some(&OnlyTheAuthority),
        trust_in_strangers: &NoAnchors,
    };
    let all = vec![
        found(&alone, Origin::Pinned),
        found(good.certificate(), Origin::Harvested),
    ];
    let target = Address::parse("target@example.org").unwrap();
    let result = choose(&target, all, Purpose::Encrypt, &rules);
    assert_eq!(result.usable[0].certificate, *good.certificate());
    assert_eq!(result.rejected[0].reason.code(), "certificate.revoked");
}
