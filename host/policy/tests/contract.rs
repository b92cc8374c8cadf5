//! Calls of the guest contract, from guests written as core modules: what they get, what
//! the plan has afterwards, and what is kept for `explain`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;

use support::{People, built, guest, handler, root, runtime, transaction};
use waxseal_policy::plan::{Choice, ProtectionMode, Step};
use waxseal_policy::{
    Decision, Dictionaries, Dictionary, FilterConfig, Lists, OnError, Policy, PolicyConfig, Term,
    Verdict, describe,
};

fn config(filters: Vec<FilterConfig>) -> PolicyConfig {
    let mut lists = Lists::default();
    lists.insert("partners", ["example.com"]).unwrap();
    let mut dictionaries = Dictionaries::default();
    let secret = Dictionary::compile(&[Term::Word("secret".into())], &[]).unwrap();
    dictionaries.insert("secrets", secret);
    PolicyConfig {
        filters,
        lists,
        dictionaries,
        profiles: ["sign", "corporate", "split", "strict"]
            .map(str::to_owned)
            .to_vec(),
        time: 0,
    }
}

fn decided(filters: Vec<FilterConfig>) -> Decision {
    let policy = Policy::load(runtime(), config(filters)).unwrap_or_else(|error| panic!("{error}"));
    policy.decide(&transaction(), Arc::new(People))
}

fn filter(world: &str, wat: &str, grants: &[&str]) -> FilterConfig {
    FilterConfig {
        grants: grants.iter().copied().collect(),
        ..FilterConfig::new("guest", guest(world, wat))
    }
}

/// Imports by interface, name and core type.
fn imports(functions: &[(&str, &str, &str, &str)]) -> String {
    let import = |(interface, name, id, ty): &(&str, &str, &str, &str)| {
        format!(r#"(import "waxseal:filter/{interface}@0.1.0" "{name}" (func ${id} {ty}))"#)
    };
    functions.iter().map(import).collect::<Vec<_>>().join("\n")
}

/// Data, and a way to make the code of an error the filter's own error: the address of a
/// `result<_, error>` becomes that of a `result<verdict, string>`.
const FAIL: &str = r#"
    (func $fail (param $result i32) (result i32)
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (i32.load offset=8 (local.get $result)))
        (i32.store (i32.const 8) (i32.load offset=12 (local.get $result)))
        (i32.const 0))"#;

fn data(texts: &[(usize, &str)]) -> String {
    let text = |(at, text): &(usize, &str)| format!("(data (i32.const {at}) \"{text}\")");
    let texts: Vec<String> = texts.iter().map(text).collect();
    format!("{FAIL}\n{}", texts.join("\n"))
}

const MESSAGE: (&str, &str, &str, &str) = (
    "session",
    "[method]transaction.message",
    "message",
    "(param i32) (result i32)",
);
const OPTIONS: (&str, &str, &str, &str) =
    ("protect", "[constructor]options", "options", "(result i32)");

/// `route`s the message, protected, to ben (256..271) only.
fn routes_protected(function: &str, prepare: &str, more: &[(&str, &str, &str, &str)]) -> String {
    let mut functions = vec![
        MESSAGE,
        OPTIONS,
        ("protect", function, "protect", "(param i32 i32 i32)"),
        ("actions", "route", "route", "(param i32 i32 i32 i32 i32)"),
    ];
    functions.extend_from_slice(more);
    let body = format!(
        r#"(local $options i32)
        (local.set $options (call $options))
        {prepare}
        (call $protect (call $message (local.get $tx)) (local.get $options) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))
        (i32.store (i32.const 192) (i32.const 256))
        (i32.store (i32.const 196) (i32.const 15))
        (call $route (local.get $tx) (i32.const 192) (i32.const 1)
            (i32.load (i32.const 132)) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))
        (i32.const 0)"#
    );
    let texts = data(&[(256, "ben@example.com"), (300, "gateway"), (320, "md5")]);
    handler(&imports(&functions), &body, &texts)
}

