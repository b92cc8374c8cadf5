//! What the integration tests share: the corpus, and a comparison of MIME trees.

use std::path::{Path, PathBuf};

use waxseal_message::{Message, Part};

/// The corpus of real mail, if it is there. In CI it must be.
pub(crate) fn corpus() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let directory =
        PathBuf::from(std::env::var_os("WAXSEAL_CORPUS").unwrap_or_else(|| default.into()));
    if directory.is_dir() {
        return Some(directory);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus: {}",
        directory.display()
    );
    eprintln!(
        "NOT RUN: no corpus at {}; set WAXSEAL_CORPUS",
        directory.display()
    );
    None
}

/// All files below a directory, sorted.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

/// Whether it has fields that mails have.
pub(crate) fn is_mail(message: &Message) -> bool {
    [
        "From",
        "To",
        "Subject",
        "Date",
        "Received",
        "MIME-Version",
        "Content-Type",
    ]
    .iter()
    .any(|name| message.first(name).is_some())
}

fn lf_only(octets: &[u8]) -> Vec<u8> {
    let mut out = octets.to_vec();
    let mut kept = 0;
    for at in 0..out.len() {
        if out[at] == b'\r' && out.get(at + 1) == Some(&b'\n') {
            continue;
        }
        out[kept] = out[at];
        kept += 1;
    }
    out.truncate(kept);
    out
}

/// The first difference in meaning between two trees: structure, media types, content of the
/// leaves. `lines` are compared without regard to CR where the file was all LF.
pub(crate) fn difference(before: Part<'_>, after: Part<'_>, was_lf: bool) -> Option<String> {
    let at = before.id();
    if before.media_type() != after.media_type() {
        return Some(format!(
            "{at}: {} became {}",
            before.media_type(),
            after.media_type()
        ));
    }
    if before.child_count() != after.child_count() {
        return Some(format!(
            "{at}: {} parts became {}",
            before.child_count(),
            after.child_count()
        ));
    }
    if !before.is_leaf() {
        return before
            .children()
            .zip(after.children())
            .find_map(|(before, after)| difference(before, after, was_lf));
    }
    let (old, new) = (before.decoded(), after.decoded());
    let is_same = old == new || was_lf && lf_only(&old) == lf_only(&new);
    if is_same {
        None
    } else {
        Some(format!(
            "{at}: content differs: {:?} became {:?}",
            show(&old),
            show(&new)
        ))
    }
}

fn show(octets: &[u8]) -> String {
    String::from_utf8_lossy(&octets[..octets.len().min(400)]).into_owned()
}
