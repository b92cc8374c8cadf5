//! `waxseal open` on a file, and what it said.
//!
//! Panics when the program panicked or gave no report; every verdict is the test's to judge.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::openssl::Identity;
use crate::operator::binary;

/// What came of a mail.
#[derive(Debug)]
pub struct Opened {
    /// The exit code.
    pub code: i32,
    /// The report of `--json`.
    pub report: Value,
    /// The innermost content; empty when nothing came off.
    pub content: Vec<u8>,
}

/// Opens a mail with these arguments.
pub fn open(mail: &Path, arguments: &[&str]) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = Command::new(binary());
    command.args(["open", "--json", "--out"]).arg(&out);
    command.args(arguments).arg(mail).stdin(Stdio::null());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    Opened {
        code: output.status.code().unwrap_or_else(|| panic!("{stderr}")),
        report: report.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stderr}")),
        content: std::fs::read(&out).unwrap_or_default(),
    }
}

/// Opens a mail as this person, who trusts this root.
pub fn open_as(reader: &Identity, root: &Path, mail: &Path, more: &[&str]) -> Opened {
    let paths = [&reader.certificate, &reader.key, root].map(|path| path.to_str().unwrap());
    let [certificate, key, root] = paths;
    let mut arguments = vec!["--identity", certificate, "--key", key, "--anchor", root];
    arguments.extend(more);
    open(mail, &arguments)
}

impl Opened {
    /// The verdict.
    pub fn verdict(&self) -> &str {
        self.report["verdict"].as_str().unwrap()
    }

    /// `FORM STATE` of each layer, outermost first.
    pub fn layers(&self) -> Vec<String> {
        let layers = self.report["layers"].as_array().unwrap();
        let said = |layer: &Value| {
            let [form, state] = ["form", "state"].map(|key| layer[key].as_str().unwrap());
            format!("{form} {state}")
        };
        layers.iter().map(said).collect()
    }

    /// All signatures of all layers.
    pub fn signatures(&self) -> Vec<&Value> {
        let layers = self.report["layers"].as_array().unwrap();
        layers
            .iter()
            .flat_map(|layer| layer["signatures"].as_array().into_iter().flatten())
            .collect()
    }

    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}
