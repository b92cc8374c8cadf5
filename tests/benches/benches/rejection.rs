//! Figures, not a test: whether time tells why an envelope did not open (rule 8, RFC 3218). The
//! same mail with its RSA ciphertext or its content spoilt in three ways is opened over and over
//! in random order, by each provider; each way of failing is compared with that of a spoilt
//! content.
//!
//! ```text
//! tests/run bench                                               with the other bench
//! cargo bench -p waxseal-benches --bench rejection -- 500       rounds
//! ```
//!
//! Welch's t says how sure a difference of two means is; from 4.5 up it is taken for real by
//! those who measure so (dudect). The slowest twentieth of each kind is left out: that is the
//! machine, not the code. A good mail stands beside for scale: that it opens is no secret.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;
use waxseal_message::{Address, Limits, Message};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::open::{Opening, State, open};
use waxseal_smime::{
    ContentCipher, Context, EncryptOptions, Identity, KeyAlgorithm, KeyTransport, Provider, Time,
    TransportScheme, encrypt,
};
use zeroize::Zeroizing;

const NOW: Time = Time::from_unix(1_795_532_400);
const YEAR: i64 = 365 * 86_400;
/// Variants of each kind, so that no single ciphertext makes the difference.
const VARIANTS: usize = 16;
/// Octets of an RSA ciphertext, of a 2048-bit key.
const ENCRYPTED: usize = 256;

const KINDS: [&str; 4] = ["good", "bad padding", "key of wrong size", "bad content"];
const REFERENCE: usize = 3;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.find_map(|argument| argument.parse().ok());
    let rounds = rounds.unwrap_or(1_000);
    println!("times of rejection, RSA-2048 PKCS #1 v1.5, AES-256-CBC, 10 kB, {rounds} rounds");
    rejections("aws-lc", &AwsLc, rounds);
    rejections("rustcrypto", &RustCrypto, rounds);
}

fn rejections(name: &str, provider: &'static dyn Provider, rounds: usize) {
    let sample = Sample::new(provider);
    let what = format!("{name}: decrypt_key");
    measure(&what, rounds, |kind, variant| {
        sample.decrypt_key(&sample.parts[kind][variant].0)
    });
    let what = format!("{name}: decrypt_key, decrypt_content");
    measure(&what, rounds, |kind, variant| {
        sample.provider(kind, variant)
    });
    let mails = sample.mails();
    for (kind, mails) in mails.iter().enumerate() {
        let expected = [State::DecryptedUnauthenticated, State::Damaged][usize::from(kind != 0)];
        assert!(mails.iter().all(|mail| sample.opens(mail) == expected));
    }
    let what = format!("{name}: open(), the whole mail");
    measure(&what, rounds, |kind, variant| {
        sample.opens(&mails[kind][variant])
    });
}

/// One recipient, one envelope for her, and its spoilt variants: kinds × variants.
struct Sample {
    provider: &'static dyn Provider,
    identity: Identity,
    limits: Limits,
    /// RSA ciphertext and content ciphertext.
    parts: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
    iv: Vec<u8>,
    /// DER of ContentInfo, and where the two ciphertexts stand in it.
    envelope: Vec<u8>,
    key_at: usize,
    content_at: usize,
}

impl Sample {
    fn new(provider: &'static dyn Provider) -> Self {
        let identity = identity(provider);
        let limits = Limits::default();
        let envelope = envelope(provider, &identity, &limits);
        let key_at = find(&envelope, &[0x04, 0x82, 0x01, 0x00]) + 4;
        // contentEncryptionAlgorithm is aes256-CBC with its IV, then [0] with the content.
        let aes = [
            0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10,
        ];
        let iv_at = find(&envelope, &aes) + aes.len();
        let iv = envelope[iv_at..iv_at + 16].to_vec();
        let content_at = iv_at + 16 + 4;
        assert_eq!(envelope[iv_at + 16..iv_at + 18], [0x80, 0x82]);
        let mut sample = Self {
            provider,
            identity,
            limits,
            parts: Vec::new(),
            iv,
            key_at,
            content_at,
            envelope,
        };
        sample.parts = (0..KINDS.len())
            .map(|kind| (0..VARIANTS).map(|_| sample.variant(kind)).collect())
            .collect();
        sample
    }

    /// A variant that does what its kind says: one wrong key in 256 passes for a good one.
    fn variant(&self, kind: usize) -> (Vec<u8>, Vec<u8>) {
        loop {
            let mut key = self.envelope[self.key_at..self.key_at + ENCRYPTED].to_vec();
            let mut content = self.envelope[self.content_at..].to_vec();
            let mut random = [0; ENCRYPTED];
            self.provider.random(&mut random).unwrap();
            match kind {
                0 => {}
                1 => key[1..].copy_from_slice(&random[1..]),
                2 => {
                    let info = self.identity.key.public_key_info();
                    let short = &random[..24];
                    key = self
                        .provider
                        .transport_key(info, KeyTransport::Pkcs1v15, short)
                        .unwrap();
                }
                _ => {
                    let last = content.len() - 16;
                    content[last..].copy_from_slice(&random[..16]);
                }
            }
            if self.decrypt(&key, &content) == (kind == 0) {
                return (key, content);
            }
        }
    }

    fn decrypt(&self, encrypted: &[u8], content: &[u8]) -> bool {
        let key = self.decrypt_key(encrypted);
        let mut buffer = content.to_vec();
        let cipher = ContentCipher::Aes256Cbc;
        self.provider
            .decrypt_content(cipher, &key, &self.iv, &[], None, &mut buffer)
            .is_ok()
    }

