//! What docs/operations.md promises to name, held against the sources.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use waxseal_tests::operator::repository;

/// Every Rust file of a directory.
fn sources(directory: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names of metrics in a text: what stands between quotes and begins with ours.
fn metrics(text: &str) -> BTreeSet<String> {
    let name = |part: &&str| {
        let rest = part.strip_prefix("waxseal_").unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
    };
    let of_a_line = |line: &str| -> Vec<String> {
        line.split('"')
            .skip(1)
            .step_by(2)
            .filter(name)
            .map(str::to_owned)
            .collect()
    };
    text.lines().flat_map(of_a_line).collect()
}

#[test]
fn every_metric_is_in_the_table() {
    let mut texts = Vec::new();
    for crate_ in ["cli", "service", "relay", "smtp", "milter"] {
        sources(
            &repository().join("host").join(crate_).join("src"),
            &mut texts,
        );
    }
    let found: BTreeSet<String> = texts.iter().flat_map(|text| metrics(text)).collect();
    assert!(found.len() > 20, "{found:?}");
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let missing: Vec<_> = found
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");
}

#[test]
fn every_key_of_serve_toml_is_in_the_tables() {
    let mut texts = Vec::new();
    sources(&repository().join("host/config/src/serve"), &mut texts);
    texts.push(fs::read_to_string(repository().join("host/config/src/serve.rs")).unwrap());
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let calls = [
        "section.text(",
        "section.required(",
        "section.value(",
        "section.flag(",
        "section.texts(",
        "section.number(",
        "count(&section, ",
        "duration(&section, ",
        "path(&section, ",
    ];
    let mut keys = BTreeSet::new();
    for text in &texts {
        for call in calls {
            for part in text.split(call).skip(1) {
                keys.extend(
                    part.strip_prefix('"')
                        .and_then(|rest| rest.split('"').next()),
                );
            }
        }
    }
    assert!(keys.len() > 20, "{keys:?}");
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !page.contains(&format!("`{key}`")) && !page.contains(&format!(".{key}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");
}
