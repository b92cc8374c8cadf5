//! `waxseal new`: a filter project with everything it needs: the SDK and the contract as
//! sources, a filter to begin with, a fixture and its test.
//!
//! The project needs nothing of this program's repository. On failure the directory that was
//! begun is removed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::output::{self, Access};
use crate::report::{Exit, Failure};

include!(concat!(env!("OUT_DIR"), "/projects.rs"));

/// What the template has where the name of the filter belongs.
const NAME: &str = "{{name}}";

/// What `new` takes.
#[derive(Args)]
pub(crate) struct NewArgs {
    /// The directory to make; its last part names the filter
    #[arg(value_name = "NAME")]
    pub(crate) dir: PathBuf,

    /// The language of the filter
    #[arg(long, value_name = "NAME", default_value = "rust", value_parser = ["rust"])]
    pub(crate) lang: String,
}

/// Makes the project.
pub(crate) fn run(args: NewArgs) -> Result<ExitCode, Failure> {
    let name = filter_name(&args.dir)?;
    let made_here = !args.dir.exists();
    if !made_here && !is_empty(&args.dir) {
        let message = format!("directory is not empty: {}", args.dir.display());
        return Err(Failure::new(Exit::CannotCreate, message).hint("choose another name"));
    }
    if let Err(failure) = write(&args.dir, &name) {
        if made_here {
            // The failure that led here is the one to report.
            drop(fs::remove_dir_all(&args.dir));
        }
        return Err(failure);
    }
    let dir = args.dir.display();
    output::print(format!(
        "made {dir}\n\nnext:\n  cd {dir}\n  waxseal build    # src/lib.rs → {name}.wasm\n  \
         waxseal test     # the fixtures in tests/\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Cargo's rule for names, which is also a good one for file names.
fn filter_name(dir: &Path) -> Result<String, Failure> {
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    {
        return Ok(name);
    }
    Err(
        Failure::new(Exit::Usage, format_args!("not a name for a filter: {name}"))
            .hint("letters, digits, - and _, beginning with a letter"),
    )
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

fn write(dir: &Path, name: &str) -> Result<(), Failure> {
    for (below, files) in [("", TEMPLATE), ("sdk", SDK), ("wit", WIT)] {
        for (path, octets) in files {
            let target = dir.join(below).join(path.replace(NAME, name));
            if let Some(parent) = target.parent() {
                output::create_directory(parent)?;
            }
            // The identity is for tests alone, but a key is a key.
            let access = match path.starts_with("identities/") {
                true => Access::Private,
                false => Access::Shared,
            };
            output::create(&target, &named(octets, name), access)?;
        }
    }
    Ok(())
}

/// A file of the template with the filter's name in it.
fn named(octets: &[u8], name: &str) -> Vec<u8> {
    match std::str::from_utf8(octets) {
        Ok(text) => text.replace(NAME, name).into_bytes(),
        Err(_) => octets.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_filters() {
        assert_eq!(filter_name(Path::new("work/sign-all")).unwrap(), "sign-all");
        for bad in ["", "..", "1st", "a b", "ä"] {
            assert!(filter_name(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn sdk_and_contract_are_in_the_binary() {
        let has = |files: &[(&str, &[u8])], path| files.iter().any(|(file, _)| *file == path);
        assert!(has(SDK, "Cargo.toml") && has(SDK, "src/lib.rs") && has(WIT, "filter.wit"));
        assert!(has(TEMPLATE, "Cargo.toml") && has(TEMPLATE, "src/lib.rs"));
    }
}