    fn decrypt_key(&self, encrypted: &[u8]) -> Zeroizing<Vec<u8>> {
        let scheme = TransportScheme::Pkcs1v15;
        let key = self.identity.key.decrypt_key(&scheme, encrypted, 32);
        key.unwrap()
    }

    fn provider(&self, kind: usize, variant: usize) {
        let (key, content) = &self.parts[kind][variant];
        assert_eq!(self.decrypt(key, content), kind == 0);
    }

    /// Each variant as a mail.
    fn mails(&self) -> Vec<Vec<Message>> {
        let mail = |(key, content): &(Vec<u8>, Vec<u8>)| {
            let mut envelope = self.envelope.clone();
            envelope[self.key_at..self.key_at + ENCRYPTED].copy_from_slice(key);
            envelope[self.content_at..].copy_from_slice(content);
            let head = "From: a@example.org\r\nMIME-Version: 1.0\r\n\
                        Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\
                        Content-Transfer-Encoding: binary\r\n\r\n";
            Message::parse([head.as_bytes(), &envelope].concat(), &self.limits).unwrap()
        };
        let kinds = self.parts.iter();
        kinds
            .map(|parts| parts.iter().map(mail).collect())
            .collect()
    }

    fn opens(&self, mail: &Message) -> State {
        let opening = Opening {
            provider: self.provider,
            now: NOW,
            limits: &self.limits,
            keys: vec![&self.identity],
            secrets: &[],
            trust: None,
            certificates: &[],
            allow_weak: false,
            clock_skew: 0,
        };
        open(mail, &opening).layers[0].state
    }
}

fn find(octets: &[u8], needle: &[u8]) -> usize {
    let mut windows = octets.windows(needle.len());
    windows.position(|window| window == needle).unwrap()
}

fn identity(provider: &dyn Provider) -> Identity {
    let made = |algorithm| {
        let pkcs8 = provider.generate_key(&algorithm).unwrap();
        provider.load_key(&pkcs8).unwrap()
    };
    let template = |name: &str| Template {
        common_name: name.into(),
        organization: None,
        addresses: vec![Address::parse("a@example.org").unwrap()],
        not_before: NOW.plus(-YEAR),
        not_after: NOW.plus(YEAR),
    };
    let (authority, key) = (
        made(KeyAlgorithm::EcP256),
        made(KeyAlgorithm::Rsa { bits: 2048 }),
    );
    let root = Template {
        addresses: vec![],
        ..template("Authority")
    };
    let root = certgen::authority(&root, &*authority, provider).unwrap();
    let holder = template("Holder");
    let info = key.public_key_info();
    let certificate = certgen::leaf(&holder, info, &root, &*authority, provider).unwrap();
    Identity::new("holder", certificate, vec![], Arc::from(key)).unwrap()
}

/// DER of an EnvelopedData around ten kilobytes of text.
fn envelope(provider: &dyn Provider, identity: &Identity, limits: &Limits) -> Vec<u8> {
    let text = "A line of text that says nothing at all.\r\n".repeat(240);
    let mail = format!("From: a@example.org\r\nContent-Type: text/plain\r\n\r\n{text}");
    let mail = Message::parse(mail.into_bytes(), limits).unwrap();
    let context = Context {
        provider,
        now: NOW,
        limits,
    };
    let options = EncryptOptions {
        cipher: ContentCipher::Aes256Cbc,
        key_transport: KeyTransport::Pkcs1v15,
        ..EncryptOptions::default()
    };
    let certificates = [identity.certificate.clone()];
    let encrypted = encrypt(&mail, &certificates, &options, &context).unwrap();
    encrypted.into_message().root().decoded().into_owned()
}

/// Runs all kinds in random order, and prints a line for each.
fn measure<T>(what: &str, rounds: usize, run: impl Fn(usize, usize) -> T) {
    let mut times = vec![Vec::with_capacity(rounds); KINDS.len()];
    for round in 0..rounds {
        let mut random = [0; 8];
        AwsLc.random(&mut random).unwrap();
        let mut order: Vec<usize> = (0..KINDS.len()).collect();
        order.sort_by_key(|kind| random[*kind]);
        for kind in order {
            let start = Instant::now();
            std::hint::black_box(run(kind, round % VARIANTS));
            times[kind].push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    println!("\n{what}");
    println!(
        "{:<20}{:>13}{:>12}{:>12}{:>12}{:>10}",
        "", "10 % µs", "median µs", "mean µs", "spread µs", "Welch t"
    );
    let figures: Vec<Figures> = times.into_iter().map(Figures::of).collect();
    for (kind, own) in KINDS.iter().zip(&figures) {
        println!(
            "{kind:<20}{:>13.1}{:>12.1}{:>12.1}{:>12.1}{:>10.2}",
            own.fast,
            own.median,
            own.mean,
            own.variance.sqrt(),
            own.welch(&figures[REFERENCE])
        );
    }
}

struct Figures {
    /// The tenth percentile: what the code takes on a machine that does nothing else.
    fast: f64,
    median: f64,
    mean: f64,
    variance: f64,
    count: f64,
}

impl Figures {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 19 / 20);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
        Self {
            fast: times[times.len() / 10],
            median: times[times.len() / 2],
            mean,
            variance: squares / (count - 1.0),
            count,
        }
    }

    fn welch(&self, other: &Self) -> f64 {
        let error = self.variance / self.count + other.variance / other.count;
        (self.mean - other.mean) / error.sqrt()
    }
}
