//! The certificates of RFC 9216 lead to either of its two roots, by way of the cross
//! certificates.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{NOW, corpus};
use std::path::Path;
use std::sync::Arc;
use waxseal_pki::{Settings, TrustPolicy};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Certificate, Purpose, Trust, TrustRequest};

const RSA_ROOT: &str = "3-1-rsa-certification-authority-root-certificate.crt";
const RSA_CROSS: &str = "3-3-rsa-certification-authority-cross-signed-certificate.crt";
const ED_ROOT: &str = "6-1-ed25519-certification-authority-root-certificate.crt";
const ED_CROSS: &str = "6-3-ed25519-certification-authority-cross-signed-certificate.crt";

fn certificate(set: &Path, file: &str) -> Certificate {
    let text = std::fs::read_to_string(set.join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('-'));
    let octets = STANDARD.decode(lines.collect::<String>()).unwrap();
    Certificate::from_der(&octets).unwrap()
}

#[test]
fn paths_of_rfc_9216_lead_to_either_root() {
    let Some(set) = corpus("rfc9216") else { return };
    let crosses = [certificate(&set, RSA_CROSS), certificate(&set, ED_CROSS)];
    let mut right = 0;
    for (section, name) in [(4, "alice"), (5, "bob"), (7, "carlos"), (8, "dana")] {
        for (part, use_of, purpose) in [
            (1, "signature-verification", Purpose::Sign),
            (3, "encryption", Purpose::Encrypt),
        ] {
            let file = format!("{section}-{part}-{name}-s-{use_of}-end-entity-certificate.crt");
            let person = certificate(&set, &file);
            for (root, own) in [(RSA_ROOT, section < 6), (ED_ROOT, section > 6)] {
                let policy = TrustPolicy::new(
                    vec![certificate(&set, root)],
                    Settings::default(),
                    Arc::new(RustCrypto),
                );
                let request = TrustRequest {
                    at: NOW,
                    purpose,
                    certificates: &crosses,
                    crls: &[],
                    ocsp_responses: &[],
                };
                let path = policy.judge(&person, &request).unwrap();
                assert_eq!(path.certificates.len(), if own { 2 } else { 3 }, "{file}");
                right += 1;
            }
        }
    }
    assert_eq!(right, 16);
}
