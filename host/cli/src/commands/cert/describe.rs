//! A certificate in words.

use std::fmt::Write;

use serde_json::{Value, json};
use waxseal_smime::{Certificate, Time};

const DAY: i64 = 86_400;

/// SHA-256 as people compare it: pairs of digits with colons.
pub(super) fn fingerprint(certificate: &Certificate) -> String {
    let pairs: Vec<String> = certificate
        .fingerprint()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    pairs.join(":")
}

/// The first digits of it, for tables.
pub(super) fn short_fingerprint(certificate: &Certificate) -> String {
    certificate
        .fingerprint()
        .iter()
        .take(6)
        .map(|it| format!("{it:02x}"))
        .collect()
}

/// `sign, encrypt`, as key usage, extended key usage and algorithm allow.
pub(super) fn usage(certificate: &Certificate) -> String {
    let uses = uses(certificate);
    if uses.is_empty() {
        "nothing for mail".to_owned()
    } else {
        uses.join(", ")
    }
}

fn uses(certificate: &Certificate) -> Vec<&'static str> {
    let all = [
        ("sign", certificate.can_sign()),
        ("encrypt", certificate.can_encrypt()),
        ("issue", certificate.can_issue()),
    ];
    all.into_iter()
        .filter_map(|(name, able)| able.then_some(name))
        .collect()
}

/// Where the time stands in the certificate's life.
pub(super) fn state(certificate: &Certificate, now: Time) -> String {
    let left = certificate.not_after().unix().saturating_sub(now.unix());
    if now < certificate.not_before() {
        "not yet valid".to_owned()
    } else if left < 0 {
        "expired".to_owned()
    } else {
        match left / DAY {
            0 => "ends today".to_owned(),
            1 => "1 day left".to_owned(),
            days => format!("{days} days left"),
        }
    }
}

/// All that it says, one line each.
pub(super) fn lines(certificate: &Certificate, now: Time) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<12}{}", printable(value));
    };
    line("subject", &certificate.subject());
    line("issuer", &certificate.issuer());
    line("serial", &certificate.serial());
    for address in certificate.addresses() {
        line("address", &address.to_string());
    }
    for domain in certificate.domains() {
        line("domain", domain);
    }
    line("valid from", &certificate.not_before().to_string());
    line(
        "valid until",
        &format!("{} ({})", certificate.not_after(), state(certificate, now)),
    );
    line("key", &certificate.key_algorithm().to_string());
    line("usage", &usage(certificate));
    line("sha-256", &fingerprint(certificate));
    text
}

/// All that it says, for programs.
pub(super) fn as_json(certificate: &Certificate) -> Value {
    let addresses: Vec<String> = certificate
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "subject": certificate.subject(),
        "issuer": certificate.issuer(),
        "serial": certificate.serial(),
        "addresses": addresses,
        "domains": certificate.domains(),
        "not-before": certificate.not_before().to_string(),
        "not-after": certificate.not_after().to_string(),
        "key": certificate.key_algorithm().to_string(),
        "usage": uses(certificate),
        "sha-256": fingerprint(certificate).replace(':', ""),
    })
}

/// Names in certificates are somebody else's text.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
