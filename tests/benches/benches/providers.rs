//! Figures, not a test: what one operation of each provider costs, beside what `openssl speed`
//! says of the same machine.
//!
//! ```text
//! tests/run bench                                              with the other benches
//! cargo bench -p waxseal-benches --bench providers -- quick     fewer rounds
//! ```
//!
//! The providers take turns, so that a machine which changes its mind changes it for all, and
//! the median of the rounds is printed. `openssl speed` has a median of nothing: it counts for a
//! second, once. Operations are those that mail needs: an RSA signature is over a message of 200
//! octets, as signed attributes are, and a verification parses its key.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;
use waxseal_provider_aws_lc::AwsLc;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::{
    ContentCipher, DigestAlgorithm, KeyAlgorithm, KeyTransport, PrivateKey, Provider,
    SignatureScheme, TransportScheme,
};

const PROVIDERS: [(&str, &dyn Provider); 2] = [("aws-lc", &AwsLc), ("rustcrypto", &RustCrypto)];
const MESSAGE: &[u8] = &[0x61; 200];
const RSA: SignatureScheme = SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha256);
const ECDSA: SignatureScheme = SignatureScheme::Ecdsa(DigestAlgorithm::Sha256);
/// Octets of a large mail.
const LARGE: usize = 1 << 20;

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let rounds = if quick { 20 } else { 200 };
    println!("median of {rounds} rounds; openssl: as `openssl speed` counts in one second\n");
    println!(
        "{:<22}{:>12}{:>12}{:>12}{:>22}",
        "", "aws-lc", "rustcrypto", "openssl", "aws-lc of openssl"
    );
    signatures(
        "RSA-2048",
        KeyAlgorithm::Rsa { bits: 2048 },
        RSA,
        "rsa2048",
        rounds,
    );
    let rsa = keys(&KeyAlgorithm::Rsa { bits: 2048 });
    decryption("RSA-2048 decrypt", &rsa, KeyTransport::Pkcs1v15, rounds);
    decryption("RSA-2048 OAEP", &rsa, KeyTransport::Oaep, rounds);
    signatures("P-256", KeyAlgorithm::EcP256, ECDSA, "ecdsap256", rounds);
    println!();
    let large = vec![0x61; LARGE];
    let times = medians(rounds, |provider| {
        time(|| {
            PROVIDERS[provider]
                .1
                .digest(DigestAlgorithm::Sha256, &large)
        })
    });
    throughput("SHA-256", times, "-evp sha256");
    for (cipher, name) in [
        (ContentCipher::Aes256Cbc, "aes-256-cbc"),
        (ContentCipher::Aes256Gcm, "aes-256-gcm"),
    ] {
        content(cipher, name, rounds);
    }
}

/// The same kind of key for each provider.
fn keys(algorithm: &KeyAlgorithm) -> [Box<dyn PrivateKey>; 2] {
    PROVIDERS.map(|(_, provider)| {
        let pkcs8 = provider.generate_key(algorithm).unwrap();
        provider.load_key(&pkcs8).unwrap()
    })
}

fn signatures(
    name: &str,
    algorithm: KeyAlgorithm,
    scheme: SignatureScheme,
    openssl: &str,
    rounds: usize,
) {
    let keys = keys(&algorithm);
    let (signs, verifies) = per_second(openssl);
    let times = medians(rounds, |provider| {
        time(|| keys[provider].sign(scheme, MESSAGE))
    });
    operation(&format!("{name} sign"), times, Some(signs));
    let signed: Vec<_> = keys.iter().map(|key| key.sign(scheme, MESSAGE)).collect();
    let times = medians(rounds, |provider| {
        let info = keys[provider].public_key_info();
        let signature = signed[provider].as_ref().unwrap();
        time(|| {
            PROVIDERS[provider]
                .1
                .verify(info, scheme, MESSAGE, signature)
        })
    });
    operation(&format!("{name} verify"), times, Some(verifies));
}

