//! Filters that read their settings when they are loaded: what an evaluation starts with, and
//! that whatever stands in the way of it costs time and nothing else.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;

use support::{People, guest, handler, runtime, transaction};
use waxseal_policy::{
    Compile, Decision, FilterConfig, FilterLimits, Policy, PolicyConfig, Runtime, RuntimeLimits,
};

/// Fails with the text that `prepare` left, and proceeds where it left none; takes the text away
/// from any later evaluation in the same instance.
const TELL: &str = "
    (i64.store (i32.const 160) (i64.load (i32.const 128)))
    (i32.store (i32.const 168) (i32.load (i32.const 136)))
    (i64.store (i32.const 128) (i64.const 0))
    (i32.const 160)";

/// Leaves its settings for [`TELL`].
const KEEP: &str = "
    (i32.store8 (i32.const 128) (i32.const 1))
    (i32.store (i32.const 132) (local.get $at))
    (i32.store (i32.const 136) (local.get $length))";

fn prepared(name: &str, imports: &str, prepare: &str, rest: &str) -> FilterConfig {
    let export = format!(
        r#"(func (export "waxseal:filter/preparation@0.1.0#prepare")
            (param $at i32) (param $length i32) {prepare})
        {rest}"#
    );
    let wat = handler(imports, TELL, &export);
    FilterConfig {
        settings: format!(r#"{{"for": "{name}"}}"#),
        ..FilterConfig::new(name, guest("prepared-opener", &wat))
    }
}

fn load(runtime: &Arc<Runtime>, filters: Vec<FilterConfig>) -> Policy {
    let config = PolicyConfig {
        filters,
        ..PolicyConfig::default()
    };
    Policy::load(runtime, config).unwrap_or_else(|error| panic!("{error}"))
}

fn decide(policy: &Policy) -> Decision {
    policy.decide(&transaction(), Arc::new(People))
}

/// What the filters told.
fn told(decision: &Decision) -> Vec<&str> {
    let failures = decision.failures.iter();
    failures.map(|failure| failure.message.as_str()).collect()
}

#[track_caller]
fn reads_its_settings_each_time(filter: FilterConfig) {
    let decision = decide(&load(runtime(), vec![filter]));
    assert_eq!(told(&decision), [""; 0]);
}

#[test]
fn every_evaluation_starts_from_what_prepare_left() {
    let policy = load(runtime(), vec![prepared("a", "", KEEP, "")]);
    for _ in 0..3 {
        assert_eq!(told(&decide(&policy)), [r#"{"for": "a"}"#]);
    }
}

#[test]
fn one_component_is_prepared_for_each_of_its_settings() {
    for name in ["a", "b", "a"] {
        let policy = load(runtime(), vec![prepared(name, "", KEEP, "")]);
        assert_eq!(told(&decide(&policy)), [format!(r#"{{"for": "{name}"}}"#)]);
    }
}

/// What depends on more than octets and settings could not be kept for the next generation.
#[test]
fn prepare_has_no_host() {
    let clock = r#"(import "waxseal:filter/clock@0.1.0" "now" (func $now (result f64)))"#;
    let ask = format!("(drop (call $now)) {KEEP}");
    reads_its_settings_each_time(prepared("clock", clock, &ask, ""));
}

#[test]
fn what_does_not_come_back_from_prepare_is_not_kept() {
    let endless = format!("{KEEP} (loop $again (br $again))");
    reads_its_settings_each_time(prepared("loop", "", &endless, ""));
    let trap = format!("{KEEP} (unreachable)");
    reads_its_settings_each_time(prepared("trap", "", &trap, ""));
}

#[test]
fn what_a_snapshot_cannot_hold_is_not_prepared() {
    let table = "(table 1 funcref) (func $f) (elem declare func $f)";
    let set = format!("{KEEP} (table.set (i32.const 0) (ref.func $f))");
    reads_its_settings_each_time(prepared("table", "", &set, table));
}

#[test]
fn prepare_has_the_memory_of_the_filter() {
    let limits = FilterLimits {
        memory: 2 << 20,
        ..FilterLimits::default()
    };
    let grows = "(if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))";
    reads_its_settings_each_time(FilterConfig {
        limits,
        ..prepared("grows", "", &format!("{grows} {KEEP}"), "")
    });
}

#[test]
fn for_one_message_nothing_is_prepared() {
    let limits = RuntimeLimits {
        slots: 1,
        compile: Compile::ForOne,
        ..RuntimeLimits::default()
    };
    let policy = load(
        &Runtime::new(&limits).unwrap(),
        vec![prepared("a", "", KEEP, "")],
    );
    assert_eq!(told(&decide(&policy)), [""; 0]);
}
