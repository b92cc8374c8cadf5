//! Policies that change while the service runs (DESIGN §7).

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Place, Service};

/// A component whose `evaluate` has another type: it links, and fails when it is instantiated.
const WRONG_TYPE: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
        (func (export "evaluate") (result i32) (i32.const 1))
        (func (export "validate") (param i32 i32) (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (func $evaluate (result u32) (canon lift (core func $i "evaluate")))
    (func $validate (param "json" string) (result u32)
        (canon lift (core func $i "validate")
            (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (instance $handler
        (export "evaluate" (func $evaluate))
        (export "validate-config" (func $validate)))
    (export "waxseal:filter/handler@0.1.0" (instance $handler)))"#;

#[test]
fn a_renamed_file_becomes_active() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    place.behave("require");
    let second = service.wait_for_other_than(&first);
    let status = service.status();
    assert_eq!(status["last-change"]["trigger"], "change");
    assert_eq!(status["last-change"]["previous"], first.as_str());
    assert_eq!(status["earlier"][0]["id"], first.as_str());
    assert_eq!(status["active"]["filters"][0]["name"], "first");
    let line = service.lines("policy active").pop().unwrap();
    assert_eq!(line["generation"], second.as_str());
    service.stop();
}

#[test]
fn a_flipped_link_becomes_active() {
    let place = Place::new();
    fs::rename(place.policy(), place.path("v1")).unwrap();
    place.policy_in("v2", "require");
    symlink("v1", place.policy()).unwrap();
    let service = place.start();
    let first = service.active();
    symlink("v2", place.path("next")).unwrap();
    fs::rename(place.path("next"), place.policy()).unwrap();
    let second = service.wait_for_other_than(&first);
    // What the link leads to now is watched.
    fs::write(place.path("v2/lists.txt"), "").unwrap();
    let text = fs::read_to_string(place.path("v2/waxseal.toml")).unwrap();
    fs::write(place.path("v2/new"), text.replace("require", "error")).unwrap();
    fs::rename(place.path("v2/new"), place.path("v2/waxseal.toml")).unwrap();
    service.wait_for_other_than(&second);
    service.stop();
}

#[test]
fn a_directory_in_the_place_of_another_becomes_active() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    place.policy_in("new", "require");
    fs::rename(place.policy(), place.path("old")).unwrap();
    fs::rename(place.path("new"), place.policy()).unwrap();
    service.wait_for_other_than(&first);
    service.stop();
}

#[test]
fn lists_and_dictionaries_are_part_of_the_policy() {
    let place = Place::new();
    place.put("lists/partners.txt", "partner.example\n");
    let service = place.start();
    let first = service.active();
    place.put("lists/partners.txt", "partner.example\nother.example\n");
    let second = service.wait_for_other_than(&first);
    place.put("dictionaries/words.txt", "confidential\n");
    service.wait_for_other_than(&second);
    service.stop();
}

#[test]
fn without_a_watch_a_signal_and_a_command_reload() {
    let place = Place::new();
    place.serve_toml("[reload]\nwatch = false\n");
    let service = place.start();
    let first = service.active();
    place.behave("require");
    service.signal("HUP");
    let second = service.wait_for_other_than(&first);
    assert_eq!(service.status()["last-change"]["trigger"], "sighup");
    place.behave("error");
    let output = place.tell(&["reload"]);
    assert!(output.status.success(), "{output:?}");
    let third = service.active();
    assert!(third != second && third != first);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("generation {third} is active\n"));
    service.stop();
}

#[test]
fn the_same_content_is_no_new_generation() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    place.behave("nothing");
    let output = place.tell(&["reload"]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("unchanged: generation {first}\n"));
    assert_eq!(service.status()["earlier"], Value::Array(Vec::new()));
    service.stop();
}

