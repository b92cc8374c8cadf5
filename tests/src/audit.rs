//! Licences and security advisories of everything the project is built from.
//!
//! Reads `deny.toml`, the lock files, `cargo metadata` and a checkout of the RustSec advisory
//! database; asks no network. A licence that `deny.toml` does not allow, a package from an
//! unknown source, an advisory that is neither patched nor ignored with a reason, and an ignore
//! that matches nothing are findings that fail. Crates that are merely unmaintained, or carry a
//! notice, are warnings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use serde::Deserialize;

use crate::metadata::Package;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// `deny.toml`. Keys that cargo-deny knows and this check does not are left to cargo-deny.
#[derive(Debug, Deserialize)]
pub struct Rules {
    licenses: Licences,
    advisories: Advisories,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Advisories {
    #[serde(default)]
    ignore: Vec<Ignore>,
}

#[derive(Debug, Deserialize)]
struct Ignore {
    id: String,
    reason: String,
}

/// A locked package: what an advisory is compared with.
#[derive(Debug, Clone, Deserialize)]
pub struct Locked {
    /// Its name in the registry.
    pub name: String,
    /// Its exact version.
    pub version: Version,
    /// Nothing for packages of this repository.
    pub source: Option<String>,
}

/// One advisory of the database.
#[derive(Debug, Clone)]
pub struct Advisory {
    id: String,
    package: String,
    informational: Option<String>,
    title: String,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

/// What the check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Each fails the check.
    pub errors: Vec<String>,
    /// Each is worth knowing.
    pub warnings: Vec<String>,
}

impl Rules {
    /// Reads `deny.toml`.
    pub fn read(path: &Path) -> Result<Rules, String> {
        toml::from_str(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// The packages of a `Cargo.lock`.
pub fn locked(path: &Path) -> Result<Vec<Locked>, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    let lock: Lock =
        toml::from_str(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(lock.package)
}

/// Reads every advisory of a database checkout; withdrawn ones are left out.
pub fn advisories(database: &Path) -> Result<Vec<Advisory>, String> {
    let mut found = Vec::new();
    for directory in entries(&database.join("crates"))? {
        for file in entries(&directory)? {
            if file.extension().is_some_and(|e| e == "md") {
                found.extend(
                    advisory(&read(&file)?).map_err(|e| format!("{}: {e}", file.display()))?,
                );
            }
        }
    }
    match found.is_empty() {
        true => Err(format!("no advisories in {}", database.display())),
        false => Ok(found),
    }
}

/// One advisory file: TOML between ```` ```toml ```` and ```` ``` ````, then its title.
fn advisory(text: &str) -> Result<Option<Advisory>, String> {
    #[derive(Deserialize)]
    struct File {
        advisory: Head,
        versions: Versions,
    }
    #[derive(Deserialize)]
    struct Head {
        id: String,
        package: String,
        informational: Option<String>,
        withdrawn: Option<toml::Value>,
    }
    #[derive(Deserialize)]
    struct Versions {
        #[serde(default)]
        patched: Vec<VersionReq>,
        #[serde(default)]
        unaffected: Vec<VersionReq>,
    }
    let (front, rest) = text
        .strip_prefix("```toml")
        .and_then(|t| t.split_once("\n```"))
        .ok_or("no front matter")?;
    let File {
        advisory: head,
        versions,
    } = toml::from_str(front).map_err(|e| e.to_string())?;
    let title = rest
        .lines()
        .find_map(|l| l.strip_prefix("# "))
        .unwrap_or_default();
    Ok(head.withdrawn.is_none().then(|| Advisory {
        id: head.id,
        package: head.package,
        informational: head.informational,
        title: title.to_owned(),
        patched: versions.patched,
        unaffected: versions.unaffected,
    }))
}

/// Compares locked packages with the advisories.
pub fn check_advisories(rules: &Rules, lock: &[Locked], database: &[Advisory]) -> Findings {
    let mut findings = Findings::default();
    let mut used = BTreeSet::new();
    for package in lock.iter().filter(|p| p.source.is_some()) {
        for advisory in database.iter().filter(|a| a.concerns(package)) {
            let line = format!(
                "{} {}: {} ({})",
                package.name, package.version, advisory.id, advisory.title
            );
            let ignored = rules.advisories.ignore.iter().find(|i| i.id == advisory.id);
            match (ignored, advisory.informational.as_deref()) {
                (Some(ignore), _) => {
                    used.insert(ignore.id.as_str());
                    findings
                        .warnings
                        .push(format!("{line}: ignored: {}", ignore.reason));
                }
                (None, Some(kind @ ("unmaintained" | "notice"))) => {
                    findings.warnings.push(format!("{line}: {kind}"));
                }
                (None, _) => findings.errors.push(line),
            }
        }
    }
    for ignore in &rules.advisories.ignore {
        if !used.contains(ignore.id.as_str()) {
            findings.errors.push(format!(
                "deny.toml ignores what concerns nothing: {}",
                ignore.id
            ));
        }
        if ignore.reason.trim().is_empty() {
            findings
                .errors
                .push(format!("deny.toml ignores without a reason: {}", ignore.id));
        }
    }
    findings
}

impl Advisory {
    fn concerns(&self, package: &Locked) -> bool {
        // A pre-release satisfies no ordinary range, and so counts as affected.
        let covered = |ranges: &[VersionReq]| ranges.iter().any(|r| r.matches(&package.version));
        self.package == package.name && !covered(&self.patched) && !covered(&self.unaffected)
    }
}

/// Compares licences and sources of packages with the rules.
pub fn check_packages(rules: &Rules, packages: &[Package]) -> Findings {
    let mut findings = Findings::default();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        match package.source.as_deref() {
            None | Some(CRATES_IO) => {}
            Some(other) => findings
                .errors
                .push(format!("{name}: unknown source: {other}")),
        }
        match package.license.as_deref() {
            None => findings
                .errors
                .push(format!("{name}: no licence in its manifest")),
            Some(licence) => {
                if let Err(why) = rules.allow(&package.name, licence) {
                    findings.errors.push(format!("{name}: {why}"));
                }
            }
        }
    }
    findings
}

impl Rules {
    fn allow(&self, package: &str, licence: &str) -> Result<(), String> {
        // "MIT/Apache-2.0", the old way to write OR, still occurs: LAX reads it.
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .map_err(|e| format!("not an SPDX expression: {licence}: {}", e.reason))?;
        let exceptions = self
            .licenses
            .exceptions
            .iter()
            .filter(|e| e.package == package);
        let allowed: Vec<spdx::Licensee> = exceptions
            .flat_map(|e| &e.allow)
            .chain(&self.licenses.allow)
            .map(|l| spdx::Licensee::parse(l).map_err(|e| format!("deny.toml: {l}: {e}")))
            .collect::<Result<_, _>>()?;
        match expression.evaluate(|required| allowed.iter().any(|a| a.satisfies(required))) {
            true => Ok(()),
            false => Err(format!("licence not allowed: {licence}")),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let error = |e| format!("{}: {e}", directory.display());
    std::fs::read_dir(directory)
        .map_err(error)?
        .map(|e| e.map(|e| e.path()).map_err(error))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "webby", allow = ["MPL-2.0"] }]
        [advisories]
        ignore = [{ id = "RUSTSEC-2000-0002", reason = "does not reach us" }]
    "#;

    const DATABASE: [&str; 4] = [
        "```toml\n[advisory]\nid = \"RUSTSEC-2000-0001\"\npackage = \"leaky\"\n\
         [versions]\npatched = [\">= 1.2.3\"]\nunaffected = [\"< 1.0.0\"]\n```\n\n# Leaks\n",
        "```toml\n[advisory]\nid = \"RUSTSEC-2000-0002\"\npackage = \"slow\"\n\
         [versions]\npatched = []\n```\n\n# Slow\n",
        "```toml\n[advisory]\nid = \"RUSTSEC-2000-0003\"\npackage = \"old\"\n\
         informational = \"unmaintained\"\n[versions]\npatched = []\n```\n\n# Left\n",
        "```toml\n[advisory]\nid = \"RUSTSEC-2000-0004\"\npackage = \"fine\"\n\
         withdrawn = \"2000-01-01\"\n[versions]\npatched = []\n```\n\n# Mistaken\n",
    ];

    fn check(lock: &str, errors: &[&str], warnings: usize) {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let database: Vec<_> = DATABASE
            .iter()
            .filter_map(|t| advisory(t).unwrap())
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("Cargo.lock");
        let packages: String = lock
            .split(',')
            .map(|p| p.trim().split_once(' ').unwrap())
            .map(|(name, version)| {
                format!(
                    "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{CRATES_IO}\"\n"
                )
            })
            .collect();
        std::fs::write(&path, format!("version = 4\n{packages}")).unwrap();
        let findings = check_advisories(&rules, &locked(&path).unwrap(), &database);
        assert_eq!(findings.errors, errors, "{lock}");
        assert_eq!(
            findings.warnings.len(),
            warnings,
            "{lock}: {:?}",
            findings.warnings
        );
    }

    #[test]
    fn a_locked_version_under_an_advisory_is_an_error() {
        check(
            "leaky 1.2.2, slow 1.0.0",
            &["leaky 1.2.2: RUSTSEC-2000-0001 (Leaks)"],
            1,
        );
        check(
            "leaky 1.2.3-rc.1, slow 1.0.0",
            &["leaky 1.2.3-rc.1: RUSTSEC-2000-0001 (Leaks)"],
            1,
        );
    }

    #[test]
    fn patched_unaffected_and_withdrawn_are_fine() {
        check("leaky 1.2.3, slow 1.0.0", &[], 1);
        check("leaky 0.9.0, slow 1.0.0", &[], 1);
        check("fine 1.0.0, slow 1.0.0", &[], 1);
    }

    #[test]
    fn unmaintained_is_a_warning() {
        check("old 1.0.0, slow 1.0.0", &[], 2);
    }

    #[test]
    fn an_ignore_that_concerns_nothing_is_an_error() {
        check(
            "fine 1.0.0",
            &["deny.toml ignores what concerns nothing: RUSTSEC-2000-0002"],
            0,
        );
    }

    fn licence(name: &str, licence: Option<&str>, source: &str, errors: &[&str]) {
        let rules: Rules = toml::from_str(RULES).unwrap();
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: licence.map(str::to_owned),
            source: Some(source.to_owned()),
            dependencies: Vec::new(),
        };
        assert_eq!(check_packages(&rules, &[package]).errors, errors);
    }

    #[test]
    fn licences_are_held_to_the_allow_list() {
        licence("a", Some("MIT OR GPL-3.0-or-later"), CRATES_IO, &[]);
        licence("a", Some("GPL-3.0/MIT"), CRATES_IO, &[]);
        licence("a", Some("Apache-2.0 WITH LLVM-exception"), CRATES_IO, &[]);
        licence("webby", Some("MPL-2.0"), CRATES_IO, &[]);
        licence(
            "a",
            Some("MPL-2.0"),
            CRATES_IO,
            &["a 1.0.0: licence not allowed: MPL-2.0"],
        );
        licence(
            "indymilter",
            Some("GPL-3.0-or-later"),
            CRATES_IO,
            &["indymilter 1.0.0: licence not allowed: GPL-3.0-or-later"],
        );
        licence(
            "a",
            Some("MIT AND X11"),
            CRATES_IO,
            &["a 1.0.0: licence not allowed: MIT AND X11"],
        );
        licence(
            "a",
            None,
            CRATES_IO,
            &["a 1.0.0: no licence in its manifest"],
        );
    }

    #[test]
    fn a_package_from_elsewhere_is_an_error() {
        licence(
            "a",
            Some("MIT"),
            "git+ssh://x",
            &["a 1.0.0: unknown source: git+ssh://x"],
        );
    }
}
