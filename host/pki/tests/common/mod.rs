//! What the tests share: the corpus, files, requests.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use waxseal_smime::{Certificate, Purpose, Time, TrustRequest};

/// 2026-11-24T15:00:00Z.
pub(crate) const NOW: Time = Time::from_unix(1_795_532_400);

/// A directory of the shared corpus, which is optional: `None` says loudly that the test did
/// not run, and in CI that is a failure.
pub(crate) fn corpus(set: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let root = std::env::var_os("WAXSEAL_CORPUS").map_or_else(default, PathBuf::from);
    let path = root.join(set);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}",
        path.display()
    );
    eprintln!(
        "NOT RUN: no corpus at {}; set WAXSEAL_CORPUS",
        path.display()
    );
    None
}

/// The octets of every file of a directory, in order.
pub(crate) fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// A request that brings nothing but certificates.
pub(crate) fn request(certificates: &[Certificate], at: Time) -> TrustRequest<'_> {
    TrustRequest {
        at,
        purpose: Purpose::Sign,
        certificates,
        crls: &[],
        ocsp_responses: &[],
    }
}
