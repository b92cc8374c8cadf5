//! Figures, not tests: what a policy decision costs, what signing, encrypting and wrapping cost,
//! and how much memory a large mail takes. Prints; compares with nothing.
//!
//! ```text
//! tests/run bench                         everything
//! cargo bench -p waxseal-benches -- quick  fewer rounds
//! ```
//!
//! Loads a policy directory as the command line does, and takes mails through
//! [`Engine::process`] in this process: parsing, filters, protection and read-back are in each
//! figure; starting the process and loading the policy are not. Peak memory is measured in a
//! child process for each mail, since it never goes down again.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use waxseal_config::{LoadOptions, Providers, load};
use waxseal_engine::{Disposition, Engine, Transaction};
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::Time;
use waxseal_tests::operator::Policy;

const FROM: &str = "chief@example.org";
const TO: &str = "bob@partner.example";
const NOTHING: &str =
    r#"{ "when": { "subject": "*[nothing]*" }, "then": { "note": { "a": "b" } } }"#;
const APPLY: &str = r#"{ "then": { "apply": { "profile": "p" } } }"#;
const KINDS: [(&str, &str); 4] = [
    ("sign", "mode = \"sign\""),
    ("encrypt", "mode = \"encrypt\"\ncipher = \"aes-256-cbc\""),
    (
        "encrypt, gcm",
        "mode = \"encrypt\"\ncipher = \"aes-256-gcm\"",
    ),
    (
        "triple wrap",
        "mode = \"triple-wrap\"\ncipher = \"aes-256-cbc\"",
    ),
];
const SIZES: [(&str, usize); 3] = [
    ("10 kB", 10_000),
    ("1 MB", 1_000_000),
    ("25 MB", 25_000_000),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|a| a == "--peak") {
        return peak(&arguments[at + 1], arguments[at + 2].parse().unwrap());
    }
    let quick = arguments.iter().any(|a| a == "quick");
    decisions(if quick { 1_000 } else { 20_000 });
    protections(if quick { 5 } else { 40 });
    memory();
}

/// The policy directory must outlive the engine.
struct Bench {
    engine: Engine,
    now: i64,
    _policy: Policy,
}

impl Bench {
    fn new(rules: &[&str], profile: &str) -> Bench {
        let mut policy = Policy::new(&format!(
            "[[filter]]\nname = \"rules\"\ncomponent = \"filters/rules.wasm\"\n\
             grant = [\"actions\", \"inspect\", \"profiles:p\"]\nsettings = \"rules.json\"\n\n\
             [origin]\nauthenticated = true\n\n[profile.p]\n{profile}\n"
        ));
        let rules = format!("{{ \"rules\": [{}] }}", rules.join(", "));
        std::fs::write(policy.directory().join("rules.json"), rules).unwrap();
        policy.signer("chief", FROM);
        policy.recipient(TO);
        policy.write();
        let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let runtime = Runtime::new(&RuntimeLimits::default()).unwrap();
        let options = LoadOptions {
            now: Time::from_unix(now),
        };
        let providers = Providers::new("aws-lc", Arc::new(AwsLc));
        let loaded = load(&policy.directory(), &runtime, &providers, &options);
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        Bench {
            engine: Engine::new(loaded.generation),
            now,
            _policy: policy,
        }
    }

    /// Takes one mail through; panics unless a copy comes out. The filters' own time.
    fn process(&self, mail: &Bytes) -> Duration {
        let (from, to) = (Address::parse(FROM).unwrap(), Address::parse(TO).unwrap());
        let mut transaction = Transaction::new(Some(from), [to], mail.clone(), self.now);
        transaction.session.auth_user = Some(FROM.into());
        let outcome = self.engine.process(transaction);
        match &outcome.disposition {
            Disposition::Deliver(delivery) if delivery.copies.len() == 1 => {}
            other => panic!("no copy: {other:?}"),
        }
        let decision = outcome.decision.unwrap();
        decision.trace.filters.iter().map(|f| f.elapsed).sum()
    }
}

/// A mail of about `size` octets whose bulk is an attachment.
fn mail(size: usize) -> Bytes {
    let mut mail = format!(
        "From: {FROM}\r\nTo: {TO}\r\nSubject: report\r\nMIME-Version: 1.0\r\n\
         Message-ID: <bench@example.org>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
         --x\r\nContent-Type: text/plain\r\n\r\nThe report is attached.\r\n\
         --x\r\nContent-Type: application/pdf; name=report.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    while mail.len() + line.len() < size {
        mail.push_str(line);
    }
    mail.push_str("--x--\r\n");
    mail.into()
}

fn decisions(rounds: usize) {
    println!("policy decision (instantiate, evaluate, drop), mail of 10 kB, one filter `rules`");
    let mail = mail(10_000);
    for count in [1, 10] {
        let bench = Bench::new(&vec![NOTHING; count], KINDS[0].1);
        for _ in 0..100 {
            bench.process(&mail);
        }
        let (mut filters, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let start = Instant::now();
            filters.push(bench.process(&mail));
            whole.push(start.elapsed());
        }
        println!("  {count:>2} rules  filter         {}", spread(filters));
        println!("  {count:>2} rules  whole message  {}", spread(whole));
    }
}

fn protections(rounds: usize) {
    println!("\nprotection of one mail for one recipient, RSA-2048, read back included");
    for (kind, profile) in KINDS {
        let bench = Bench::new(&[APPLY], profile);
        for (name, size) in SIZES {
            let mail = mail(size);
            bench.process(&mail);
            let rounds = if size > 10_000_000 {
                rounds / 5 + 1
            } else {
                rounds
            };
            let times = (0..rounds).map(|_| {
                let start = Instant::now();
                bench.process(&mail);
                start.elapsed()
            });
            println!("  {kind:<14} {name:>6}  {}", spread(times.collect()));
        }
    }
}

fn memory() {
    println!(
        "\npeak memory of the process, mail of 25 MB (and of 10 kB, for what is always there)"
    );
    let program = std::env::current_exe().unwrap();
    for (kind, _) in KINDS {
        let peaks = [SIZES[2].1, SIZES[0].1].map(|size| {
            let child = Command::new(&program)
                .args(["--peak", kind, &size.to_string()])
                .output();
            let output = child.unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        });
        println!("  {kind:<14} {:>8} ({})", peaks[0], peaks[1]);
    }
}

/// In the child: one mail, then the high-water mark of this process.
fn peak(kind: &str, size: usize) {
    let (_, profile) = KINDS.iter().find(|(name, _)| *name == kind).unwrap();
    let bench = Bench::new(&[APPLY], profile);
    bench.process(&mail(size));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = mark.and_then(|m| m.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    println!(
        "{}",
        kib.map_or("unknown".to_owned(), |kib| format!(
            "{} MB",
            kib * 1024 / 1_000_000
        ))
    );
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!(
        "p50 {:>9.1?}  p99 {:>9.1?}  min {:>9.1?}",
        at(50),
        at(99),
        times[0]
    )
}
