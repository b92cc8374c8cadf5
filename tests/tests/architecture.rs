//! The house as it stands obeys its rules of who may know whom, and who may touch the world.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use waxseal_tests::{arrows, metadata};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

#[test]
fn no_arrow_is_forbidden() {
    let mut members = metadata::members(&root()).unwrap();
    assert!(members.packages.len() >= 9, "not the whole workspace");
    // The SDK is of the house, though of the workspace of the filters.
    let filters = metadata::members(&root().join("filters")).unwrap();
    let mut filters = filters.packages.into_iter();
    let sdk = filters.find(|package| package.name == "waxseal-guest");
    members.packages.push(sdk.expect("the SDK is a member"));
    let forbidden = arrows::forbidden(&members);
    assert!(
        forbidden.is_empty(),
        "forbidden arrows:\n  {}",
        forbidden.join("\n  ")
    );
}

/// Files, sockets and the clock belong to stores, front ends and the command line: what these
/// crates do depends on their arguments alone.
#[test]
fn the_inner_crates_ask_nothing_of_the_world() {
    const ASKS: [&str; 6] = [
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime::now",
        "std::process",
        "File::open",
    ];
    const INNER: [&str; 4] = ["message", "smime", "provider-aws-lc", "provider-rustcrypto"];
    let found: Vec<_> = INNER
        .iter()
        .flat_map(|name| sources(&root().join("host").join(name).join("src")))
        .flat_map(|file| asked(&file, &ASKS))
        .collect();
    assert!(
        found.is_empty(),
        "inner crates touch the world:\n  {}",
        found.join("\n  ")
    );
}

/// The record of decisions is the one file that the service writes.
#[test]
fn the_service_knows_files_in_one_place() {
    const FILES: [&str; 4] = ["std::fs", "tokio::fs", "File::", "OpenOptions"];
    let found: Vec<_> = sources(&root().join("host/service/src"))
        .into_iter()
        .filter(|file| !file.ends_with("decisions.rs"))
        .flat_map(|file| asked(&file, &FILES))
        .collect();
    assert!(found.is_empty(), "files:\n  {}", found.join("\n  "));
}

/// Lines of code that hold one of the words.
fn asked(file: &Path, words: &[&str]) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    // What follows the tests of a file is tests.
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines
        .filter(|l| words.iter().any(|word| l.contains(word)))
        .map(|l| format!("{}: {}", file.display(), l.trim()))
        .collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs")
            && path.file_stem().is_none_or(|s| s != "tests")
        {
            found.push(path);
        }
    }
    found
}
