//! The command line as an operator sees it: exit code, standard output and standard error,
//! whole. The clock is fixed with `--at`; what is random is not shown.

#![allow(clippy::unwrap_used, clippy::panic)]

mod by_hand;
mod cert;
mod crypto;
mod filter_project;
mod open;
mod store;
mod usage;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The time of every test.
const AT: &str = "2026-11-24T15:00:00Z";

/// A place of its own, in which commands run.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("waxseal-cli-")
                .tempdir()
                .unwrap(),
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs the command line, split at spaces, with nothing on standard input.
    fn run(&self, line: &str) -> Output {
        self.run_with(line, b"")
    }

    /// The binary in this place, without what the environment says to it.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command
            .current_dir(self.0.path())
            .env_remove("WAXSEAL_PASSPHRASE")
            .env_remove("WAXSEAL_LOG");
        command
    }

    fn run_with(&self, line: &str, stdin: &[u8]) -> Output {
        let arguments: Vec<&str> = line.split(' ').filter(|it| !it.is_empty()).collect();
        self.spawn(&arguments, stdin)
    }

    fn spawn(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    /// What a person sees, whole.
    fn sees(&self, line: &str) -> String {
        shown(&self.run(line))
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn shown(output: &Output) -> String {
    format!(
        "exit: {}\n----- stdout\n{}----- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )
}

/// A file beside the tests.
fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
        .display()
        .to_string()
}
