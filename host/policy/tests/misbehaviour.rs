//! Filters that do what they must not: each gets its named error, and nothing leaves as it
//! was not meant to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{People, built, decide, guest, handler, misbehave, policy, runtime, transaction};
use waxseal_policy::plan::{Choice, Step};
use waxseal_policy::{
    Decision, FilterConfig, FilterLimits, LoadError, LoadStep, OnError, Policy, PolicyConfig,
    Verdict,
};

const GRANTS: [&str; 2] = ["actions", "profiles"];

fn load_error(filter: FilterConfig) -> LoadError {
    let config = PolicyConfig {
        filters: vec![filter],
        profiles: vec!["corporate".to_owned()],
        ..PolicyConfig::default()
    };
    match Policy::load(runtime(), config) {
        Ok(_) => panic!("it loads"),
        Err(error) => error,
    }
}

#[track_caller]
fn deferred(decision: &Decision, code: &str) {
    let failure = decision.failures.first().expect("a failure");
    assert_eq!(failure.code, code, "{}", failure.message);
    match &decision.verdict {
        Verdict::Defer(reply) => assert_eq!(reply.code, 451),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        decision.decided_by.as_deref(),
        Some(failure.filter.as_str())
    );
}

fn behaves(behaviour: &str, code: &str) {
    let decision = decide(vec![misbehave(behaviour, "", &GRANTS)]);
    deferred(&decision, code);
}

