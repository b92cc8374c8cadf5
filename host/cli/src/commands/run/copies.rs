//! Copies and `outcome.json` into a directory: all of them, or none.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;
use waxseal_engine::{Disposition, Outcome, OutgoingCopy};

use crate::output;
use crate::report::{Exit, Failure};

/// The outcome with the file of each copy, as it is written to `outcome.json`.
pub(crate) fn report(outcome: &Outcome, out_dir: Option<&Path>) -> Value {
    let mut report = outcome.report();
    if out_dir.is_some()
        && let Some(Value::Array(copies)) = report.get_mut("copies")
    {
        for (index, copy) in copies.iter_mut().enumerate() {
            copy["file"] = Value::from(name(index));
        }
    }
    report
}

/// The copies that came out.
pub(crate) fn of(outcome: &Outcome) -> &[OutgoingCopy] {
    match &outcome.disposition {
        Disposition::Deliver(delivery) => &delivery.copies,
        _ => &[],
    }
}

/// Writes every copy and `outcome.json`. Copies of an earlier run are replaced, and those
/// that this run has none for go. A failure leaves no file of this run.
pub(crate) fn write(outcome: &Outcome, out_dir: &Path) -> Result<(), Failure> {
    output::create_directory(out_dir)?;
    let draft = tempfile::Builder::new()
        .prefix(".waxseal-")
        .tempdir_in(out_dir)
        .map_err(|error| Failure::creating(out_dir, &error))?;
    let mut names = Vec::new();
    for (index, copy) in of(outcome).iter().enumerate() {
        place(
            draft.path(),
            name(index),
            &copy.message.to_bytes(),
            &mut names,
        )?;
    }
    let json = serde_json::to_string_pretty(&report(outcome, Some(out_dir)))
        .map_err(|error| Failure::new(Exit::Software, error))?;
    place(
        draft.path(),
        "outcome.json".to_owned(),
        format!("{json}\n").as_bytes(),
        &mut names,
    )?;
    remove_old(out_dir).map_err(|error| Failure::creating(out_dir, &error))?;
    for (done, file) in names.iter().enumerate() {
        if let Err(error) = fs::rename(draft.path().join(file), out_dir.join(file)) {
            for earlier in &names[..done] {
                // The rename's error is the one to report.
                let _ = fs::remove_file(out_dir.join(earlier));
            }
            return Err(Failure::creating(&out_dir.join(file), &error));
        }
    }
    Ok(())
}

fn place(
    draft: &Path,
    name: String,
    octets: &[u8],
    names: &mut Vec<String>,
) -> Result<(), Failure> {
    output::create(&draft.join(&name), octets, output::Access::Shared)?;
    names.push(name);
    Ok(())
}

/// Copies and outcome of an earlier run: they would look like this one's.
fn remove_old(out_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(out_dir)? {
        let path = entry?.path();
        if is_ours(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let number = name
        .strip_prefix("copy-")
        .and_then(|rest| rest.strip_suffix(".eml"));
    let numbered = number.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    });
    path.is_file() && (name == "outcome.json" || numbered)
}

fn name(index: usize) -> String {
    format!("copy-{}.eml", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_go() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "copy-1.eml",
            "copy-12.eml",
            "outcome.json",
            "copy-.eml",
            "copy-a.eml",
            "x",
        ] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        remove_old(directory.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["copy-.eml", "copy-a.eml", "x"]);
    }
}
