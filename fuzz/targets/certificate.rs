//! Certificates and revocation lists, in DER, in a row: each is read and described; the last
//! certificate is the anchor, and each of the others is judged with the rest at hand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use waxseal_pki::{Crl, RevocationMode, Settings, TrustPolicy};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Certificate, Purpose, Trust, TrustRequest};

fuzz_target!(|octets: &[u8]| {
    let (certificates, crls) = read(octets);
    certificates.iter().for_each(describe);
    let Some((anchor, others)) = certificates.split_last() else {
        return;
    };
    for revocation in [RevocationMode::Off, RevocationMode::Required] {
        let settings = Settings {
            revocation,
            allow_weak: true,
            ..Settings::default()
        };
        let policy = TrustPolicy::new(vec![anchor.clone()], settings, Arc::new(RustCrypto));
        for certificate in others {
            let request = TrustRequest {
                at: waxseal_fuzz::NOW,
                purpose: Purpose::Sign,
                certificates: others,
                crls: &crls,
                ocsp_responses: &[],
            };
            if let Ok(path) = policy.judge(certificate, &request) {
                assert_eq!(path.certificates.first(), Some(certificate));
                assert_eq!(path.certificates.last(), Some(anchor));
            }
        }
    }
});

fn read(octets: &[u8]) -> (Vec<Certificate>, Vec<Vec<u8>>) {
    let (mut certificates, mut crls) = (Vec::new(), Vec::new());
    let mut rest = octets;
    while let Some((one, others)) = first(rest).filter(|_| certificates.len() + crls.len() < 16) {
        match Certificate::from_der(one) {
            Ok(certificate) => certificates.push(certificate),
            Err(_) => {
                let _ = Crl::from_der(one);
                crls.push(one.to_vec());
            }
        }
        rest = others;
    }
    (certificates, crls)
}

/// The first SEQUENCE with a long-form length, and what follows.
fn first(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match *octets {
        [0x30, 0x81, a, ..] => 3 + usize::from(a),
        [0x30, 0x82, a, b, ..] => 4 + usize::from(u16::from_be_bytes([a, b])),
        _ => return None,
    };
    (length <= octets.len()).then(|| octets.split_at(length))
}

fn describe(certificate: &Certificate) {
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
        certificate.addresses(),
        certificate.domains(),
        certificate.not_before(),
        certificate.not_after(),
        certificate.key_algorithm(),
        certificate.key_identifier(),
        certificate.can_sign(),
        certificate.can_encrypt(),
        certificate.can_issue(),
    );
}
