//! The part of `cargo metadata` (format version 1) that the checks read.
//!
//! Runs cargo offline: what it needs must have been fetched by a build before. Fails with
//! what cargo said.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// What `cargo metadata` prints.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Workspace members, and unless `--no-deps` was given their whole dependency graph.
    pub packages: Vec<Package>,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Its name in the registry.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// The SPDX expression of its manifest.
    pub license: Option<String>,
    /// Where it comes from; nothing for packages of this repository.
    pub source: Option<String>,
    /// What its manifest asks for.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependencies.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package's name, also where the manifest renames it.
    pub name: String,
    /// Nothing for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

/// The members of the workspace at `root` with what their manifests say.
pub fn members(root: &Path) -> Result<Metadata, String> {
    run(root, &["--no-deps"])
}

/// Every package that the workspace at `root` builds from on this kind of machine.
pub fn everything(root: &Path) -> Result<Metadata, String> {
    let host = host_triple()?;
    run(root, &["--filter-platform", &host])
}

fn run(root: &Path, more: &[&str]) -> Result<Metadata, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(more)
        .current_dir(root)
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

fn host_triple() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|e| format!("cannot run rustc -vV: {e}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| "rustc -vV names no host".to_owned())
}
