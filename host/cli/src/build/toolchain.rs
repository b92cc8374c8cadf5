//! Which compiler can build for wasm32-unknown-unknown, and what it must be told.
//!
//! Where the target's standard library is installed (rustup), nothing. Otherwise a compiler
//! with the sources of its own standard library can build that too; Debian's packages
//! `rustc-web` and `rust-web-src` are such a pair. `RUSTC` and cargo's other variables are
//! obeyed: they are how the operator chooses.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::{Exit, Failure};

/// What filters are built for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// Cargo's variable for the linker of that target.
pub(super) const LINKER_VARIABLE: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// Where Debian has its compiler; rustup's comes first in the search path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The oldest compiler that the SDK builds with.
const OLDEST: (u32, u32) = (1, 95);

/// A way to build for the target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The compiler that cargo finds by itself has the target.
    Installed,
    /// This compiler has the sources of its standard library, which is built along.
    FromSource {
        /// The compiler.
        rustc: PathBuf,
        /// Where its library's sources are below.
        sysroot: PathBuf,
        /// The linker, when it is not the compiler's own.
        linker: Option<OsString>,
    },
}

/// Finds a way, or says what is missing.
pub(super) fn find(project: &Path) -> Result<Toolchain, Failure> {
    let chosen = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    find_among(&chosen, Path::new(DEBIAN_RUSTC), project)
}

fn find_among(chosen: &Path, other: &Path, project: &Path) -> Result<Toolchain, Failure> {
    if has_target(chosen, project) {
        return Ok(Toolchain::Installed);
    }
    let linker = linker();
    for rustc in [chosen, other] {
        let Some(sysroot) = sysroot_with_sources(rustc, project) else {
            continue;
        };
        if !new_enough(rustc, project) {
            continue;
        }
        if linker.is_none() && std::env::var_os(LINKER_VARIABLE).is_none() && !has_lld(&sysroot) {
            return Err(
                Failure::new(Exit::Unavailable, "no linker for WebAssembly: wasm-ld")
                    .hint("on Debian: apt-get install lld-22"),
            );
        }
        return Ok(Toolchain::FromSource {
            rustc: rustc.to_owned(),
            sysroot,
            linker,
        });
    }
    Err(missing(chosen, project))
}

fn missing(rustc: &Path, project: &Path) -> Failure {
    if ask(rustc, project, &["--version"]).is_none() {
        return Failure::new(
            Exit::Unavailable,
            format_args!("no Rust compiler found: {}", rustc.display()),
        )
        .hint("install Rust 1.95 or newer (https://rustup.rs)")
        .hint("or on Debian: apt-get install rustc-web rust-web-src lld-22 cargo");
    }
    Failure::new(
        Exit::Unavailable,
        format_args!("the Rust compiler has no standard library for the target: {TARGET}"),
    )
    .hint(format_args!("with rustup: rustup target add {TARGET}"))
    .hint("or on Debian: apt-get install rustc-web rust-web-src lld-22, which is then found by itself")
}

/// One line of what the compiler says of itself.
fn ask(rustc: &Path, project: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc)
        .args(arguments)
        .current_dir(project)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn has_target(rustc: &Path, project: &Path) -> bool {
    let library = ask(
        rustc,
        project,
        &["--print", "target-libdir", "--target", TARGET],
    );
    library.is_some_and(|directory| {
        // The directory alone says nothing: distributions ship it empty.
        std::fs::read_dir(directory).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|it| it.file_name().as_encoded_bytes().starts_with(b"libcore"))
            })
        })
    })
}

fn sysroot_with_sources(rustc: &Path, project: &Path) -> Option<PathBuf> {
    let sysroot = PathBuf::from(ask(rustc, project, &["--print", "sysroot"])?);
    sysroot
        .join("lib/rustlib/src/rust/library/std/Cargo.toml")
        .exists()
        .then_some(sysroot)
}

/// The compiler's own copy of lld, which cargo uses for this target when told of no other.
fn has_lld(sysroot: &Path) -> bool {
    let hosts = std::fs::read_dir(sysroot.join("lib/rustlib"));
    hosts.is_ok_and(|mut hosts| {
        hosts.any(|host| host.is_ok_and(|host| host.path().join("bin/rust-lld").exists()))
    })
}

fn new_enough(rustc: &Path, project: &Path) -> bool {
    ask(rustc, project, &["--version"])
        .as_deref()
        .and_then(version)
        .is_some_and(|it| it >= OLDEST)
}

/// `rustc 1.96.0 (…)` → (1, 96).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The newest `wasm-ld` in the search path.
fn linker() -> Option<OsString> {
    let path = std::env::var_os("PATH")?;
    let files = std::env::split_paths(&path)
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name()));
    files
        .filter_map(|name| Some((linker_age(name.to_str()?)?, name)))
        .max()
        .map(|(_, name)| name)
}

/// The number in `wasm-ld-22`; without one it is the distribution's choice, and old.
fn linker_age(name: &str) -> Option<u32> {
    match name.strip_prefix("wasm-ld")? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(
            version("rustc 1.96.0 (ac68faa20 2026-05-25)"),
            Some((1, 96))
        );
        assert_eq!(version("rustc"), None);
        assert!((1, 63) < OLDEST);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_missing_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let rustc = directory.path().join("rustc");
        let nowhere = directory.path().join("nowhere");
        let check = |expected: &str| {
            let failure = find_among(&rustc, &nowhere, directory.path()).unwrap_err();
            assert!(format!("{failure:?}").contains(expected), "{failure:?}");
        };
        check("no Rust compiler found");
        // A compiler without the target and without sources.
        let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo rustc 1.63.0 || echo /nowhere\n";
        std::fs::write(&rustc, script).unwrap();
        std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
        check("rustup target add wasm32-unknown-unknown");
    }

    #[test]
    fn linkers() {
        let check = |name, expected| assert_eq!(linker_age(name), expected, "{name}");
        check("wasm-ld-22", Some(22));
        check("wasm-ld", Some(0));
        check("wasm-ld.lld", None);
        check("wasm-opt", None);
    }
}