#[test]
fn a_loop_hits_the_deadline() {
    let started = Instant::now();
    behaves("loop", "filter.deadline");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_trap_is_named() {
    behaves("trap", "filter.trap");
    behaves("panic", "filter.trap");
    behaves("recurse", "filter.trap");
}

#[test]
fn memory_ends_where_the_limit_says() {
    let decision = decide(vec![misbehave("exhaust-memory", "", &GRANTS)]);
    deferred(&decision, "filter.memory");
    assert!(decision.failures[0].message.contains("33554432"));
}

#[test]
fn handles_logs_notes_and_reading_have_limits() {
    for behaviour in ["many-handles", "many-logs", "many-notes", "read-forever"] {
        let mut filter = misbehave(behaviour, "", &GRANTS);
        filter.limits.time = Duration::from_secs(20);
        let decision = decide(vec![filter]);
        // `read` answers with an error, which this filter makes its own.
        let code = match behaviour {
            "read-forever" => "filter.error",
            _ => "filter.limit",
        };
        deferred(&decision, code);
        assert!(
            decision.failures[0].message.contains("limit"),
            "{behaviour}"
        );
    }
}

#[test]
fn an_error_is_the_filters_failure() {
    behaves("error", "filter.error");
}

#[test]
fn a_reply_says_what_it_is_for() {
    behaves("bad-reply", "filter.bad-reply");
    behaves("bad-reply-text", "filter.bad-reply");
}

#[test]
fn values_that_are_none_of_the_contracts_are_nonsense() {
    // A verdict with the discriminant 9.
    let wat = handler(
        "",
        "(i32.store8 (i32.const 4) (i32.const 9)) (i32.const 0)",
        "",
    );
    let filter = FilterConfig::new("nonsense", guest("decider", &wat));
    deferred(&decide(vec![filter]), "filter.nonsense");
    // A result far outside of memory.
    let wat = handler("", "(i32.const 0x7ffffff0)", "");
    let filter = FilterConfig::new("outside", guest("decider", &wat));
    deferred(&decide(vec![filter]), "filter.nonsense");
}

#[test]
fn on_error_says_what_becomes_of_the_message() {
    let mut filter = misbehave("trap", "", &GRANTS);
    filter.on_error = OnError::Reject;
    match decide(vec![filter.clone()]).verdict {
        Verdict::Reject(reply) => assert_eq!(
            (reply.code, reply.enhanced.as_deref()),
            (550, Some("5.3.0"))
        ),
        other => panic!("{other:?}"),
    }
    filter.on_error = OnError::Skip;
    filter.may_leak = true;
    let decision = decide(vec![filter]);
    assert_eq!(decision.verdict, Verdict::Deliver);
    assert_eq!(decision.failures[0].code, "filter.trap");
    assert_eq!(decision.decided_by, None);
}

#[test]
fn a_filter_that_fails_is_undone_and_its_obligations_stay() {
    let skipped = |behaviour| FilterConfig {
        on_error: OnError::Skip,
        may_leak: true,
        ..misbehave(behaviour, "", &GRANTS)
    };
    let edited = decide(vec![skipped("edit-then-error")]);
    assert_eq!(edited.failures[0].code, "filter.error");
    for row in &edited.plan.rows {
        assert!(row.message.base.first("X-Marked").is_none());
        assert!(!row.must_encrypt);
    }
    let required = decide(vec![skipped("require-then-error")]);
    assert!(required.plan.everyone.must_encrypt);
    assert!(required.plan.rows.iter().all(|row| row.must_encrypt));
}

#[test]
fn a_verdict_that_is_not_granted_is_a_failure() {
    for verdict in ["accept", "quarantine", "discard"] {
        behaves(verdict, "filter.verdict-not-granted");
        let granted = misbehave(verdict, "", &["actions", "profiles", verdict]);
        assert!(decide(vec![granted]).failures.is_empty(), "{verdict}");
    }
}

#[test]
fn a_name_that_is_not_granted_is_denied() {
    for (behaviour, code) in [
        ("apply-profile", "profile.not-granted"),
        ("ask-list", "list.not-granted"),
        ("ask-dictionary", "dictionary.not-granted"),
    ] {
        let grants = ["actions", "profiles:sign"];
        let decision = decide(vec![misbehave(behaviour, "corporate", &grants)]);
        deferred(&decision, "filter.error");
        let call = decision.trace.filters[0].calls.last().unwrap();
        assert!(call.failed);
        assert_eq!(call.answer, format!("{code}: corporate"));
    }
}

#[test]
fn a_stranger_is_no_recipient() {
    let decision = decide(vec![misbehave(
        "route-to-stranger",
        "eve@example.com",
        &GRANTS,
    )]);
    deferred(&decision, "filter.error");
    let call = decision.trace.filters[0].calls.last().unwrap();
    assert_eq!(call.answer, "recipient.unknown: eve@example.com");
}

#[test]
fn undoing_an_earlier_encryption_leaves_the_obligation() {
    for undo in ["undo-encryption", "undo-by-route"] {
        for encrypt in ["apply-profile", "apply-on-delivery"] {
            let decision = decide(vec![
                misbehave(encrypt, "split", &GRANTS),
                misbehave(undo, "", &GRANTS),
            ]);
            let [ben, carl] = &decision.plan.rows[..] else {
                panic!("two rows")
            };
            assert!(ben.must_encrypt, "{encrypt} {undo}");
            assert!(!carl.must_encrypt);
            assert!(ben.message.steps.is_empty());
            let on_delivery = ben.on_delivery.as_ref().map(|on| on.choice.encrypted());
            assert_eq!(
                on_delivery,
                (encrypt == "apply-on-delivery").then_some(true)
            );
        }
    }
}

#[test]
fn accept_does_not_skip_what_always_runs() {
    let accept = || misbehave("accept", "", &["actions", "profiles", "accept"]);
    let require = |always| FilterConfig {
        always,
        ..misbehave("require", "", &GRANTS)
    };
    let skipped = decide(vec![accept(), require(false)]);
    assert_eq!(skipped.trace.filters.len(), 1);
    assert!(!skipped.plan.everyone.must_encrypt);
    let always = decide(vec![accept(), require(true)]);
    assert_eq!(always.trace.filters.len(), 2);
    assert!(always.plan.everyone.must_encrypt);
    assert_eq!(always.verdict, Verdict::Deliver);
    assert_eq!(always.decided_by.as_deref(), Some("accept"));
}

#[test]
fn a_message_that_no_slot_is_free_for_is_deferred() {
    let limits = waxseal_policy::RuntimeLimits {
        slots: 1,
        waiting: 0,
        ..waxseal_policy::RuntimeLimits::default()
    };
    let runtime = waxseal_policy::Runtime::new(&limits).unwrap();
    let mut slow = misbehave("loop", "", &GRANTS);
    slow.limits.time = Duration::from_secs(2);
    let config = PolicyConfig {
        filters: vec![slow],
        ..PolicyConfig::default()
    };
    let policy = Policy::load(&runtime, config).unwrap();
    let decisions: Vec<Decision> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| policy.decide(&transaction(), Arc::new(People))))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let overloaded = decisions
        .iter()
        .filter(|decision| decision.failures[0].code == "policy.overloaded");
    assert_eq!(overloaded.count(), 3);
}