#[test]
fn a_protection_to_order_goes_into_the_plan_with_its_certificate() {
    let wat = routes_protected("sign-encrypt", "", &[]);
    let decision = decided(vec![filter("protector", &wat, &["protect", "actions"])]);
    assert_eq!(decision.failures, []);
    let [ben, carl] = &decision.plan.rows[..] else {
        panic!("two rows")
    };
    let [Step::Protect(protection)] = &ben.message.steps[..] else {
        panic!("{:?}", ben.message.steps)
    };
    assert_eq!(protection.mode, ProtectionMode::SignEncrypt);
    assert_eq!(protection.signer.as_deref(), Some("anna"));
    assert!(matches!(protection.choice, Choice::Encrypt(_)));
    // What a filter leaves encrypted, no later filter undoes.
    assert!(ben.must_encrypt && ben.routed);
    assert!(carl.message.steps.is_empty() && !carl.must_encrypt);
    assert_eq!(ben.message.view.to_bytes(), support::MAIL.as_bytes());
    let calls: Vec<_> = decision.trace.filters[0]
        .calls
        .iter()
        .map(|call| (call.function, call.arguments.as_str(), call.answer.as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("protect.sign-encrypt", "", "signed by anna"),
            ("actions.route", "ben@example.com", "ok"),
        ]
    );
}

#[test]
fn an_identity_is_granted_by_name_or_comes_with_a_profile() {
    let signer = [(
        "protect",
        "[method]options.signer",
        "signer",
        "(param i32 i32 i32 i32)",
    )];
    let prepare = "(call $signer (local.get $options)
            (i32.const 300) (i32.const 7) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))";
    let wat = routes_protected("sign", prepare, &signer);
    let denied = decided(vec![filter("protector", &wat, &["protect", "actions"])]);
    assert_eq!(denied.failures[0].code, "filter.error");
    assert_eq!(denied.failures[0].message, "identity.not-granted");
    let grants = ["protect", "actions", "identity:gateway"];
    let granted = decided(vec![filter("protector", &wat, &grants)]);
    assert_eq!(granted.failures, []);
    let [Step::Protect(protection)] = &granted.plan.rows[0].message.steps[..] else {
        panic!("one step")
    };
    assert_eq!(protection.signer.as_deref(), Some("gateway"));
    assert!(!granted.plan.rows[0].must_encrypt);
}

#[test]
fn a_parameter_that_the_host_does_not_know_is_refused_at_once() {
    let digest = [(
        "protect",
        "[method]options.digest",
        "digest",
        "(param i32 i32 i32 i32)",
    )];
    let prepare = "(call $digest (local.get $options)
            (i32.const 320) (i32.const 3) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))";
    let wat = routes_protected("sign", prepare, &digest);
    let decision = decided(vec![filter("protector", &wat, &["protect", "actions"])]);
    assert_eq!(decision.failures[0].message, "digest.unknown");
}

/// A filter whose `evaluate` makes one call that answers `result<T, error>` at 128, and
/// fails with the error's code, or with "yes" or "no" for a T of `bool`.
fn asks(function: (&str, &str, &str, &str), call: &str, texts: &[(usize, &str)]) -> String {
    let more = [
        MESSAGE,
        (
            "mail",
            "[method]message.root",
            "root",
            "(param i32) (result i32)",
        ),
    ];
    let mut functions = more.to_vec();
    functions.push(function);
    let body = format!(
        r#"{call}
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4)
            (select (i32.const 400) (i32.const 410) (i32.load8_u (i32.const 132))))
        (i32.store (i32.const 8)
            (select (i32.const 3) (i32.const 2) (i32.load8_u (i32.const 132))))
        (i32.const 0)"#
    );
    let mut texts = texts.to_vec();
    texts.extend([(400, "yes"), (410, "no")]);
    handler(&imports(&functions), &body, &data(&texts))
}

#[track_caller]
fn answers(wat: &str, grants: &[&str], expected: &str) {
    let decision = decided(vec![filter("opener", wat, grants)]);
    let failure = decision.failures.first().expect("the answer is an error");
    assert_eq!(
        (failure.code, failure.message.as_str()),
        ("filter.error", expected)
    );
}