fn decryption(name: &str, keys: &[Box<dyn PrivateKey>; 2], transport: KeyTransport, rounds: usize) {
    let digest = DigestAlgorithm::Sha256;
    let scheme = match transport {
        KeyTransport::Pkcs1v15 => TransportScheme::Pkcs1v15,
        KeyTransport::Oaep => TransportScheme::Oaep {
            digest,
            mask_digest: digest,
            label: vec![],
        },
    };
    let encrypted: Vec<_> = keys
        .iter()
        .map(|key| AwsLc.transport_key(key.public_key_info(), transport, &[9; 32]))
        .collect();
    let times = medians(rounds, |provider| {
        let encrypted = encrypted[provider].as_ref().unwrap();
        time(|| keys[provider].decrypt_key(&scheme, encrypted, 32))
    });
    operation(name, times, None);
}

fn content(cipher: ContentCipher, openssl: &str, rounds: usize) {
    let (key, nonce) = (vec![1; cipher.key_size()], vec![2; cipher.nonce_size()]);
    let plain = vec![0x61; LARGE];
    let encrypt = |provider: &dyn Provider, buffer: &mut Vec<u8>| {
        provider
            .encrypt_content(cipher, &key, &nonce, &[], buffer)
            .unwrap()
    };
    let times = medians(rounds, |provider| {
        let mut buffer = Vec::with_capacity(LARGE + 16);
        buffer.extend_from_slice(&plain);
        time(|| encrypt(PROVIDERS[provider].1, &mut buffer))
    });
    throughput(
        &format!("{cipher} encrypt"),
        times,
        &format!("-evp {openssl}"),
    );
    let mut encrypted = plain.clone();
    let tag = encrypt(&AwsLc, &mut encrypted);
    let times = medians(rounds, |provider| {
        let mut buffer = encrypted.clone();
        let tag = tag.as_ref().map(|tag| &tag[..]);
        time(|| {
            let provider = PROVIDERS[provider].1;
            provider.decrypt_content(cipher, &key, &nonce, &[], tag, &mut buffer)
        })
    });
    throughput(
        &format!("{cipher} decrypt"),
        times,
        &format!("-decrypt -evp {openssl}"),
    );
}

/// Seconds.
fn time<T>(run: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_secs_f64()
}

/// The median for each provider.
fn medians(rounds: usize, mut run: impl FnMut(usize) -> f64) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (provider, times) in times.iter_mut().enumerate() {
            times.push(run(provider));
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn operation(name: &str, [aws_lc, rustcrypto]: [f64; 2], openssl: Option<f64>) {
    let micros = |seconds: f64| format!("{:.1} µs", seconds * 1e6);
    let openssl = openssl.map(|per_second| 1.0 / per_second);
    let ratio = openssl.map(|openssl| format!("{:.0} %", openssl / aws_lc * 100.0));
    let openssl = openssl.map(micros);
    println!(
        "{name:<22}{:>12}{:>12}{:>12}{:>22}",
        micros(aws_lc),
        micros(rustcrypto),
        openssl.unwrap_or_default(),
        ratio.unwrap_or_default()
    );
}

fn throughput(name: &str, times: [f64; 2], openssl: &str) {
    let [aws_lc, rustcrypto] = times.map(|seconds| LARGE as f64 / seconds);
    let openssl = octets_per_second(openssl);
    let mega = |rate: f64| format!("{:.0} MB/s", rate / 1e6);
    println!(
        "{name:<22}{:>12}{:>12}{:>12}{:>20.0} %",
        mega(aws_lc),
        mega(rustcrypto),
        mega(openssl),
        aws_lc / openssl * 100.0
    );
}

/// Signatures and verifications.
fn per_second(algorithm: &str) -> (f64, f64) {
    // +F2:2:2048:signatures:verifications
    let line = speed(algorithm);
    let mut fields = line.rsplit(':').map(|field| field.parse().unwrap());
    let (verifications, signatures) = (fields.next().unwrap(), fields.next().unwrap());
    (signatures, verifications)
}

fn octets_per_second(algorithm: &str) -> f64 {
    // +F:25:aes-256-cbc:octets a second
    let line = speed(&format!("-bytes {LARGE} {algorithm}"));
    line.rsplit(':').next().unwrap().parse().unwrap()
}

/// The line of results.
fn speed(arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "1"])
        .args(arguments.split(' '))
        .output()
        .expect("this bench needs the openssl command");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("+F"));
    lines
        .next_back()
        .expect("openssl speed gives a line +F")
        .to_owned()
}
