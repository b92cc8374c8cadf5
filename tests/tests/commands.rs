//! Conventions of the command line (DESIGN §9): exit codes, `error:` and `hint:`, what goes to
//! standard output, and that a failed command leaves no file.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Output, Stdio};

use waxseal_tests::operator::binary;

fn waxseal(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn check(arguments: &[&str], code: i32) {
    let output = waxseal(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(
        output.stdout.is_empty(),
        "{arguments:?}: a failure wrote to standard output"
    );
    assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    assert!(
        !stderr.contains("panicked") && !stderr.contains("stack backtrace"),
        "{stderr}"
    );
}

#[test]
fn a_wrong_command_line_is_64() {
    check(&["no-such-command"], 64);
    check(&["run"], 64);
    check(
        &[
            "run",
            "--policy",
            "x",
            "--from",
            "not an address",
            "--to",
            "a@b.example",
        ],
        64,
    );
}

#[test]
fn a_missing_file_is_66() {
    check(
        &[
            "encrypt",
            "--to",
            "/nonexistent/cert.pem",
            "/nonexistent/mail.eml",
        ],
        66,
    );
    check(&["inspect", "/nonexistent/filter.wasm"], 66);
}

#[test]
fn bad_input_is_named_without_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("filter.wasm");
    std::fs::write(&file, b"not a component").unwrap();
    check(&["inspect", file.to_str().unwrap()], 65);
}

#[test]
fn help_and_version_are_results() {
    for argument in ["--help", "--version"] {
        let output = waxseal(&[argument]);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}
