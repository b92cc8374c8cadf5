//! How cost grows: with the size of a mail, its recipients, the chain of filters, the certificates
//! in the store. A drawing for each.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use waxseal_message::{Address, Limits, Message};
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{
    Certificate, CertificateSource, ChoiceRules, Context, DigestAlgorithm, EncryptOptions,
    Identity, KeyAlgorithm, NoAnchors, Provider, Purpose, SignatureScheme, choose, encrypt,
};
use waxseal_stores::{CertificateStore, StoreOptions, SystemClock};

use crate::gateway::{Gateway, NO_MATCH};
use crate::mail::{SMALL, mail};
use crate::page::Section;
use crate::paired::{Turn, median, paired, seconds};
use crate::people::{People, RSA};
use crate::plot::{Plot, constant, measured, proportional};
use crate::smime::{Operation, perform};
use crate::table::{octets, table, time};
use crate::{Effort, PROVIDER};

const YEAR: i64 = 365 * 86_400;

type Points = Vec<(f64, f64)>;

/// Measures all four.
pub fn section(people: &People, effort: Effort) -> Section {
    let signature = signature(people);
    let (sizes, size) = by_size(people, effort);
    let (recipients, recipient) = by_recipients(people, effort);
    let (filters, filter) = by_filters(effort, signature);
    let (certificates, certificate) = by_certificates(people, effort);
    Section::new(
        "How cost grows",
        "One thread, in process, one thing changed at a time. Dashed lines are for comparison: what \
         is proportional to the horizontal axis, or one RSA-2048 signature.",
        [sizes, recipients, filters, certificates].join("\n"),
    )
    .with_plot("size", size.svg())
    .with_plot("recipients", recipient.svg())
    .with_plot("filters", filter.svg())
    .with_plot("certificates", certificate.svg())
}

fn signature(people: &People) -> f64 {
    let scheme = SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha256);
    let sign = || seconds(|| people.signer.key.sign(scheme, b"attributes").unwrap());
    median((0..101).map(|_| sign()).collect())
}

fn by_size(people: &People, effort: Effort) -> (String, Plot) {
    let operations = [Operation::Sign, Operation::Encrypt, Operation::Decrypt];
    let largest = effort.of(7, 8);
    let mut points = [Points::new(), Points::new(), Points::new()];
    for exponent in 3..=largest {
        let plain = mail(10_usize.pow(exponent), 0);
        let sealed = perform(Operation::Encrypt, &plain, people).to_bytes();
        let turns = operations.map(|operation| {
            let octets: Bytes = match operation {
                Operation::Decrypt => sealed.clone(),
                _ => plain.clone(),
            };
            Box::new(move || seconds(|| perform(operation, &octets, people))) as Turn<'_>
        });
        let rounds = if exponent < 6 {
            effort.of(20, 100)
        } else {
            effort.of(3, 9)
        };
        let paired = paired(rounds, turns.into());
        for (contestant, points) in points.iter_mut().enumerate() {
            points.push((10_f64.powi(exponent as i32), paired.median(contestant)));
        }
    }
    let series = operations.iter().zip(&points);
    let series = series.map(|(operation, points)| measured(operation.name(), points));
    let plot = Plot {
        title: "Size of the mail",
        x: "octets of the mail",
        x_figure: octets,
        series: series.chain([proportional(&points[1])]).collect(),
    };
    let heads = operations.map(Operation::name);
    (rows("size", octets, &heads, &points), plot)
}

fn by_recipients(people: &People, effort: Effort) -> (String, Plot) {
    let issuer = Issuer::new(people);
    let certificates: Vec<Certificate> = (0..500).map(|number| issuer.issue(number)).collect();
    let octets = mail(SMALL, 0);
    let context = Context {
        provider: &PROVIDER,
        now: people.now,
        limits: &Limits::UNLIMITED,
    };
    let work = |count: usize| {
        let message = Message::parse(octets.clone(), context.limits).unwrap();
        encrypt(
            &message,
            &certificates[..count],
            &EncryptOptions::default(),
            &context,
        )
        .unwrap()
    };
    let counts = [1, 2, 5, 10, 20, 50, 100, 200, 500];
    let points = by_count(&counts, effort.of(5, 25), |count| seconds(|| work(count)));
    let plot = Plot {
        title: "Recipients of one envelope, RSA-2048, mail of 10 kB",
        x: "recipients",
        x_figure: count,
        series: vec![measured("encrypt", &points), proportional(&points)],
    };
    (rows("recipients", count, &["encrypt"], &[points]), plot)
}

fn by_filters(effort: Effort, signature: f64) -> (String, Plot) {
    let octets = mail(SMALL, 0);
    let counts = [1, 2, 5, 10, 20, 50];
    let gateways = counts.map(|count| Gateway::new(count, &[NO_MATCH], "sign", RSA));
    let points = by_count(&counts, effort.of(100, 1_000), |count| {
        let at = counts.iter().position(|each| *each == count).unwrap();
        gateways[at].process(&octets).stages.filters.as_secs_f64()
    });
    let plot = Plot {
        title: "Filters of the chain, one rule each, mail of 10 kB",
        x: "filters",
        x_figure: count,
        series: vec![
            measured("decision", &points),
            proportional(&points),
            constant("one RSA-2048 signature", signature, &points),
        ],
    };
    (rows("filters", count, &["decision"], &[points]), plot)
}

