//! Filters that misbehave, through the binary: each gives its named error and its outcome, and
//! nothing leaves in clear. The filter is `filters/misbehave`, built into `tests/fixtures`.
#![allow(clippy::unwrap_used, clippy::panic)]

use waxseal_tests::openssl;
use waxseal_tests::operator::{Policy, Ran};

const SECRET: &str = "the merger is on friday";
const FROM: &str = "chief@example.org";
const BOB: &str = "bob@partner.example";

const MUST: &str =
    r#"{"rules": [{"then": {"require-encryption": "all", "apply": {"profile": "p"}}}]}"#;
const MUST_NOW: &str = r#"{"rules": [{"then": {"require-encryption": "all", "apply": {"profile": "p", "timing": "now"}}}]}"#;
const PROFILE_NOW: &str = r#"{"rules": [{"then": {"apply": {"profile": "p", "timing": "now"}}}]}"#;
const OBLIGATION: &str = r#"{"rules": [{"then": {"require-encryption": "all"}}]}"#;

/// A filter of the chain: the stock filter `rules` with its settings, or the fixture.
enum Filter<'a> {
    Rules(&'a str),
    Always(&'a str),
    Bad {
        behave: &'a str,
        grant: &'a str,
        more: &'a str,
    },
}

fn bad(behave: &str) -> Filter<'_> {
    Filter::Bad {
        behave,
        grant: "",
        more: "",
    }
}

