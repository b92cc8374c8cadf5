//! A filter that keeps failing rests, and comes back: through `Policy::decide`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::{People, misbehave, transaction_to};
use waxseal_policy::{
    BreakerRules, Decision, FilterState, OnError, Policy, PolicyConfig, Runtime, RuntimeLimits,
    Verdict,
};

const REST: Duration = Duration::from_secs(30);

/// A policy whose only filter fails unless carl is among the recipients.
struct Chain {
    now: Arc<Mutex<Instant>>,
    policy: Policy,
}

impl Chain {
    fn new(on_error: OnError) -> Self {
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&now);
        let limits = RuntimeLimits {
            slots: 1,
            breaker: Some(BreakerRules {
                failures: 2,
                rest: REST,
            }),
            ..RuntimeLimits::default()
        };
        let runtime = Runtime::with_clock(&limits, Arc::new(move || *clock.lock().unwrap()));
        let mut filter = misbehave(
            "route-to-stranger",
            "carl@example.net",
            &["actions", "profiles"],
        );
        filter.on_error = on_error;
        filter.may_leak = true;
        let config = PolicyConfig {
            filters: vec![filter],
            ..PolicyConfig::default()
        };
        let policy = Policy::load(&runtime.unwrap(), config).unwrap();
        Self { now, policy }
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    fn bad(&self) -> Decision {
        self.policy
            .decide(&transaction_to(&["ben@example.com"]), Arc::new(People))
    }

    fn good(&self) -> Decision {
        let transaction = transaction_to(&["carl@example.net"]);
        self.policy.decide(&transaction, Arc::new(People))
    }

    fn state(&self) -> FilterState {
        self.policy.health()[0].state
    }
}

fn code(decision: &Decision) -> &'static str {
    decision.failures.first().map_or("", |failure| failure.code)
}

#[test]
fn a_filter_that_keeps_failing_is_not_run() {
    let chain = Chain::new(OnError::Defer);
    assert_eq!(
        (code(&chain.bad()), code(&chain.bad())),
        ("filter.error", "filter.error")
    );
    let decision = chain.good();
    assert_eq!(code(&decision), "filter.suspended");
    assert!(matches!(decision.verdict, Verdict::Defer(_)));
    let trace = &decision.trace.filters[0];
    assert!(trace.calls.is_empty(), "it was not run: {trace:?}");
    assert_eq!(trace.failure.as_ref().unwrap().code, "filter.suspended");
    assert_eq!(chain.state(), FilterState::Suspended);
    let health = &chain.policy.health()[0];
    assert_eq!((health.runs, health.failures, health.suspended), (2, 2, 1));
    assert_eq!(health.last_failure.as_ref().unwrap().code, "filter.error");
}

#[test]
fn a_probe_brings_it_back_or_lets_it_rest_again() {
    let chain = Chain::new(OnError::Defer);
    chain.bad();
    chain.bad();
    chain.pass(REST);
    assert_eq!(code(&chain.bad()), "filter.error", "the probe");
    assert_eq!(code(&chain.good()), "filter.suspended");
    chain.pass(REST);
    assert_eq!(code(&chain.good()), "");
    assert_eq!(chain.state(), FilterState::Running);
}

#[test]
fn on_error_applies_at_once() {
    let chain = Chain::new(OnError::Reject);
    chain.bad();
    chain.bad();
    assert!(matches!(chain.good().verdict, Verdict::Reject(_)));
    let chain = Chain::new(OnError::Skip);
    chain.bad();
    chain.bad();
    let decision = chain.good();
    assert_eq!(decision.verdict, Verdict::Deliver);
    assert_eq!(code(&decision), "filter.suspended");
}
