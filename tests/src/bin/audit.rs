//! `audit [ROOT]`: licences, sources and advisories of the workspace at ROOT and of
//! ROOT/filters and ROOT/fuzz. See `waxseal_tests::audit` for what counts as a finding.
//!
//! The advisory database is `$WAXSEAL_ADVISORY_DB`, else `ROOT/../shared/advisory-db`. Without
//! one the advisories are not checked: that is said, and fails where `CI` is set.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use waxseal_tests::audit::{self, Findings, Rules};
use waxseal_tests::metadata;

fn main() -> ExitCode {
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    match run(&root) {
        Ok(findings) => report(&findings),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn report(findings: &Findings) -> ExitCode {
    findings
        .warnings
        .iter()
        .for_each(|w| eprintln!("warning: {w}"));
    findings.errors.iter().for_each(|e| eprintln!("error: {e}"));
    match findings.errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn run(root: &Path) -> Result<Findings, String> {
    let rules = Rules::read(&root.join("deny.toml"))?;
    let mut lock = Vec::new();
    let mut findings = Findings::default();
    for workspace in [root.to_path_buf(), root.join("filters"), root.join("fuzz")] {
        if !workspace.join("Cargo.toml").exists() {
            findings
                .errors
                .push(format!("no workspace: {}", workspace.display()));
            continue;
        }
        let packages = metadata::everything(&workspace)?.packages;
        let found = audit::check_packages(&rules, &packages);
        println!(
            "{}: licences and sources of {} packages",
            workspace.display(),
            packages.len()
        );
        findings.errors.extend(found.errors);
        lock.extend(audit::locked(&workspace.join("Cargo.lock"))?);
    }
    lock.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    lock.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
    let found = advisories(root, &rules, &lock)?;
    findings.errors.extend(found.errors);
    findings.warnings.extend(found.warnings);
    Ok(findings)
}

fn advisories(root: &Path, rules: &Rules, lock: &[audit::Locked]) -> Result<Findings, String> {
    let database = std::env::var_os("WAXSEAL_ADVISORY_DB")
        .map_or_else(|| root.join("../shared/advisory-db"), PathBuf::from);
    if !database.is_dir() {
        let line = format!(
            "advisories NOT checked: no database at {}",
            database.display()
        );
        let mut findings = Findings::default();
        match std::env::var_os("CI") {
            Some(_) => findings.errors.push(line),
            None => findings.warnings.push(line),
        }
        return Ok(findings);
    }
    let known = audit::advisories(&database)?;
    println!(
        "{} locked packages against {} advisories",
        lock.len(),
        known.len()
    );
    Ok(audit::check_advisories(rules, lock, &known))
}