fn policy(chain: &[Filter<'_>]) -> Policy {
    let mut configuration = String::from(
        "[origin]\nauthenticated = true\n\n[profile.p]\nmode = \"encrypt\"\n\n\
         [profile.secret]\nmode = \"encrypt\"\n",
    );
    let mut files = Vec::new();
    for (index, filter) in chain.iter().enumerate() {
        let (component, grant, settings, more) = match filter {
            Filter::Rules(rules) => (
                "rules",
                "\"inspect\", \"profiles:p\"",
                (*rules).to_owned(),
                "",
            ),
            Filter::Always(rules) => (
                "rules",
                "\"inspect\", \"profiles:p\"",
                (*rules).to_owned(),
                "always = true",
            ),
            Filter::Bad {
                behave,
                grant,
                more,
            } => {
                let settings = format!(r#"{{"behave": "{behave}", "name": "secret"}}"#);
                ("misbehave", *grant, settings, *more)
            }
        };
        // The fixture imports `profiles`; a name grants the interface for that name only.
        let grant = if grant.is_empty() {
            "\"profiles:p\""
        } else {
            grant
        };
        configuration.push_str(&format!(
            "\n[[filter]]\nname = \"f{index}\"\ncomponent = \"filters/{component}.wasm\"\n\
             grant = [\"actions\", {grant}]\nsettings = \"f{index}.json\"\n{more}\n"
        ));
        files.push((format!("f{index}.json"), settings));
    }
    let policy = Policy::new(&configuration);
    for (name, settings) in files {
        std::fs::write(policy.directory().join(name), settings).unwrap();
    }
    policy
}

fn run(policy: &Policy) -> Ran {
    let mail = format!(
        "From: {FROM}\nTo: {BOB}\nSubject: news\nMessage-ID: <1@example.org>\n\n{SECRET}\n"
    );
    policy.run(&mail, FROM, &[BOB], &["--auth-user", FROM])
}

/// Stops the mail with this exit code and this cause. Whether a filter first reaches a limit or
/// its deadline depends on the machine: either will do.
fn check_stopped(chain: &[Filter<'_>], code: i32, cause: &str, what: &str) {
    let mut policy = policy(chain);
    policy.recipient(BOB);
    let ran = run(&policy);
    assert_eq!(ran.code, Some(code), "{what}: {ran:#?}");
    assert!(ran.copies.is_empty(), "{what}: {ran:#?}");
    let either = ["filter.limit", "filter.deadline"];
    let causes = ran.causes();
    let named = |c: &String| c == cause || cause == either[0] && c == either[1];
    assert!(causes.iter().any(named), "{what}: {ran:#?}");
}

/// Lets the mail through encrypted to Bob, or stops it with a cause; never in clear.
fn check_never_clear(chain: &[Filter<'_>], what: &str) {
    let mut policy = policy(chain);
    let bob = policy.recipient(BOB);
    let ran = run(&policy);
    for copy in &ran.copies {
        assert!(!copy.reveals(SECRET), "{what}: {ran:#?}");
        assert!(
            openssl::decrypt(&copy.file, &bob).is_some(),
            "{what}: {ran:#?}"
        );
    }
    if ran.copies.is_empty() {
        assert!(matches!(ran.code, Some(69 | 75)), "{what}: {ran:#?}");
        assert!(!ran.causes().is_empty(), "{what}: no cause: {ran:#?}");
    }
}

#[test]
fn a_failing_filter_defers_by_default_and_says_how_it_failed() {
    let ways = [
        ("loop", "filter.deadline"),
        ("trap", "filter.trap"),
        ("panic", "filter.trap"),
        ("recurse", "filter.trap"),
        ("exhaust-memory", "filter.memory"),
        ("many-handles", "filter.limit"),
        ("many-logs", "filter.limit"),
        ("many-notes", "filter.limit"),
        ("read-forever", "filter.limit"),
        ("error", "filter.error"),
        ("bad-reply", "filter.bad-reply"),
        ("bad-reply-text", "filter.bad-reply"),
    ];
    for (way, cause) in ways {
        check_stopped(&[Filter::Rules(MUST), bad(way)], 75, cause, way);
    }
}

#[test]
fn on_error_reject_refuses() {
    let filter = Filter::Bad {
        behave: "trap",
        grant: "",
        more: "on-error = \"reject\"",
    };
    check_stopped(&[Filter::Rules(MUST), filter], 69, "filter.trap", "reject");
}

/// What failed is undone, and what it required stays: the others' encryption holds.
#[test]
fn on_error_skip_leaks_nothing_that_must_be_encrypted() {
    for way in ["trap", "error", "edit-then-error", "require-then-error"] {
        let skipped = || Filter::Bad {
            behave: way,
            grant: "",
            more: "on-error = \"skip\"\nmay-leak = true",
        };
        check_never_clear(&[Filter::Rules(MUST), skipped()], way);
        check_never_clear(&[skipped(), Filter::Rules(MUST)], way);
    }
}

#[test]
fn an_obligation_of_a_skipped_filter_stays() {
    let skipped = Filter::Bad {
        behave: "require-then-error",
        grant: "",
        more: "on-error = \"skip\"\nmay-leak = true",
    };
    let mut policy = policy(&[skipped]);
    policy.recipient(BOB);
    let ran = run(&policy);
    assert!(ran.copies.is_empty() && ran.code != Some(0), "{ran:#?}");
    assert!(
        ran.causes().iter().any(|c| c.starts_with("plan.")),
        "{ran:#?}"
    );
}

#[test]
fn skip_without_may_leak_does_not_load() {
    let filter = Filter::Bad {
        behave: "nothing",
        grant: "",
        more: "on-error = \"skip\"",
    };
    check_not_loaded(&[filter], "may-leak");
}

/// An import that was not granted is refused at load, by name.
#[test]
fn an_interface_that_was_not_granted_does_not_load() {
    let policy = Policy::new(
        "[[filter]]\nname = \"f\"\ncomponent = \"filters/misbehave.wasm\"\ngrant = []\n\
         settings = \"f.json\"\n",
    );
    std::fs::write(
        policy.directory().join("f.json"),
        r#"{"behave": "nothing"}"#,
    )
    .unwrap();
    let ran = run(&policy);
    assert_eq!(ran.code, Some(78), "{ran:#?}");
    assert!(
        ran.stderr.contains("not granted: ") && ran.stderr.contains("actions"),
        "{ran:#?}"
    );
    assert!(ran.copies.is_empty());
}

#[test]
fn a_component_with_a_loop_in_validate_config_does_not_load() {
    check_not_loaded(&[bad("loop-in-validate")], "validate-config");
}

fn check_not_loaded(chain: &[Filter<'_>], word: &str) {
    let ran = run(&policy(chain));
    assert_eq!(ran.code, Some(78), "{ran:#?}");
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains(word),
        "{ran:#?}"
    );
    assert!(ran.copies.is_empty());
}

/// A name that was not granted answers `denied`: the filter passes the error on, and fails.
#[test]
fn what_was_not_granted_is_denied() {
    for way in [
        "apply-profile",
        "apply-on-delivery",
        "ask-list",
        "ask-dictionary",
    ] {
        let mut policy = policy(&[bad(way)]);
        policy.recipient(BOB);
        let ran = run(&policy);
        assert_eq!(ran.code, Some(75), "{way}: {ran:#?}");
        assert!(ran.copies.is_empty(), "{way}: {ran:#?}");
        let report = ran.report.to_string();
        assert!(
            report.contains("denied") || report.contains("not granted"),
            "{way}: {report}"
        );
    }
}

#[test]
fn verdicts_are_granted_too() {
    for way in ["accept", "quarantine", "discard"] {
        let mut policy = policy(&[bad(way)]);
        policy.recipient(BOB);
        let ran = run(&policy);
        assert_eq!(ran.code, Some(75), "{way}: {ran:#?}");
        assert!(
            ran.copies.is_empty() && !ran.causes().is_empty(),
            "{way}: {ran:#?}"
        );
    }
}

#[test]
fn an_earlier_filters_encryption_cannot_be_undone() {
    for rules in [MUST, MUST_NOW, PROFILE_NOW] {
        for way in ["undo-encryption", "undo-by-route"] {
            check_never_clear(&[Filter::Rules(rules), bad(way)], way);
        }
    }
}

/// A filter that accepts early skips a later filter only where the operator allows it.
#[test]
fn a_later_must_encrypt_filter_is_not_skipped() {
    let accepts = || Filter::Bad {
        behave: "accept",
        grant: "\"profiles:p\", \"accept\"",
        more: "",
    };
    check_never_clear(&[accepts(), Filter::Always(MUST)], "accept before always");
    check_never_clear(
        &[accepts(), Filter::Always(OBLIGATION)],
        "accept before obligation",
    );
}

#[test]
fn nobody_is_added_to_a_plan_by_name() {
    check_never_clear(&[Filter::Rules(MUST), bad("route-to-stranger")], "stranger");
}
