//! The metrics that a scraper sees, against the table of the documentation.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../engine/tests/operator/mod.rs"]
mod operator;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use operator::{ALICE, MAIL, Operator, transaction};
use waxseal_engine::{Engine, Generation};
use waxseal_policy::plan::ProtectionMode;
use waxseal_policy::reply::Reply;
use waxseal_service::{Ending, Service, Settings, Trial, describe_metrics};

fn generation(name: &str, behaviour: &str) -> Generation {
    let mut operator = Operator::new(ProtectionMode::Encrypt).identity(ALICE, -1..90);
    operator.misbehave = Some(format!(r#"{{ "behave": "{behaviour}" }}"#));
    operator.generation(name)
}

/// One test: the recorder is the process's.
#[tokio::test]
async fn every_metric_is_in_the_table_and_says_what_happened() {
    let recorder = PrometheusBuilder::new().install_recorder().unwrap();
    describe_metrics();
    let settings = Settings {
        workers: 1,
        waiting: 0,
        trial: Some(Trial {
            failures: 1,
            within: 1,
        }),
        ..Settings::default()
    };
    let engine = Arc::new(Engine::new(generation("one", "nothing")));
    let service = Service::new(engine, settings);
    let process = || service.process(service.new_id(), transaction(MAIL.as_bytes()));
    let reply = Reply {
        code: 250,
        enhanced: None,
        text: "taken".to_owned(),
    };
    service.shadow_start(generation("candidate", "discard"));
    process().await.conclude(Ending::Replied(reply));
    let started = Instant::now();
    while service.shadow_report().unwrap().compared == 0 {
        assert!(started.elapsed() < Duration::from_secs(600));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.shadow_stop().unwrap();
    service.replace(generation("two", "trap"));
    drop(process().await);
    service.replace(generation("three", "loop"));
    tokio::join!(async { drop(process().await) }, async {
        drop(process().await);
    });
    let text = recorder.render();
    for line in [
        r#"waxseal_messages_total{outcome="delivered",listener="ours"} 1"#,
        r#"waxseal_messages_total{outcome="abandoned",listener="ours"} 3"#,
        r#"waxseal_overload_total{reason="waiting"} 1"#,
        r#"waxseal_filter_failures_total{filter="misbehave",code="filter.trap"} 1"#,
        r#"waxseal_rollbacks_total{by="trial"} 2"#,
        r#"waxseal_shadow_messages_total{answer="different",shadow="true"} 1"#,
        r#"waxseal_generation{id="one"} 1"#,
        r#"waxseal_generation{id="two"} 0"#,
        "waxseal_in_flight 0",
        "waxseal_crypto_seconds_count 3",
    ] {
        assert!(
            text.contains(&format!("\n{line}\n")),
            "no {line} in\n{text}"
        );
    }
    let expiry = "waxseal_certificate_expiry_seconds{identity=\"alice@example.org -1..90\"";
    assert!(text.contains(expiry), "{text}");
    assert!(text.contains(" 1802776000\n"), "{text}");
    let table = include_str!("../src/lib.rs");
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !table.contains(&format!("//! | `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}
