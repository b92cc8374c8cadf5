//! Runs cargo and finds the module that it made.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::paths;
use super::toolchain::{LINKER_VARIABLE, TARGET, Toolchain};
use crate::report::{Exit, Failure};

/// The name in the project's Cargo.toml.
pub(super) fn package_name(project: &Path) -> Result<String, Failure> {
    let manifest = project.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|error| {
        Failure::reading(&manifest, &error).hint("`waxseal new NAME` makes a filter project")
    })?;
    let value: toml::Table = toml::from_str(&text).map_err(|error| {
        let message = error.message().to_owned();
        Failure::new(
            Exit::Data,
            format_args!("{}: {message}", manifest.display()),
        )
    })?;
    let name = value.get("package").and_then(|package| package.get("name"));
    name.and_then(|name| name.as_str())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new(
                Exit::Data,
                format_args!("no package in it: {}", manifest.display()),
            )
            .hint("give the directory of the filter itself, not of a workspace")
        })
}

/// Compiles the project and gives the path of its module.
pub(super) fn compile(project: &Path, toolchain: &Toolchain) -> Result<PathBuf, Failure> {
    let mut command = command(project, toolchain);
    tracing::debug!(?command, "cargo");
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(Exit::Unavailable, "cargo not found")
            .hint("install Rust 1.95 or newer (https://rustup.rs)"),
        _ => Failure::new(
            Exit::Unavailable,
            format_args!("cargo does not start: {error}"),
        ),
    })?;
    let module = module_of(&mut child, project);
    let status = child
        .wait()
        .map_err(|error| Failure::new(Exit::Io, format_args!("cargo went away: {error}")))?;
    if !status.success() {
        return Err(Failure::new(
            Exit::Data,
            format_args!("cargo did not build the filter: {}", project.display()),
        ));
    }
    module.ok_or_else(|| {
        Failure::new(Exit::Data, "the project makes no WebAssembly module")
            .hint("its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
    })
}

fn command(project: &Path, toolchain: &Toolchain) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .current_dir(project)
        .args(["build", "--release", "--target", TARGET])
        // Diagnostics on standard error as ever; the rest as JSON on standard output.
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let sysroot = match toolchain {
        Toolchain::Installed => None,
        Toolchain::FromSource { sysroot, .. } => Some(sysroot.as_path()),
    };
    command
        .arg("--config")
        .arg(paths::neutral(project, sysroot));
    if let Toolchain::FromSource { rustc, linker, .. } = toolchain {
        command.arg("-Zbuild-std=std,panic_abort");
        command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        if let (Some(linker), None) = (linker, std::env::var_os(LINKER_VARIABLE)) {
            command.env(LINKER_VARIABLE, linker);
        }
    }
    command
}

/// What cargo says of each thing that it built.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Reads to the end, or cargo would block.
fn module_of(child: &mut Child, project: &Path) -> Option<PathBuf> {
    let manifest = project.join("Cargo.toml").canonicalize().ok()?;
    let lines = BufReader::new(child.stdout.take()?).lines();
    let mut module = None;
    for line in lines.map_while(Result::ok) {
        module = wasm(&line, &manifest).or(module);
    }
    module
}

fn wasm(line: &str, manifest: &Path) -> Option<PathBuf> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    let ours = artifact.reason == "compiler-artifact"
        && artifact
            .manifest_path
            .canonicalize()
            .is_ok_and(|path| path == manifest);
    let mut files = artifact.filenames.into_iter();
    ours.then(|| files.find(|file| file.extension().is_some_and(|it| it == "wasm")))?
}