#[test]
fn an_import_that_is_not_granted_is_refused_before_compilation() {
    let error = load_error(misbehave("nothing", "", &["actions"]));
    assert_eq!(error.step, LoadStep::Imports);
    assert_eq!(error.code(), "load.import-not-granted");
    assert_eq!(
        error.to_string(),
        "filter \"nothing\": imports: it imports what is not granted: profiles"
    );
    // Octets whose names read well and whose code does not compile: still the imports.
    let mut broken = built("tests/fixtures/misbehave.wasm");
    let error = load_error(FilterConfig {
        grants: ["actions"].into_iter().collect(),
        component: broken.clone().into(),
        ..FilterConfig::new("broken", Vec::new())
    });
    assert_eq!(error.step, LoadStep::Imports);
    broken.truncate(990);
    let error = load_error(FilterConfig::new("cut", broken));
    assert_eq!(error.code(), "load.not-a-component");
}

#[test]
fn what_this_host_does_not_offer_is_refused() {
    let wit = r#"
        package waxseal:filter@0.1.0;
        interface sockets { connect: func(); }
        interface handler { evaluate: func(); }
        world reacher { import sockets; export handler; }
    "#;
    let wat = r#"(module
        (import "waxseal:filter/sockets@0.1.0" "connect" (func $connect))
        (memory (export "memory") 1)
        (func (export "waxseal:filter/handler@0.1.0#evaluate") (call $connect)))"#;
    let error = load_error(FilterConfig::new(
        "reacher",
        support::encoded(wit, "reacher", wat),
    ));
    assert_eq!(error.code(), "load.import-not-offered");
    assert!(error.to_string().contains("waxseal:filter/sockets@0.1.0"));
}

#[test]
fn an_export_of_the_wrong_type_is_found_at_load() {
    let wit = r#"
        package waxseal:filter@0.1.0;
        interface handler {
            evaluate: func() -> u32;
            validate-config: func(json: string) -> u32;
        }
        world liar { export handler; }
    "#;
    let wat = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
        (func (export "waxseal:filter/handler@0.1.0#evaluate") (result i32) (i32.const 1))
        (func (export "waxseal:filter/handler@0.1.0#validate-config")
            (param i32 i32) (result i32) (i32.const 1)))"#;
    let error = load_error(FilterConfig::new(
        "liar",
        support::encoded(wit, "liar", wat),
    ));
    assert_eq!(error.step, LoadStep::Instantiate);
    assert_eq!(error.code(), "load.instantiate");
}

#[test]
fn a_validate_config_that_loops_is_an_error_at_load() {
    let error = load_error(misbehave("loop-in-validate", "", &GRANTS));
    assert_eq!(error.step, LoadStep::Settings);
    assert_eq!(error.code(), "load.validate-failed");
    assert!(error.to_string().contains("filter.deadline"), "{error}");
}

