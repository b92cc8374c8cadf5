//! What the figures were measured on.

use std::path::Path;
use std::process::Command;

use waxseal_tests::operator::{binary, repository};

use crate::page::Section;
use crate::table::table;

/// Processor, system and versions.
pub fn section() -> Section {
    let cores = cores().to_string();
    let rows = [
        ("processor", line("/proc/cpuinfo", "model name")),
        ("cores", cores),
        ("kernel", said("uname", &["-sr"])),
        ("date", said("date", &["-u", "+%Y-%m-%d"])),
        ("load before", file("/proc/loadavg")),
        ("OpenSSL", said("openssl", &["version"])),
        ("rustc", said("rustc", &["--version"])),
        (
            "Waxseal",
            format!(
                "{}, {}",
                said(&binary().display().to_string(), &["--version"]),
                commit()
            ),
        ),
    ];
    let rows: Vec<_> = rows
        .map(|(what, value)| vec![what.to_owned(), value])
        .into();
    Section::new("Machine", "", table(&["", ""], &rows))
}

/// How many threads run at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn commit() -> String {
    let directory = repository().display().to_string();
    said(
        "git",
        &["-C", &directory, "describe", "--always", "--dirty"],
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn file(path: &str) -> String {
    let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn line(path: &str, key: &str) -> String {
    let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| "unknown".to_owned())
}
