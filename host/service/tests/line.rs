//! What is logged and recorded of a message: the whole of it, with times left out.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../engine/tests/operator/mod.rs"]
mod operator;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};

use operator::{ALICE, MAIL, Operator, transaction};
use serde_json::Value;
use waxseal_engine::Engine;
use waxseal_policy::plan::ProtectionMode;
use waxseal_policy::reply::Reply;
use waxseal_service::{DecisionSettings, Decisions, Ending, Service, Settings};

/// A log that can be read back.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log lines about messages that `work` leaves.
fn logged(work: impl Future<Output = ()>) -> Vec<Value> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(work));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["target"] == "waxseal::message")
        .map(|mut line| line["fields"].take())
        .collect()
}

/// Without what changes from run to run.
fn steady(mut value: Value, id: &str) -> String {
    forget_times(&mut value);
    serde_json::to_string_pretty(&value)
        .unwrap()
        .replace(id, "[id]")
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let fingerprint = name == "usable" || name == "decision";
                match field {
                    Value::Number(_) if is_time(name) => *field = Value::from("[time]"),
                    Value::Array(lines) if fingerprint => lines.iter_mut().for_each(forget_hex),
                    other => forget_times(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}

fn is_time(name: &str) -> bool {
    let times = [
        "recorded-at",
        "wait",
        "parse",
        "filters",
        "copies",
        "crypto",
        "carry-out",
        "total",
    ];
    name.ends_with("-us") || times.contains(&name)
}

/// Fingerprints of certificates that are made for the test.
fn forget_hex(line: &mut Value) {
    let Some(text) = line.as_str() else { return };
    let words = text.split(' ').map(|word| {
        let digits = word.trim_end_matches(['…', ',']);
        match digits.len() >= 16 && digits.bytes().all(|c| c.is_ascii_hexdigit()) {
            true => "[sha256]",
            false => word,
        }
    });
    *line = Value::from(words.collect::<Vec<_>>().join(" "));
}

fn operator() -> Operator {
    let mut operator = Operator::new(ProtectionMode::SignEncrypt)
        .identity(ALICE, -1..90)
        .recipient("bob@example.net")
        .with(|profile| {
            profile.missing_certificate =
                waxseal_policy::plan::MissingCertificate::EncryptOrBounceRest;
        });
    operator.rules = r#"{ "rules": [
        { "name": "mark", "then": { "headers": { "replace": { "Subject": "a secret word" } } } },
        { "name": "protect", "then": { "apply": { "profile": "p" } } }] }"#
        .into();
    operator
}

fn taken() -> Ending {
    Ending::Replied(Reply {
        code: 250,
        enhanced: Some("2.0.0".to_owned()),
        text: "taken".to_owned(),
    })
}

#[test]
fn one_line_for_each_message() {
    let engine = Arc::new(Engine::new(operator().generation("7d3a")));
    let service = Service::new(engine, Settings::default());
    let id = service.new_id();
    let lines = logged(async {
        let mut transaction = transaction(MAIL.as_bytes());
        transaction.queue_id = Some("4ZxQ1".to_owned());
        let mut processed = service.process(id.clone(), transaction).await;
        processed.next_hop_replied("250 2.0.0 Ok: queued as 4ZxQ2");
        processed.conclude(taken());
    });
    let [line] = &lines[..] else {
        panic!("not one line: {lines:#?}")
    };
    insta::assert_snapshot!(steady(line.clone(), &id));
}

#[test]
fn a_message_that_nobody_concludes_is_abandoned() {
    let engine = Arc::new(Engine::new(operator().generation("7d3a")));
    let service = Service::new(engine, Settings::default());
    let lines = logged(async {
        let transaction = transaction(MAIL.as_bytes());
        drop(service.process(service.new_id(), transaction.clone()).await);
        // The client goes away while it is being decided.
        let never_polled_again = service.process(service.new_id(), transaction);
        tokio::select! {
            biased;
            _ = never_polled_again => panic!("it cannot be ready at once"),
            () = std::future::ready(()) => {}
        }
    });
    let endings: Vec<_> = lines.iter().map(|line| line["ending"].as_str()).collect();
    assert_eq!(endings, [Some("abandoned"); 2], "{lines:#?}");
}

#[test]
fn what_explain_needs_is_in_the_record_and_no_content() {
    let directory = tempfile::tempdir().unwrap();
    let decisions = Decisions::open(DecisionSettings {
        directory: directory.path().join("decisions"),
        days: 14,
        mib: 16,
        filter_logs: false,
    })
    .unwrap();
    let settings = Settings {
        decisions: Some(Arc::clone(&decisions)),
        ..Settings::default()
    };
    let engine = Arc::new(Engine::new(operator().generation("7d3a")));
    let service = Service::new(engine, settings);
    let id = service.new_id();
    logged(async {
        let processed = service.process(id.clone(), transaction(MAIL.as_bytes()));
        processed.await.conclude(taken());
    });
    decisions.close();
    let found = decisions.find(&id).unwrap().unwrap();
    let text = found.to_string();
    for content in ["At one?", "a secret word"] {
        assert!(!text.contains(content), "{text}");
    }
    insta::assert_snapshot!(steady(found, &id));
    assert_eq!(decisions.find(&service.new_id()).unwrap(), None);
}