/// Puts something bad into the policy in every way that there is: it never becomes active, and
/// what is said of it names step, filter and cause.
fn check_rejected(step: &str, filter: Option<&str>, words: &str, spoil: impl Fn(&Place)) {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    spoil(&place);
    // By the watch.
    let report = service.wait_for_rejection();
    check_report(&report, step, filter, words);
    // By a command, whose exit code and output say it.
    let output = place.tell(&["reload"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(
        stderr.contains(words) && stderr.contains(&format!("step {step}")),
        "{stderr}"
    );
    assert!(stderr.contains(&first), "{stderr}");
    let output = place.tell(&["reload", "--json"]);
    assert_eq!(output.status.code(), Some(78));
    check_report(
        &serde_json::from_slice(&output.stdout).unwrap(),
        step,
        filter,
        words,
    );
    // In `status`, its exit code, the log and the metrics.
    assert_eq!(service.active(), first);
    let output = place.tell(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(words) && text.contains("degraded: "),
        "{text}"
    );
    let logged = service.lines("policy rejected");
    let named = |line: &&Value| {
        line["problem"]
            .as_str()
            .is_some_and(|it| it.contains(words))
    };
    let line = logged
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("{logged:?}"));
    assert_eq!(
        (&line["step"], line["filter"].as_str()),
        (&Value::from(step), filter)
    );
    let rejected = service.metric("waxseal_reloads_total{result=\"rejected\"}");
    assert!(rejected.is_some_and(|count| count >= 3.0), "{rejected:?}");
    assert_eq!(service.metric("waxseal_degraded"), Some(1.0));
    assert_eq!(service.http("/readyz").unwrap().0, 200);
    // What is good again becomes active, or is active already.
    let _ = fs::remove_dir_all(place.policy());
    place.policy_in("policy", "require");
    service.wait_for_other_than(&first);
    assert_eq!(place.tell(&["status"]).status.code(), Some(0));
    service.stop();
}

fn check_report(report: &Value, step: &str, filter: Option<&str>, words: &str) {
    let rejected = &report["rejected"];
    assert_eq!(rejected["step"], step, "{report}");
    assert_eq!(rejected["filter"].as_str(), filter, "{report}");
    let mut problems = rejected["problems"].as_array().unwrap().iter();
    let named = |problem: &Value| problem["message"].as_str().unwrap().contains(words);
    assert!(problems.any(named), "{report}");
}

#[test]
fn a_component_that_does_not_compile_is_rejected() {
    // A component whose only function leaves nothing where a number is wanted.
    let broken = r#"(component (core module (func (result i32))))"#;
    check_rejected(
        "compile",
        Some("first"),
        "filter \"first\": compile: ",
        |place| {
            let octets = wat::parse_str(broken).unwrap();
            place.put("filters/first.wasm", octets);
        },
    );
}

#[test]
fn what_is_no_component_is_rejected() {
    check_rejected(
        "imports",
        Some("first"),
        "not a webassembly component",
        |place| {
            place.put("filters/first.wasm", "MZ");
        },
    );
}

#[test]
fn a_filter_that_wants_more_than_its_grant_is_rejected() {
    check_rejected("imports", Some("first"), "not granted: profiles", |place| {
        let text = fs::read_to_string(place.policy().join("waxseal.toml")).unwrap();
        place.put("waxseal.toml", text.replace(", \"profiles:secret\"", ""));
    });
}

#[test]
fn an_export_of_the_wrong_type_is_rejected() {
    check_rejected(
        "instantiate",
        Some("first"),
        "filter \"first\": instantiate: ",
        |place| {
            place.put("filters/first.wasm", wat::parse_str(WRONG_TYPE).unwrap());
        },
    );
}

#[test]
fn other_octets_than_pinned_are_rejected() {
    check_rejected("digest", Some("first"), "the policy pins", |place| {
        let text = fs::read_to_string(place.policy().join("waxseal.toml")).unwrap();
        let pinned = format!("name = \"first\"\nsha256 = \"{}\"", "00".repeat(32));
        place.put(
            "waxseal.toml",
            text.replace("name = \"first\"\n", &(pinned + "\n")),
        );
    });
}

#[test]
fn a_filter_that_loops_over_its_settings_is_rejected() {
    check_rejected(
        "settings",
        Some("first"),
        "validate-config failed: filter.deadline",
        |place| {
            place.behave("loop-in-validate");
        },
    );
}

#[test]
fn settings_that_the_filter_does_not_know_are_rejected() {
    check_rejected("settings", Some("first"), "dance", |place| {
        place.behave("dance")
    });
}

#[test]
fn a_policy_that_fails_its_fixtures_is_rejected() {
    check_rejected(
        "fixtures",
        None,
        "tests/hello.toml: other than expected",
        |place| {
            place.put("tests/hello.eml", "From: anna@example.org\r\n\r\nhello\r\n");
            place.put("tests/hello.plan.txt", "verdict: discard\n");
            let fixture = "to = [\"ben@example.net\"]\nat = \"2026-11-24T15:00:00Z\"\n";
            place.put("tests/hello.toml", fixture);
        },
    );
}

#[test]
fn a_mistake_in_the_configuration_is_rejected() {
    check_rejected(
        "configuration",
        None,
        "waxseal.toml:1: filtr: unknown key: filtr",
        |place| {
            place.put("waxseal.toml", "filtr = 1\n");
        },
    );
}

#[test]
fn a_directory_that_is_gone_is_rejected() {
    check_rejected("read", None, "no such file or directory", |place| {
        fs::rename(place.policy(), place.path("gone")).unwrap();
    });
}

#[test]
fn a_rollback_goes_back_and_stays_back() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    place.behave("error");
    let second = service.wait_for_other_than(&first);
    let output = place.tell(&["rollback"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(service.active(), first);
    let status = service.status();
    assert_eq!(status["rolled-back"], serde_json::json!([second]));
    // The directory still has what was rolled back: neither a signal nor a start takes it.
    service.signal("HUP");
    service.wait_for("the signal to be answered", |service| {
        let last = service.status()["last-change"].clone();
        (last["result"] == "rolled-back-before").then_some(())
    });
    assert_eq!(service.active(), first);
    service.stop();
    let service = place.start();
    assert_eq!(service.active(), first);
    let degraded = service.status()["degraded"][0].as_str().unwrap().to_owned();
    assert!(
        degraded.contains(&format!("generation {second} was rolled back")),
        "{degraded}"
    );
    // Whoever says so by hand has it.
    assert!(place.tell(&["reload"]).status.success());
    assert_eq!(service.active(), second);
    assert_eq!(service.status()["rolled-back"], Value::Array(Vec::new()));
    service.stop();
}

#[test]
fn a_rollback_by_name_skips_those_between() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    place.behave("error");
    let second = service.wait_for_other_than(&first);
    place.behave("require");
    service.wait_for_other_than(&second);
    assert!(place.tell(&["rollback", &first]).status.success());
    assert_eq!(service.active(), first);
    let output = place.tell(&["rollback", "0000"]);
    assert_eq!(output.status.code(), Some(69));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: no such generation is loaded to roll back to\n\
         hint: `waxseal status` lists the earlier ones\n"
    );
    service.stop();
}

