//! The conventions: what is wrong with a command line, and where things go.

use crate::Place;
use insta::assert_snapshot;

#[test]
fn an_unknown_command_suggests_the_nearest() {
    assert_snapshot!(Place::new().sees("encypt"));
}

#[test]
fn no_command_lists_them() {
    assert_snapshot!(Place::new().sees("cert"));
}

#[test]
fn a_missing_argument_is_named() {
    assert_snapshot!(Place::new().sees("sign"));
}

#[test]
fn an_unknown_algorithm_lists_the_known() {
    assert_snapshot!(Place::new().sees("encrypt --to c.pem --cipher 3des m.eml"));
}

#[test]
fn not_an_address() {
    assert_snapshot!(Place::new().sees("run --policy p --from nobody --to b@example.org m.eml"));
}

#[test]
fn version() {
    let output = Place::new().run("--version");
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(output.stdout.starts_with(b"waxseal "));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_quiet_and_no_success() {
    use std::process::{Command, Stdio};
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(["cert", "show", &crate::data("alice.pem")])
        .stdout(Stdio::from(writer))
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
