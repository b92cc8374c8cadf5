//! Puts what `waxseal new` writes into the binary: the SDK, the contract, the template.
//!
//! Makes `projects.rs` in the output directory with one list for each, of path and octets, in
//! the order of the paths. A directory that is not there fails the build.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let house = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?)
        .join("../..")
        .canonicalize()?;
    let mut code = String::new();
    for (name, directories) in [
        (
            "SDK",
            ["guest/Cargo.toml", "guest/README.md", "guest/src"].as_slice(),
        ),
        ("WIT", &["wit"]),
        ("TEMPLATE", &["guest/template"]),
    ] {
        let base = if name == "SDK" {
            house.join("guest")
        } else {
            house.join(directories[0])
        };
        let mut files = Vec::new();
        for directory in directories {
            println!(
                "cargo::rerun-if-changed={}",
                house.join(directory).display()
            );
            collect(&house.join(directory), &mut files)?;
        }
        files.sort();
        list(&mut code, name, &base, &files);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("projects.rs"), code)
}

/// Every file below a path; the path itself if it is one.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if !entry.ends_with("target") {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

fn list(code: &mut String, name: &str, base: &Path, files: &[PathBuf]) {
    // Writing to a string does not fail.
    let _ = writeln!(code, "pub(crate) const {name}: &[(&str, &[u8])] = &[");
    for file in files {
        let relative = file
            .strip_prefix(base)
            .unwrap_or(file)
            .display()
            .to_string();
        let _ = writeln!(code, "    ({relative:?}, include_bytes!({file:?})),");
    }
    let _ = writeln!(code, "];");
}