#[test]
fn lists_answer_for_granted_names_only() {
    let in_list = ("config", "in-list", "ask", "(param i32 i32 i32 i32 i32)");
    let ask = |key: &str| {
        let call = format!(
            "(call $ask (i32.const 200) (i32.const 8) (i32.const 240) (i32.const {})
                (i32.const 128))",
            key.len()
        );
        asks(in_list, &call, &[(200, "partners"), (240, key)])
    };
    answers(&ask("ben@example.com"), &["list:partners"], "yes");
    answers(&ask("example.net"), &["list:partners"], "no");
    answers(&ask("example.com"), &[], "list.not-granted");
}

#[test]
fn parts_are_searched_in_the_host() {
    let matches = (
        "mail",
        "[method]part.matches",
        "ask",
        "(param i32 i32 i32 i32)",
    );
    let call = "(call $ask (call $root (call $message (local.get $tx)))
        (i32.const 200) (i32.const 7) (i32.const 128))";
    let wat = asks(matches, call, &[(200, "secrets")]);
    answers(&wat, &["dictionary:secrets"], "yes");
    answers(&wat, &[], "dictionary.not-granted");
    let contains = (
        "mail",
        "[method]part.contains",
        "ask",
        "(param i32 i32 i32 i32 i32)",
    );
    for (ignore_case, expected) in [(0, "no"), (1, "yes")] {
        let call = format!(
            "(call $ask (call $root (call $message (local.get $tx)))
                (i32.const 200) (i32.const 7) (i32.const {ignore_case}) (i32.const 128))"
        );
        answers(&asks(contains, &call, &[(200, "NOTHING")]), &[], expected);
    }
}

#[test]
fn content_fields_cannot_be_edited() {
    let removed = (
        "mail",
        "[method]message.with-headers-removed",
        "ask",
        "(param i32 i32 i32 i32)",
    );
    let call = "(call $ask (call $message (local.get $tx))
        (i32.const 200) (i32.const 12) (i32.const 128))";
    answers(
        &asks(removed, call, &[(200, "content-type")]),
        &[],
        "header.refused",
    );
}

#[test]
fn what_is_not_built_says_so() {
    let decrypt = ("open", "decrypt", "ask", "(param i32 i32)");
    let call = "(call $ask (call $message (local.get $tx)) (i32.const 128))";
    answers(&asks(decrypt, call, &[]), &["open"], "host.not-built");
    let harvest = ("harvest", "harvest", "ask", "(param i32 i32 i32)");
    let call = "(call $ask (local.get $tx) (call $message (local.get $tx)) (i32.const 128))";
    answers(&asks(harvest, call, &[]), &["harvest"], "host.not-built");
}

#[test]
fn a_profile_to_start_from_is_granted_by_name() {
    let from = (
        "protect",
        "[static]options.from-profile",
        "ask",
        "(param i32 i32 i32)",
    );
    let call = "(call $ask (i32.const 200) (i32.const 9) (i32.const 128))";
    let wat = asks(from, call, &[(200, "corporate")]);
    answers(&wat, &["protect", "profiles:sign"], "profile.not-granted");
    answers(&wat, &["protect", "profiles:corporate"], "yes");
}

#[test]
fn the_last_recipient_stays() {
    let remove = (
        "envelope",
        "remove-recipient",
        "ask",
        "(param i32 i32 i32 i32)",
    );
    let call = "(call $ask (local.get $tx) (i32.const 200) (i32.const 16) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 128)))))
        (call $ask (local.get $tx) (i32.const 220) (i32.const 15) (i32.const 128))";
    let texts = [(200, "carl@example.net"), (220, "ben@example.com")];
    answers(
        &asks(remove, call, &texts),
        &["envelope"],
        "envelope.last-recipient",
    );
    let call = "(call $ask (local.get $tx) (i32.const 200) (i32.const 7) (i32.const 128))";
    let texts = [(200, "no mail")];
    answers(
        &asks(remove, call, &texts),
        &["envelope"],
        "address.invalid",
    );
}

#[test]
fn a_call_that_passes_too_much_is_a_limit() {
    let function = ("config", "in-list", "ask", "(param i32 i32 i32 i32 i32)");
    let call = "(drop (memory.grow (i32.const 100)))
        (call $ask (i32.const 200) (i32.const 5000000) (i32.const 0) (i32.const 0)
            (i32.const 128))";
    let decision = decided(vec![filter("opener", &asks(function, call, &[]), &[])]);
    assert_eq!(decision.failures[0].code, "filter.limit");
}

