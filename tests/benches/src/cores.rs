//! Signing on all cores, every result read back, beside what `openssl speed` says the same cores
//! can do.

use std::cell::Cell;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use waxseal_engine::LayerMade;
use waxseal_tests::openssl::verify;

use crate::Effort;
use crate::gateway::{Gateway, PROTECT};
use crate::machine::cores;
use crate::mail::{SMALL, mail};
use crate::page::Section;
use crate::paired::{Turn, paired, rate};
use crate::people::{P256, People, RSA};
use crate::process::succeeded;
use crate::smime::sign_as;
use crate::table::{per_second, percent, table};

/// Measures it.
pub fn section(people: &People, effort: Effort) -> Section {
    let mails: Vec<Bytes> = (0..64).map(|number| mail(SMALL, number)).collect();
    let mut rows = Vec::new();
    // A kind of key, `openssl speed`'s name for it, and what is aimed at.
    let kinds = [
        (
            "RSA-2048",
            RSA,
            &people.signer,
            "rsa2048",
            "75 %, better 85 %",
        ),
        (
            "ECDSA P-256",
            P256,
            &people.signer_p256,
            "ecdsap256",
            "40 %",
        ),
    ];
    for (name, key, signer, algorithm, aim) in kinds {
        let gateway = Gateway::new(1, &[PROTECT], "sign", key);
        openssl_agrees(&gateway, &mails[0], people);
        let (threads, time) = (cores(), Duration::from_secs(effort.of(1, 3)));
        let nth = |number: usize| &mails[number % mails.len()];
        let through_the_engine = |threads| {
            rate(threads, time, |number| {
                gateway.copy(nth(number), &[LayerMade::Signed]);
            })
        };
        let both = Cell::new(0.0);
        let turns: Vec<Turn<'_>> = vec![
            Box::new(|| {
                let [signatures, verifications] = openssl_speed(algorithm, threads, time);
                both.set(1.0 / (1.0 / signatures + 1.0 / verifications));
                signatures
            }),
            Box::new(|| both.get()),
            Box::new(|| through_the_engine(threads)),
            Box::new(|| through_the_engine(1)),
            Box::new(|| {
                rate(threads, time, |number| {
                    sign_as(signer, nth(number), people);
                })
            }),
        ];
        let paired = paired(effort.of(2, 5), turns);
        let labels = [
            ("`openssl speed`: the bare signature", ""),
            ("the same: a signature and its verification", ""),
            ("through the engine, decision included", aim),
            ("the same with one thread", ""),
            ("signing alone", ""),
        ];
        for (contestant, (what, aim)) in labels.into_iter().enumerate() {
            rows.push(vec![
                format!("{name}, {what}"),
                per_second(paired.median(contestant)),
                percent(paired.ratio(contestant, 0)),
                aim.to_owned(),
            ]);
        }
    }
    let head = format!("{} threads", cores());
    Section::new(
        "Signing on all cores",
        "Different mails of 10 kB, each signature verified from the octets as written. \
         `openssl speed -elapsed` signs a digest over and over; what it says of a signature and of \
         a verification together is the most that can come out where each result is read back.",
        table(&[&head, "median", "of `openssl speed`", "aim"], &rows),
    )
}

/// Signatures and verifications in a second, as the program reports them.
fn openssl_speed(algorithm: &str, threads: usize, time: Duration) -> [f64; 2] {
    let mut command = Command::new("openssl");
    command.args(["speed", "-elapsed", "-mr", "-seconds"]);
    command.arg(time.as_secs().to_string());
    command.args(["-multi", &threads.to_string(), algorithm]);
    let output = command.output().unwrap();
    succeeded(&command, &output);
    let text = String::from_utf8(output.stdout).unwrap();
    // The sum of all children, +F2 (RSA) or +F4 (ECDSA): a number, the size, signatures and
    // verifications in a second.
    let sum = text.lines().rfind(|line| line.starts_with("+F"));
    let sum = sum.unwrap_or_else(|| panic!("no figures: {text}"));
    let mut fields = sum.split(':').skip(3);
    [(); 2].map(|()| fields.next().unwrap().parse().unwrap())
}

fn openssl_agrees(gateway: &Gateway, mail: &Bytes, people: &People) {
    let file = people.file("cores.eml");
    let signed = gateway.copy(mail, &[LayerMade::Signed]);
    std::fs::write(&file, signed.to_bytes()).unwrap();
    verify(&file, &gateway.root()).expect("OpenSSL verifies what the engine signed");
}
