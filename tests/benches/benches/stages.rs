//! Figures, not tests: what the stages of signing a mail cost by themselves, which says where the
//! time of an operation goes. `speed` measures the operations.
//!
//! ```text
//! cargo bench -p waxseal-benches --bench stages
//! ```
#![allow(clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use waxseal_benches::PROVIDER;
use waxseal_benches::people::People;
use waxseal_benches::smime::{Operation, perform};
use waxseal_message::{Limits, Message, base64_lines, entity};
use waxseal_smime::{DigestAlgorithm, Provider, SignatureScheme};

fn main() {
    let home = tempfile::tempdir().unwrap();
    let people = People::make(home.path());
    for (name, size, rounds) in [
        ("10 kB", 10_000, 1001),
        ("1 MB", 1_000_000, 101),
        ("25 MB", 25_000_000, 9),
    ] {
        println!("{name}");
        stages(&mail(size), rounds, &people);
    }
}

fn stages(mail: &Bytes, rounds: usize, people: &People) {
    let parse = || Message::parse(mail.clone(), &Limits::UNLIMITED).unwrap();
    let message = parse();
    let key = &people.signer.key;
    let scheme = SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha256);
    let row = |what: &str, time: Duration| println!("  {what:<14} {time:>10.1?}");
    row("parse", median(rounds, parse));
    row("prepare", median(rounds, || entity::prepare(&message)));
    row("copy", median(rounds, || mail.to_vec()));
    row(
        "digest",
        median(rounds, || PROVIDER.digest(DigestAlgorithm::Sha256, mail)),
    );
    row("base64", median(rounds, || base64_lines(mail)));
    row(
        "RSA-2048",
        median(rounds.min(101), || key.sign(scheme, b"attributes").unwrap()),
    );
    for operation in [Operation::Sign, Operation::Encrypt, Operation::SignEncrypt] {
        let time = median(rounds.min(101), || perform(operation, mail, people));
        row(operation.name(), time);
    }
}

/// A mail of about `size` octets whose bulk is an attachment.
fn mail(size: usize) -> Bytes {
    let mut mail = String::from(
        "From: chief@example.org\r\nTo: bob@partner.example\r\nSubject: report\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\
         Message-ID: <bench@example.org>\r\n\r\n\
         --x\r\nContent-Type: text/plain\r\n\r\nThe report is attached.\r\n\
         --x\r\nContent-Type: application/pdf; name=report.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
    );
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    while mail.len() + line.len() < size {
        mail.push_str(line);
    }
    mail.push_str("--x--\r\n");
    mail.into()
}

fn median<T>(rounds: usize, mut run: impl FnMut() -> T) -> Duration {
    black_box(run());
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