fn by_certificates(people: &People, effort: Effort) -> (String, Plot) {
    let issuer = Issuer::new(people);
    let file = people.file("certificates.sqlite");
    let store = store(&file);
    let rules = ChoiceRules {
        at: people.now,
        allow_domain_certificates: false,
        trust: None,
        trust_in_strangers: &NoAnchors,
    };
    let mut stored = 0;
    let mut points = [Points::new(), Points::new()];
    for exponent in 1..=effort.of(5, 6) {
        let total = 10_usize.pow(exponent);
        issuer.fill(&store, stored..total);
        stored = total;
        let mut number = 0;
        let known: Turn<'_> = Box::new(|| {
            // Someone else each time, all over the store.
            number = (number + 7_919) % total;
            let address = Issuer::address(number);
            seconds(|| {
                let found = store.find(&address).unwrap();
                let chosen = choose(&address, found, Purpose::Encrypt, &rules);
                assert_eq!(chosen.usable.len(), 1);
            })
        });
        let stranger = Address::parse("nobody@partner.example").unwrap();
        let unknown: Turn<'_> =
            Box::new(|| seconds(|| assert!(store.find(&stranger).unwrap().is_empty())));
        let paired = paired(effort.of(100, 1_000), vec![known, unknown]);
        for (contestant, points) in points.iter_mut().enumerate() {
            points.push((total as f64, paired.median(contestant)));
        }
    }
    let plot = Plot {
        title: "Certificates in the store",
        x: "certificates",
        x_figure: count,
        series: vec![
            measured("find and choose", &points[0]),
            measured("nobody found", &points[1]),
        ],
    };
    let heads = ["find and choose", "nobody found"];
    (rows("certificates", count, &heads, &points), plot)
}

fn store(file: &Path) -> CertificateStore {
    let options = StoreOptions {
        capacity: 10_000_000,
        ..StoreOptions::default()
    };
    CertificateStore::new(file, options, Arc::new(SystemClock))
}

/// All counts in turn, round by round.
fn by_count(counts: &[usize], rounds: usize, work: impl Fn(usize) -> f64) -> Points {
    let work = &work;
    let turns = counts.iter();
    let turns = turns.map(|count| Box::new(move || work(*count)) as Turn<'_>);
    let paired = paired(rounds, turns.collect());
    let medians = counts.iter().enumerate();
    medians
        .map(|(at, count)| (*count as f64, paired.median(at)))
        .collect()
}

fn rows(what: &str, figure: fn(f64) -> String, heads: &[&str], series: &[Points]) -> String {
    let row = |at: usize| {
        let times = series.iter().map(|points| time(points[at].1));
        [figure(series[0][at].0)].into_iter().chain(times).collect()
    };
    let rows: Vec<Vec<String>> = (0..series[0].len()).map(row).collect();
    let head: Vec<&str> = [what].iter().chain(heads).copied().collect();
    table(&head, &rows)
}

fn count(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    match digits.len() {
        0..=3 => digits,
        4..=6 => format!(
            "{},{}",
            &digits[..digits.len() - 3],
            &digits[digits.len() - 3..]
        ),
        _ => format!("{}M", figure / 1e6),
    }
}

/// Certificates for many people, all with the recipient's RSA-2048 key: making keys takes longer
/// than everything else here.
struct Issuer<'a> {
    people: &'a People,
    root: Certificate,
    key: Identity,
}

impl<'a> Issuer<'a> {
    fn new(people: &'a People) -> Self {
        let pkcs8 = PROVIDER.generate_key(&KeyAlgorithm::EcP256).unwrap();
        let key = PROVIDER.load_key(&pkcs8).unwrap();
        let template = template(people, "Authority", vec![]);
        let root = certgen::authority(&template, &*key, &PROVIDER).unwrap();
        let key = Identity::new("authority", root.clone(), vec![], Arc::from(key)).unwrap();
        Self { people, root, key }
    }

    fn address(number: usize) -> Address {
        Address::parse(&format!("{number:07}@partner.example")).unwrap()
    }

    fn issue(&self, number: usize) -> Certificate {
        let template = template(self.people, "Person", vec![Self::address(number)]);
        let info = self.people.reader.key.public_key_info();
        certgen::leaf(&template, info, &self.root, &*self.key.key, &PROVIDER).unwrap()
    }

    /// Puts certificates of these people into the store. Only the first is issued, the others are
    /// that one with another address: a million signatures would take minutes, and neither the
    /// store nor the choice without paths looks at them.
    fn fill(&self, store: &CertificateStore, numbers: std::ops::Range<usize>) {
        let first = self.issue(0);
        let written = b"0000000@partner.example";
        let at = first.to_der().windows(written.len());
        let at = at.into_iter().position(|window| window == written).unwrap();
        let renumbered = |number: usize| {
            let mut der = first.to_der().to_vec();
            der[at..at + 7].copy_from_slice(format!("{number:07}").as_bytes());
            Certificate::from_der(&der).unwrap()
        };
        let numbers: Vec<usize> = numbers.collect();
        for some in numbers.chunks(50_000) {
            let certificates: Vec<_> = some.iter().map(|number| renumbered(*number)).collect();
            store.import(&certificates).unwrap();
        }
    }
}

fn template(people: &People, name: &str, addresses: Vec<Address>) -> Template {
    Template {
        common_name: name.to_owned(),
        organization: None,
        addresses,
        not_before: people.now.plus(-YEAR),
        not_after: people.now.plus(YEAR),
    }
}