#[test]
fn the_last_good_policy_serves_a_start_that_finds_a_bad_one() {
    let place = Place::new();
    let service = place.start();
    let first = service.active();
    service.kill();
    place.behave("dance");
    let service = place.start();
    check_last_good(&service, &place, &first);
    // As soon as the directory is good, it is active.
    place.behave("require");
    service.wait_for_other_than(&first);
    assert_eq!(service.status()["degraded"], Value::Array(Vec::new()));
    service.stop();
}

fn check_last_good(service: &Service<'_>, place: &Place, id: &str) {
    assert_eq!(service.active(), id);
    let degraded = service.status()["degraded"][0].as_str().unwrap().to_owned();
    assert!(
        degraded.starts_with("the last-good policy is active"),
        "{degraded}"
    );
    assert!(degraded.contains("dance"), "{degraded}");
    let (code, body) = service.http("/readyz").unwrap();
    assert!(
        code == 200 && body.contains("the last-good policy is active"),
        "{body}"
    );
    let said = service.lines("policy rejected");
    assert!(!said.is_empty(), "{}", service.log());
    let kept = place.path("state/policies");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_first_start_with_a_bad_policy_does_not_serve() {
    let place = Place::new();
    place.behave("dance");
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 78, "{stderr}");
    assert!(
        stderr.contains("dance") && stderr.contains("step settings"),
        "{stderr}"
    );
}
