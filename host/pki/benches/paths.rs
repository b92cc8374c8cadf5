//! Figures, not tests: what it costs to judge a certificate, for the first message of a policy and
//! for those after it. `cargo bench -p waxseal-pki`
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waxseal_pki::{Crl, RevocationMode, Settings, TrustPolicy};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{Certificate, Purpose, Time, Trust, TrustRequest};

const ROUNDS: usize = 300;

fn main() {
    let certificate = |name: &str| Certificate::from_der(&fixture(&format!("{name}.crt"))).unwrap();
    let list = |name: &str| Crl::from_der(&fixture(&format!("{name}.crl"))).unwrap();
    let request = TrustRequest {
        at: Time::from_unix(1_798_761_600),
        purpose: Purpose::Sign,
        certificates: &[],
        crls: &[],
        ocsp_responses: &[],
    };
    let (anchor, authority, holder) = ("root", "middle", certificate("anna"));
    for (what, revocation) in [
        ("path", RevocationMode::Off),
        ("path and lists", RevocationMode::Required),
    ] {
        let policy = || {
            let settings = Settings {
                revocation,
                ..Settings::default()
            };
            TrustPolicy::new(vec![certificate(anchor)], settings, Arc::new(RustCrypto))
                .with_intermediates(vec![certificate(authority)])
                .with_crls(vec![list(anchor), list(authority)])
        };
        let judge = |policy: &TrustPolicy| {
            let start = Instant::now();
            policy.judge(&holder, &request).unwrap();
            start.elapsed()
        };
        let first = (0..ROUNDS).map(|_| judge(&policy())).collect();
        let kept = policy();
        judge(&kept);
        let later = (0..ROUNDS).map(|_| judge(&kept)).collect();
        println!(
            "{what:<16} first {:>9.1?}   later {:>9.1?}",
            median(first),
            median(later)
        );
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn fixture(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(fixtures.join(name)).unwrap()
}