#[test]
fn a_handle_that_is_none_is_nonsense() {
    let function = ("config", "in-list", "ask", "(param i32 i32 i32 i32 i32)");
    let wat = asks(function, "(drop (call $message (i32.const 77)))", &[]);
    let decision = decided(vec![filter("opener", &wat, &[])]);
    assert_eq!(decision.failures[0].code, "filter.nonsense");
}

#[test]
fn what_a_filter_says_is_kept_bounded_and_escaped() {
    let functions = [
        ("log", "emit", "emit", "(param i32 i32 i32 i32 i32)"),
        ("explain", "rule", "rule", "(param i32 i32 i32 i32 i32)"),
        (
            "metrics",
            "observe",
            "observe",
            "(param i32 i32 f64 i32 i32)",
        ),
        (
            "session",
            "[method]transaction.set-note",
            "note",
            "(param i32 i32 i32 i32 i32)",
        ),
    ];
    let body = "
        (i32.store (i32.const 192) (i32.const 300)) (i32.store (i32.const 196) (i32.const 2))
        (i32.store (i32.const 200) (i32.const 310)) (i32.store (i32.const 204) (i32.const 3))
        (call $emit (i32.const 3) (i32.const 320) (i32.const 11) (i32.const 192) (i32.const 1))
        (call $rule (i32.const 300) (i32.const 2) (i32.const 1) (i32.const 192) (i32.const 1))
        (call $observe (i32.const 300) (i32.const 2) (f64.const 2.5) (i32.const 0) (i32.const 0))
        (call $note (local.get $tx) (i32.const 300) (i32.const 2) (i32.const 310) (i32.const 3))
        (i32.const 0)";
    let texts = data(&[(300, "id"), (310, "yes"), (320, "one\\0d\\0atwo \\c2\\85")]);
    let wat = handler(&imports(&functions), body, &texts);
    let decision = decided(vec![filter("decider", &wat, &[])]);
    assert_eq!(decision.failures, []);
    let pair = || ("id".to_owned(), "yes".to_owned());
    let trace = &decision.trace.filters[0];
    assert_eq!(trace.log[0].level, "warn");
    assert_eq!(trace.log[0].message, r"one\r\ntwo \u{85}");
    assert_eq!(trace.log[0].fields, [pair()]);
    assert_eq!(
        (trace.rules[0].id.as_str(), trace.rules[0].matched),
        ("id", true)
    );
    assert_eq!(trace.rules[0].facts, [pair()]);
    assert_eq!(
        (trace.metrics[0].kind, trace.metrics[0].value),
        ("observe", 2.5)
    );
    assert_eq!(trace.notes, [pair()].into());
    let json = serde_json::to_value(&decision.trace).unwrap();
    assert_eq!(json["filters"][0]["verdict"], "proceed");
}

#[test]
fn a_note_goes_along_the_chain() {
    let note = (
        "session",
        "[method]transaction.note",
        "ask",
        "(param i32 i32 i32 i32)",
    );
    let set = (
        "session",
        "[method]transaction.set-note",
        "set",
        "(param i32 i32 i32 i32 i32)",
    );
    // The text of an `option<string>` at 128 is where an error of the filter's own has it.
    let body = "(call $ask (local.get $tx) (i32.const 300) (i32.const 3) (i32.const 128))
        (if (i32.load8_u (i32.const 128)) (then
            (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store (i32.const 4) (i32.load (i32.const 132)))
            (i32.store (i32.const 8) (i32.load (i32.const 136)))
            (return (i32.const 0))))
        (call $set (local.get $tx) (i32.const 300) (i32.const 3) (i32.const 310) (i32.const 5))
        (i32.const 0)";
    let texts = data(&[(300, "key"), (310, "value")]);
    let wat = handler(&imports(&[note, set]), body, &texts);
    let twice = ["first", "second"].map(|name| FilterConfig {
        name: name.to_owned(),
        ..filter("decider", &wat, &[])
    });
    let decision = decided(twice.to_vec());
    assert_eq!(decision.failures[0].filter, "second");
    assert_eq!(decision.failures[0].message, "value");
}

