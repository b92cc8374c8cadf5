//! Messages through the service: admission, generations, trials, shadow mode.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../engine/tests/operator/mod.rs"]
mod operator;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use operator::{MAIL, Operator, transaction};
use waxseal_engine::{Disposition, Engine, Generation};
use waxseal_message::Address;
use waxseal_policy::plan::ProtectionMode;
use waxseal_policy::reply::Reply;
use waxseal_service::{
    Ending, GenerationState, Processed, RollbackError, Service, Settings, ShadowError, Trial,
};
use waxseal_smime::{CertificateSource, Found, SourceError};

/// A generation that refuses everything with its own name.
fn refusing(name: &str) -> Generation {
    let mut operator = Operator::new(ProtectionMode::Encrypt);
    operator.rules = format!(
        r#"{{ "rules": [{{ "then": {{ "verdict": {{ "reject": {{ "code": 550, "text": "{name}" }} }} }} }}] }}"#
    );
    operator.generation(name)
}

/// A generation whose filter misbehaves.
fn misbehaving(name: &str, behaviour: &str) -> Generation {
    let mut operator = Operator::new(ProtectionMode::Encrypt);
    operator.misbehave = Some(format!(r#"{{ "behave": "{behaviour}" }}"#));
    operator.generation(name)
}

fn service(generation: Generation, settings: Settings) -> Arc<Service> {
    Service::new(Arc::new(Engine::new(generation)), settings)
}

async fn process(service: &Service) -> Processed {
    service
        .process(service.new_id(), transaction(MAIL.as_bytes()))
        .await
}

fn reply(processed: &Processed) -> &Reply {
    match &processed.outcome.disposition {
        Disposition::Reject(refused) | Disposition::Defer(refused) => &refused.reply,
        other => panic!("neither refused nor deferred: {other:?}"),
    }
}

/// A message of this generation, concluded.
async fn decided_by(service: &Service) -> String {
    let processed = process(service).await;
    let generation = processed.outcome.generation.clone();
    let refusal = reply(&processed).clone();
    processed.conclude(Ending::Replied(refusal));
    generation
}

/// Waits for what another thread does, within reason.
async fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(600),
            "it never held"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_finds_no_worker_and_no_place_is_deferred_at_once() {
    let settings = Settings {
        workers: 1,
        waiting: 0,
        ..Settings::default()
    };
    let service = service(misbehaving("g", "loop"), settings);
    // Both begin before either ends: the first one takes the worker for two seconds.
    let (looping, other) = tokio::join!(process(&service), process(&service));
    assert_eq!(
        reply(&looping).to_string(),
        "451 4.3.0 the mail policy failed; try again later"
    );
    assert_eq!(
        reply(&other).to_string(),
        "451 4.3.2 too busy; try again later"
    );
    assert_eq!(other.outcome.generation, "g");
}

#[tokio::test]
async fn who_waits_too_long_is_deferred() {
    let settings = Settings {
        workers: 1,
        waiting: 1,
        wait: Duration::from_millis(10),
        ..Settings::default()
    };
    let service = service(misbehaving("g", "loop"), settings);
    let (_, other) = tokio::join!(process(&service), process(&service));
    assert_eq!(
        reply(&other).to_string(),
        "451 4.3.2 too busy; try again later"
    );
    // Whoever gave up leaves the place free.
    let (_, third) = tokio::join!(process(&service), process(&service));
    assert_eq!(reply(&third).code, 451);
}

/// A source that panics.
struct Panicking;

impl CertificateSource for Panicking {
    fn find(&self, _: &Address) -> Result<Vec<Found>, SourceError> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_panic_defers_one_message_and_the_next_finds_its_worker() {
    let mut operator = Operator::new(ProtectionMode::Encrypt);
    operator.source = Some(Arc::new(Panicking));
    let settings = Settings {
        workers: 1,
        ..Settings::default()
    };
    let service = service(operator.generation("g"), settings);
    for _ in 0..3 {
        let processed = process(&service).await;
        assert_eq!(
            reply(&processed).to_string(),
            "451 4.3.0 internal error; try again later"
        );
    }
    service.replace(refusing("sound"));
    assert_eq!(decided_by(&service).await, "sound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reload_under_load_drops_no_message_and_each_finishes_on_its_generation() {
    const SENDERS: usize = 8;
    const MESSAGES: usize = 50;
    let service = service(refusing("g0"), Settings::default());
    let stop = Arc::new(AtomicBool::new(false));
    let reloads = {
        let (service, stop) = (Arc::clone(&service), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut reloads = 0;
            while !stop.load(Ordering::Relaxed) {
                reloads += 1;
                service.replace(refusing(&format!("g{reloads}")));
            }
            reloads
        })
    };
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                let mut generations = HashSet::new();
                // However fast messages are: until reloads came between them.
                while seen.len() < MESSAGES || generations.len() < 3 {
                    let processed = process(&service).await;
                    // Each generation refuses with its own name.
                    let refusal = reply(&processed).clone();
                    assert_eq!(refusal.text, processed.outcome.generation);
                    generations.insert(processed.outcome.generation.clone());
                    seen.push(processed.outcome.generation.clone());
                    processed.conclude(Ending::Replied(refusal));
                }
                seen
            })
        })
        .collect();
    let mut seen = Vec::new();
    for sender in senders {
        seen.extend(sender.await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let reloads = reloads.join().unwrap();
    assert!(seen.len() >= SENDERS * MESSAGES);
    seen.sort();
    seen.dedup();
    assert!(seen.len() <= reloads + 1, "{reloads} reloads, {seen:?}");
}

#[tokio::test]
async fn the_last_generations_are_kept_to_go_back_to() {
    let settings = Settings {
        keep: 2,
        ..Settings::default()
    };
    let service = service(refusing("a"), settings);
    for name in ["b", "c", "d"] {
        service.replace(refusing(name));
    }
    let ids = |service: &Service| {
        let all = service.generations().into_iter();
        all.map(|each| each.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&service), "d c b");
    assert_eq!(decided_by(&service).await, "d");
    let mut watch = service.watch_active();
    assert_eq!(service.rollback(None), Ok("c".to_owned()));
    assert_eq!(*watch.borrow_and_update(), "c");
    assert_eq!(decided_by(&service).await, "c");
    assert_eq!(ids(&service), "c d b");
    assert_eq!(service.rollback(Some("b")), Ok("b".to_owned()));
    assert_eq!(ids(&service), "b c d");
    let gone = RollbackError::NotKept("a".to_owned());
    assert_eq!(service.rollback(Some("a")), Err(gone));
    let states: Vec<_> = service
        .generations()
        .iter()
        .map(|each| each.state)
        .collect();
    assert_eq!(states[0], GenerationState::Active);
    assert!(
        states[1..]
            .iter()
            .all(|state| *state == GenerationState::Kept)
    );
}

#[tokio::test]
async fn without_an_earlier_generation_there_is_no_going_back() {
    let service = service(refusing("a"), Settings::default());
    assert_eq!(service.rollback(None), Err(RollbackError::NothingKept));
}

fn on_trial(failures: u64, within: u64) -> Settings {
    Settings {
        trial: Some(Trial { failures, within }),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_new_generation_that_fails_its_trial_is_taken_back() {
    let service = service(refusing("old"), on_trial(3, 10));
    service.replace(misbehaving("new", "error"));
    let mut watch = service.watch_active();
    watch.mark_unchanged();
    for _ in 0..3 {
        assert_eq!(decided_by(&service).await, "new");
    }
    assert_eq!(*watch.borrow_and_update(), "old");
    assert_eq!(decided_by(&service).await, "old");
    let kept = &service.generations()[1];
    assert_eq!(
        (kept.id.as_str(), kept.messages, kept.failures),
        ("new", 3, 3)
    );
    assert_eq!(
        kept.health[0].last_failure.as_ref().unwrap().code,
        "filter.error"
    );
}

#[tokio::test]
async fn failures_after_the_trial_or_without_an_old_generation_change_nothing() {
    let first = service(misbehaving("first", "error"), on_trial(1, 10));
    for _ in 0..3 {
        assert_eq!(decided_by(&first).await, "first");
    }
    // Fewer failures within the first messages than it takes.
    let service = service(refusing("old"), on_trial(3, 2));
    service.replace(misbehaving("new", "error"));
    for _ in 0..5 {
        assert_eq!(decided_by(&service).await, "new");
    }
}

/// A source outside of the generation, which counts what it is asked.
struct Directory(Arc<AtomicUsize>);

impl CertificateSource for Directory {
    fn find(&self, _: &Address) -> Result<Vec<Found>, SourceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Vec::new())
    }
    fn place(&self) -> Option<String> {
        Some("ldap://directory.example.org".to_owned())
    }
}

#[tokio::test]
async fn a_candidate_is_asked_and_not_followed() {
    let service = service(refusing("active"), Settings::default());
    service.shadow_start(refusing("candidate"));
    let processed = process(&service).await;
    assert_eq!(reply(&processed).text, "active");
    until(|| service.shadow_report().unwrap().compared == 1).await;
    let report = service.shadow_report().unwrap();
    assert_eq!((report.different, report.skipped), (1, 0));
    let difference = &report.differences[0];
    assert_eq!(
        (&difference.id, &*difference.active),
        (&processed.id, "active")
    );
    assert_eq!(
        difference.lines,
        [
            "- verdict: reject: 550 5.7.1 active",
            "+ verdict: reject: 550 5.7.1 candidate"
        ]
    );
    let candidate = &service.generations()[1];
    assert_eq!(candidate.state, GenerationState::Shadow);
    assert_eq!(candidate.messages, 1);
    assert_eq!(service.promote().unwrap().different, 1);
    assert_eq!(decided_by(&service).await, "candidate");
    assert_eq!(service.shadow_stop().unwrap_err(), ShadowError);
}

#[tokio::test]
async fn a_candidate_takes_its_look_ups_from_the_active_run() {
    let asked = Arc::new(AtomicUsize::new(0));
    let generation = |name: &str| {
        let mut operator = Operator::new(ProtectionMode::Encrypt);
        operator.source = Some(Arc::new(Directory(Arc::clone(&asked))));
        operator.generation(name)
    };
    let service = service(generation("active"), Settings::default());
    service.shadow_start(generation("candidate"));
    drop(process(&service).await);
    until(|| service.shadow_report().unwrap().compared == 1).await;
    assert_eq!(service.shadow_report().unwrap().different, 0);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "once for each recipient");
}

