//! Does one thing over and over, for a profiler to look at; docs/performance.md has what it saw.
//!
//! ```text
//! cargo build --release -p waxseal-benches
//! perf record -g target/release/profile WHAT SECONDS
//! ```
//!
//! WHAT is `decision`, `engine-rsa` or `engine-p256` (mails of 10 kB through the engine), or what is
//! done to a mail of 25 MB: `sign`, `encrypt`, `sign-encrypt`, `decrypt`, `verify`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use waxseal_benches::files::Files;
use waxseal_benches::gateway::{Gateway, NO_MATCH, PROTECT};
use waxseal_benches::mail::{LARGE, SMALL, mail};
use waxseal_benches::people::{P256, People, RSA};
use waxseal_benches::smime::{Operation, perform};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.get(1).and_then(|seconds| seconds.parse().ok());
    let ([what, _], Some(seconds)) = (arguments.as_slice(), seconds) else {
        eprintln!(
            "hint: profile decision|engine-rsa|engine-p256|sign|encrypt|sign-encrypt|decrypt|verify \
             SECONDS"
        );
        return ExitCode::from(64);
    };
    let duration = Duration::from_secs(seconds);
    let small = mail(SMALL, 0);
    match what.as_str() {
        "decision" => {
            let gateway = Gateway::new(1, &[NO_MATCH; 10], "sign", RSA);
            repeat(duration, || drop(gateway.process(&small)));
        }
        "engine-rsa" => {
            let gateway = Gateway::new(1, &[PROTECT], "sign", RSA);
            repeat(duration, || drop(gateway.process(&small)));
        }
        "engine-p256" => {
            let gateway = Gateway::new(1, &[PROTECT], "sign", P256);
            repeat(duration, || drop(gateway.process(&small)));
        }
        name => {
            let Some(operation) = Operation::named(name) else {
                eprintln!("error: nothing has the name {name}");
                return ExitCode::from(64);
            };
            let place = tempfile::tempdir().unwrap();
            let people = People::make(place.path());
            let files = Files::new(&people, "large", LARGE);
            let octets = Bytes::from(std::fs::read(files.input(operation)).unwrap());
            repeat(duration, || drop(perform(operation, &octets, &people)));
        }
    }
    ExitCode::SUCCESS
}

/// Says how long each took.
fn repeat(duration: Duration, work: impl Fn()) {
    work();
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < duration {
        work();
        count += 1;
    }
    println!("{count} times, {:.1?} each", began.elapsed() / count);
}
