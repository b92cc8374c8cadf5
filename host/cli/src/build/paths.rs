//! Keeps the paths of the machine out of the component: panic messages name source files, and
//! a component goes to other machines. It also makes equal sources give equal octets wherever
//! the project lies.

use std::path::{Path, PathBuf};

use super::toolchain::TARGET;

/// Settings for cargo that give neutral names to the project, to cargo's sources and to the
/// standard library's. Cargo ignores them where the operator has set RUSTFLAGS.
pub(super) fn neutral(project: &Path, sysroot: Option<&Path>) -> String {
    let mut names: Vec<(PathBuf, &str)> = Vec::new();
    names.extend(project.canonicalize().ok().map(|path| (path, "filter")));
    names.extend(registries().into_iter().map(|path| (path, "crates")));
    names.extend(sysroot.map(|path| (path.join("lib/rustlib/src/rust"), "rust")));
    let flags = names.iter().map(|(path, name)| {
        let flag = format!("--remap-path-prefix={}={name}", path.display());
        toml::Value::String(flag)
    });
    let flags = toml::Value::Array(flags.collect());
    format!("target.{TARGET}.rustflags={flags}")
}

/// Where cargo keeps the sources of crates.
fn registries() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let sources = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let entries = sources.into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_toml() {
        let directory = tempfile::tempdir().unwrap();
        let setting = neutral(directory.path(), Some(Path::new("/usr")));
        let parsed: toml::Table = toml::from_str(&setting).unwrap();
        let flags = &parsed["target"][TARGET]["rustflags"];
        let first = flags[0].as_str().unwrap();
        assert!(first.starts_with("--remap-path-prefix=/") && first.ends_with("=filter"));
        assert!(flags.as_array().unwrap().iter().any(|flag| {
            flag.as_str() == Some("--remap-path-prefix=/usr/lib/rustlib/src/rust=rust")
        }));
    }
}