#[tokio::test]
async fn differences_are_those_of_each_recipient() {
    let active = Operator::new(ProtectionMode::Encrypt)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let mut candidate = Operator::new(ProtectionMode::Encrypt);
    candidate.recipients = active.recipients.only("carol@example.net");
    let service = service(active.generation("active"), Settings::default());
    service.shadow_start(candidate.generation("candidate"));
    drop(process(&service).await);
    until(|| service.shadow_report().unwrap().compared == 1).await;
    let lines = service.shadow_report().unwrap().differences[0]
        .lines
        .clone();
    let expected = [
        "- bob@example.net: must be encrypted",
        "- bob@example.net: encrypted to CN=bob@example.net",
        "+ bob@example.net: not encrypted, bounce: recipient.no-certificate",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_candidate_that_is_behind_is_not_asked() {
    let settings = Settings {
        shadow_backlog: 0,
        ..Settings::default()
    };
    let service = service(refusing("active"), settings);
    service.shadow_start(refusing("candidate"));
    assert_eq!(decided_by(&service).await, "active");
    let report = service.shadow_report().unwrap();
    assert_eq!((report.compared, report.skipped), (0, 1));
}

#[tokio::test]
async fn nobody_waits_for_a_candidate() {
    let settings = Settings {
        workers: 1,
        ..Settings::default()
    };
    let service = service(refusing("active"), settings);
    service.shadow_start(misbehaving("candidate", "loop"));
    // The only worker is free again while the candidate loops for two seconds.
    for _ in 0..3 {
        assert_eq!(decided_by(&service).await, "active");
    }
    assert_eq!(service.shadow_report().unwrap().compared, 0);
    until(|| service.shadow_report().unwrap().compared > 0).await;
}
