//! `waxseal cert list`: the certificates of a directory as a table.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use waxseal_smime::{Clock, Origin, Time};
use waxseal_stores::{CertificateDirectory, Entry};

use super::describe;
use crate::clock::{self, CommandClock};
use crate::report::{Failure, warn};
use crate::{output, table};

/// What `cert list` takes.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// The directory with the certificates
    #[arg(value_name = "DIR", required_unless_present = "policy")]
    dir: Option<PathBuf>,

    /// A policy directory, whose certificates/ is meant
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    policy: Option<PathBuf>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// Prints the table; files that cannot be read are warnings.
pub(crate) fn run(args: ListArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let directory = match (&args.dir, &args.policy) {
        (Some(dir), _) => dir.clone(),
        (None, policy) => policy.clone().unwrap_or_default().join("certificates"),
    };
    let store = open(&directory)?;
    if args.json {
        let values: Vec<_> = store
            .entries()
            .iter()
            .map(|it| as_json(it, &directory))
            .collect();
        output::print_json(&values)?;
    } else {
        output::print(as_table(&store, &directory, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a directory and warns of what in it cannot be used.
pub(super) fn open(directory: &Path) -> Result<CertificateDirectory, Failure> {
    let store = CertificateDirectory::open(directory)?;
    for problem in store.problems() {
        warn(problem);
    }
    Ok(store)
}

fn as_table(store: &CertificateDirectory, directory: &Path, now: Time) -> String {
    let mut rows = vec![
        [
            "ADDRESS", "STATE", "KEY", "USAGE", "ORIGIN", "SHA-256", "FILE",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for entry in store.entries() {
        let certificate = &entry.certificate;
        rows.push(vec![
            holder(entry),
            describe::state(certificate, now),
            certificate.key_algorithm().to_string(),
            describe::usage(certificate),
            origin(entry.origin).to_owned(),
            describe::short_fingerprint(certificate),
            file(entry, directory),
        ]);
    }
    table::aligned(&rows)
}

/// The addresses, else the domains, else the subject.
fn holder(entry: &Entry) -> String {
    let certificate = &entry.certificate;
    let addresses: Vec<String> = certificate
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let text = if !addresses.is_empty() {
        addresses.join(" ")
    } else if !certificate.domains().is_empty() {
        certificate.domains().join(" ")
    } else {
        certificate.subject()
    };
    describe::printable(&text)
}

/// How the certificate came to be there.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Pinned => "pinned",
        Origin::Imported => "imported",
        Origin::Directory => "directory",
        Origin::Harvested => "harvested",
    }
}

fn file(entry: &Entry, directory: &Path) -> String {
    entry
        .file
        .strip_prefix(directory)
        .unwrap_or(&entry.file)
        .display()
        .to_string()
}

fn as_json(entry: &Entry, directory: &Path) -> Value {
    json!({
        "file": file(entry, directory),
        "origin": origin(entry.origin),
        "certificate": describe::as_json(&entry.certificate),
    })
}