#[test]
fn settings_that_the_filter_refuses_are_an_error_at_load() {
    let filter = FilterConfig {
        settings: r#"{"behave": "dance"}"#.to_owned(),
        ..misbehave("nothing", "", &GRANTS)
    };
    let error = load_error(filter);
    assert_eq!(
        (error.step, error.code()),
        (LoadStep::Settings, "load.settings")
    );
}

#[test]
fn a_pinned_digest_is_checked_first() {
    let filter = FilterConfig {
        sha256: Some([7; 32]),
        ..FilterConfig::new("pinned", b"not even wasm".to_vec())
    };
    let error = load_error(filter);
    assert_eq!(
        (error.step, error.code()),
        (LoadStep::Digest, "load.digest-mismatch")
    );
}

#[test]
fn what_is_no_component_is_said_to_be_none() {
    for octets in [
        b"(component)".to_vec(),
        b"\0asm\x01\0\0\0".to_vec(),
        Vec::new(),
    ] {
        let error = load_error(FilterConfig::new("none", octets));
        assert_eq!(error.code(), "load.not-a-component");
    }
}

#[test]
fn skip_needs_may_leak_for_what_protects() {
    let filter = |grants: &[&str], may_leak| FilterConfig {
        on_error: OnError::Skip,
        may_leak,
        ..misbehave("nothing", "", grants)
    };
    assert_eq!(
        load_error(filter(&GRANTS, false)).code(),
        "load.skip-may-leak"
    );
    drop(policy(vec![filter(&GRANTS, true)]));
}

#[test]
fn grants_and_limits_are_checked_at_load() {
    let unknown = load_error(misbehave("nothing", "", &["actions", "profiles:nobody"]));
    assert_eq!(
        (unknown.step, unknown.code()),
        (LoadStep::Configuration, "load.grant")
    );
    let mistyped = load_error(misbehave("nothing", "", &["actoins"]));
    assert_eq!(mistyped.code(), "load.grant");
    let greedy = FilterConfig {
        limits: FilterLimits {
            memory: 1 << 40,
            ..FilterLimits::default()
        },
        ..misbehave("nothing", "", &GRANTS)
    };
    assert_eq!(load_error(greedy).code(), "load.limit-too-high");
    let config = PolicyConfig {
        filters: vec![
            misbehave("nothing", "", &GRANTS),
            misbehave("nothing", "", &GRANTS),
        ],
        ..PolicyConfig::default()
    };
    let twice = Policy::load(runtime(), config).err().unwrap();
    assert_eq!(twice.code(), "load.duplicate-name");
}

#[test]
fn an_older_guest_loads_and_works() {
    let filter = FilterConfig {
        grants: ["actions"].into_iter().collect(),
        ..FilterConfig::new("older", built("tests/fixtures/older.wasm"))
    };
    let decision = decide(vec![filter]);
    assert_eq!(decision.failures, []);
    for row in &decision.plan.rows {
        assert_eq!(
            row.message.base.first("X-Older").unwrap().value(),
            "was here"
        );
    }
}

#[test]
fn a_later_filter_sees_the_plain_message_and_wraps_what_is_wrapped() {
    let decision = decide(vec![
        misbehave("apply-profile", "split", &GRANTS),
        misbehave("apply-on-delivery", "strict", &GRANTS),
    ]);
    let [ben, carl] = &decision.plan.rows[..] else {
        panic!("two rows")
    };
    let [Step::Protect(first)] = &ben.message.steps[..] else {
        panic!("{:?}", ben.message.steps)
    };
    assert!(matches!(first.choice, Choice::Encrypt(_)));
    let on_delivery = ben.on_delivery.as_ref().unwrap();
    assert_eq!(on_delivery.choice, Choice::AlreadyEncrypted);
    assert!(matches!(
        carl.on_delivery.as_ref().unwrap().choice,
        Choice::Missing { .. }
    ));
    let calls = &decision.trace.filters[0].calls;
    assert_eq!(calls[0].function, "profiles.apply");
    assert_eq!(
        calls[0].answer,
        "ben@example.com deliver encrypted, carl@example.net deliver"
    );
}
