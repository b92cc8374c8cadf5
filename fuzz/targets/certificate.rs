//! Certificates: read, described, and judged against an anchor, each other, and themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waxseal_smime::Certificate;

fuzz_target!(|octets: &[u8]| {
    // Several certificates in a row: a path.
    let mut rest = octets;
    let mut found = Vec::new();
    while found.len() < 8 {
        let Some((one, others)) = der(rest) else {
            break;
        };
        found.extend(Certificate::from_der(one).ok());
        rest = others;
    }
    for certificate in &found {
        assert_eq!(
            Certificate::from_der(certificate.to_der())
                .expect("it was read before")
                .fingerprint(),
            certificate.fingerprint()
        );
        let _ = (
            certificate.subject(),
            certificate.issuer(),
            certificate.serial(),
        );
        let _ = (certificate.addresses(), certificate.domains());
        let _ = (certificate.not_before(), certificate.not_after());
        let _ = (certificate.key_algorithm(), certificate.key_identifier());
        let _ = (
            certificate.can_sign(),
            certificate.can_encrypt(),
            certificate.can_issue(),
        );
    }
});

/// The first SEQUENCE with a long-form length, and what follows.
fn der(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match *octets {
        [0x30, 0x81, a, ..] => 3 + usize::from(a),
        [0x30, 0x82, a, b, ..] => 4 + usize::from(u16::from_be_bytes([a, b])),
        _ => return None,
    };
    (length <= octets.len()).then(|| octets.split_at(length))
}