#[test]
fn while_settings_are_checked_other_interfaces_answer_denied() {
    let missing = ("certificates", "missing", "missing", "(param i32 i32 i32)");
    // The code of the error becomes a problem without a path.
    let check = "(i32.store (i32.const 192) (i32.const 300))
        (i32.store (i32.const 196) (i32.const 15))
        (call $missing (i32.const 192) (i32.const 1) (i32.const 128))
        (i32.store (i32.const 208) (i32.load (i32.const 136)))
        (i32.store (i32.const 212) (i32.load (i32.const 140)))
        (i32.store8 (i32.const 64) (i32.load8_u (i32.const 128)))
        (i32.store (i32.const 68) (i32.const 200))
        (i32.store (i32.const 72) (i32.const 1))
        (i32.const 64)";
    let texts = data(&[(300, "ben@example.com")]);
    let imports = imports(&[missing]);
    let wat = support::handler_that_checks(&imports, "(i32.const 0)", check, &texts);
    let filter = filter("protector", &wat, &["certificates"]);
    let error = Policy::load(runtime(), config(vec![filter])).err().unwrap();
    assert_eq!(error.code(), "load.settings");
    assert_eq!(
        error.to_string(),
        "filter \"guest\": settings: validate-config.denied"
    );
}

#[test]
fn minor_versions_are_compatible_both_ways() {
    for version in ["0.1.0", "0.1.7"] {
        let wit = std::fs::read_to_string(root().join("wit/filter.wit")).unwrap();
        let wit = wit.replace("waxseal:filter@0.1.0", &format!("waxseal:filter@{version}"));
        let wat = routes_protected("encrypt", "", &[]).replace("0.1.0", version);
        let filter = FilterConfig {
            grants: ["actions", "protect"].into_iter().collect(),
            ..FilterConfig::new(version, support::encoded(&wit, "protector", &wat))
        };
        let decision = decided(vec![filter]);
        assert_eq!(decision.failures, [], "{version}");
        assert!(decision.plan.rows[0].message.encrypted());
    }
}

#[test]
fn a_trap_in_one_message_does_not_reach_the_next() {
    // A global counts evaluations: in a fresh instance it never gets beyond one.
    let body = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.ne (global.get $count) (i32.const 1)) (then (unreachable)))
        (i32.const 0)";
    let wat = handler("", body, "(global $count (mut i32) (i32.const 0))");
    let filter = filter("decider", &wat, &[]);
    let policy = Policy::load(runtime(), config(vec![filter])).unwrap();
    for _ in 0..3 {
        let decision = policy.decide(&transaction(), Arc::new(People));
        assert_eq!(decision.failures, []);
    }
}

#[test]
fn an_empty_chain_delivers_the_message_as_it_is() {
    let decision = decided(Vec::new());
    assert_eq!(decision.verdict, Verdict::Deliver);
    assert!(
        decision
            .plan
            .rows
            .iter()
            .all(|row| row.message.steps.is_empty())
    );
}

#[test]
fn a_component_is_described_from_its_octets() {
    let description = describe(&built("tests/fixtures/older.wasm")).unwrap();
    assert_eq!(description.version.as_deref(), Some("0.1.0"));
    assert_eq!(description.world.as_deref(), Some("protector"));
    assert_eq!(description.needs, ["actions"]);
    let actions = description
        .imports
        .iter()
        .find(|import| import.interface == "actions")
        .unwrap();
    assert!(actions.offered && actions.needs_grant);
    assert_eq!(actions.functions, ["set-message"]);
    assert!(describe(b"(module)").is_err());
}

#[test]
fn a_filter_without_authority_is_a_decider() {
    let wat = handler("", "(i32.const 0)", "");
    let description = describe(&guest("decider", &wat)).unwrap();
    assert_eq!(description.world.as_deref(), Some("decider"));
    assert!(description.needs.is_empty());
    // One that only decides may be skipped without more words.
    let skipped = FilterConfig {
        on_error: OnError::Skip,
        ..filter("decider", &wat, &["list:partners"])
    };
    let policy = Policy::load(runtime(), config(vec![skipped])).unwrap();
    let info = policy.filters().next().unwrap();
    assert_eq!(info.grants, ["list:partners"]);
}
