//! Figures, not tests: what a decision costs, how it grows with rules and with filters, and what
//! loading a policy costs.
//!
//! ```text
//! cargo bench -p waxseal-policy            everything
//! cargo bench -p waxseal-policy -- quick   fewer rounds
//! ```
//!
//! A decision is a whole chain over one parsed mail of 10 kB: for each filter a fresh instance,
//! its evaluation, and the instance's end.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{People, built, guest, handler, transaction};
use waxseal_message::{Limits, Message};
use waxseal_policy::transaction::Transaction;
use waxseal_policy::{FilterConfig, Policy, PolicyConfig, Runtime, RuntimeLimits};

/// Ten rules as operators write them. Of the bench's mail only the last is true.
const RULES: [&str; 10] = [
    r#"{ "name": "bank mail is encrypted",
         "when": { "direction": "outbound", "recipient": [".bank.example", "@pay.example"] },
         "then": { "require-encryption": "matching", "apply": { "profile": "corporate" } } }"#,
    r#"{ "name": "on request",
         "when": { "subject": "*[secure]*" },
         "then": { "apply": { "profile": "corporate" } } }"#,
    r#"{ "name": "no payroll to the outside",
         "when": { "attachment": { "name": "*payroll*" }, "not": { "recipient": ".example.org" } },
         "then": { "refuse": { "text": "payroll data stays inside" } } }"#,
    r#"{ "name": "no programs",
         "when": { "attachment": [{ "name": "*.exe" }, { "type": "application/x-msdownload" }] },
         "then": { "refuse": { "text": "programs are not sent by mail", "code": 554 } } }"#,
    r#"{ "name": "newsletters go as they are",
         "when": { "auth-user": "newsletter", "header": { "name": "List-Id" } },
         "then": { "note": { "kind": "newsletter" } } }"#,
    r#"{ "name": "large mail is not encrypted",
         "when": { "size": { "min": 20000000 } },
         "then": { "note": { "kind": "large" } } }"#,
    r#"{ "name": "the board",
         "when": { "from": ["chair@example.org", "*-board@example.org"] },
         "then": { "require-encryption": "all", "apply": { "profile": "corporate", "to": "all" } } }"#,
    r#"{ "name": "confidential by its header",
         "when": { "header": { "name": "Sensitivity", "value": ["company-confidential", "private"] } },
         "then": { "apply": { "profile": "corporate" } } }"#,
    r#"{ "name": "personal",
         "when": { "any": [{ "subject": "personal:*" }, { "header": { "name": "X-Personal" } }] },
         "then": { "note": { "kind": "personal" } } }"#,
    r#"{ "name": "the rest is signed",
         "then": { "apply": { "profile": "sign" } } }"#,
];

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let rounds = if quick { 500 } else { 5_000 };
    let runtime = Runtime::new(&RuntimeLimits::default()).unwrap();
    println!("load of a policy");
    let rules = ten(1);
    for what in ["first", "again"] {
        let start = Instant::now();
        load(&runtime, vec![rules_filter("rules", &rules)]);
        println!("  ten rules, {what:<5}       {:>9.1?}", start.elapsed());
    }
    println!("\ndecision about a mail of 10 kB: the whole chain, and its filters' own time");
    decision(&runtime, "one empty filter", rounds, vec![empty("empty")]);
    decision(
        &runtime,
        "no rules",
        rounds,
        vec![rules_filter("rules", "")],
    );
    decision(
        &runtime,
        "1 rule",
        rounds,
        vec![rules_filter("rules", RULES[9])],
    );
    decision(
        &runtime,
        "10 rules",
        rounds,
        vec![rules_filter("rules", &rules)],
    );
    decision(
        &runtime,
        "50 rules",
        rounds,
        vec![rules_filter("rules", &ten(5))],
    );
    for count in [1, 10, 50] {
        let one = |index| rules_filter(&format!("rules-{index}"), &rules);
        let chain = (0..count).map(one).collect();
        decision(
            &runtime,
            &format!("{count} filters of 10 rules"),
            rounds / 5,
            chain,
        );
    }
}

/// The ten rules, so many times.
fn ten(times: usize) -> String {
    vec![RULES.join(", "); times].join(", ")
}

fn rules_filter(name: &str, rules: &str) -> FilterConfig {
    let grants = ["actions", "inspect", "profiles:sign", "profiles:corporate"];
    FilterConfig {
        grants: grants.into_iter().collect(),
        settings: format!(r#"{{ "rules": [{rules}] }}"#),
        ..FilterConfig::new(name, built("filters/dist/rules.wasm"))
    }
}

/// What the host costs by itself.
fn empty(name: &str) -> FilterConfig {
    FilterConfig::new(name, guest("decider", &handler("", "(i32.const 0)", "")))
}

fn load(runtime: &Arc<Runtime>, filters: Vec<FilterConfig>) -> Policy {
    let config = PolicyConfig {
        filters,
        profiles: vec!["sign".to_owned(), "corporate".to_owned()],
        ..PolicyConfig::default()
    };
    Policy::load(runtime, config).unwrap_or_else(|error| panic!("{error}"))
}

fn decision(runtime: &Arc<Runtime>, what: &str, rounds: usize, filters: Vec<FilterConfig>) {
    let policy = load(runtime, filters);
    let transaction = mail();
    let (mut whole, mut own) = (Vec::new(), Vec::new());
    for round in 0..rounds + rounds / 10 {
        let start = Instant::now();
        let decision = policy.decide(&transaction, Arc::new(People));
        let elapsed = start.elapsed();
        assert!(decision.failures.is_empty(), "{:?}", decision.failures);
        if round >= rounds / 10 {
            whole.push(elapsed);
            own.push(
                decision
                    .trace
                    .filters
                    .iter()
                    .map(|filter| filter.elapsed)
                    .sum(),
            );
        }
    }
    println!("  {what:<24} {}   filters {}", spread(whole), spread(own));
}

fn mail() -> Arc<Transaction> {
    let mut mail = "From: Anna <anna@example.org>\r\nTo: Ben <ben@example.com>\r\n\
        Subject: report\r\nMIME-Version: 1.0\r\nMessage-ID: <bench@example.org>\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\nContent-Type: text/plain\r\n\r\nThe report is attached.\r\n\
        --x\r\nContent-Type: application/pdf; name=report.pdf\r\n\
        Content-Disposition: attachment; filename=report.pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n"
        .to_owned();
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    while mail.len() + line.len() < 10_000 {
        mail.push_str(line);
    }
    mail.push_str("--x--\r\n");
    let mut transaction = Arc::unwrap_or_clone(transaction());
    transaction.message = Message::parse(mail.into_bytes(), &Limits::default()).unwrap();
    transaction.recipients.truncate(1);
    transaction.into()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("p50 {:>9.1?} p99 {:>9.1?}", at(50), at(99))
}
