//! A private copy of a policy directory. What is loaded is the copy, so that what was tried is
//! what is kept, however the directory changes meanwhile.
//!
//! The directory is resolved once, so that a symbolic link that flips gives one version or the
//! other. Links inside are followed. Left out: hidden files and editors' copies, the state
//! directory, databases (certificates stay in the one that is in use), whatever is no file. A
//! file that may not be read is left out and named, since the policy may not need it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::report::plain;

/// Files in a policy directory.
const MOST_FILES: usize = 20_000;
/// Octets of all of them.
const MOST_OCTETS: u64 = 512 << 20;
/// Directories inside directories; a link that leads upwards ends here.
const DEPTH: usize = 16;

/// What was copied.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    /// Files that we may not read, relative to the directory.
    pub(crate) unreadable: Vec<PathBuf>,
    files: usize,
    octets: u64,
}

/// Copies `from` into `to`, which must exist and be empty.
pub(crate) fn copy(from: &Path, to: &Path, state: &Path) -> io::Result<Copied> {
    let root = fs::canonicalize(from)?;
    let state = fs::canonicalize(state).unwrap_or_else(|_| state.to_owned());
    let mut copied = Copied::default();
    directory(&root, &root, to, &state, DEPTH, &mut copied)?;
    Ok(copied)
}

fn directory(
    root: &Path,
    from: &Path,
    to: &Path,
    state: &Path,
    depth: usize,
    copied: &mut Copied,
) -> io::Result<()> {
    if depth == 0 {
        let error = io::Error::other("directories are too deep here");
        return Err(about(root, from, &error));
    }
    for entry in fs::read_dir(from).map_err(|error| about(root, from, &error))? {
        let entry = entry.map_err(|error| about(root, from, &error))?;
        let path = entry.path();
        if is_left_out(&path) || fs::canonicalize(&path).is_ok_and(|real| real == state) {
            continue;
        }
        let target = to.join(entry.file_name());
        let entered = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                DirBuilder::new().mode(0o700).create(&target)?;
                directory(root, &path, &target, state, depth - 1, copied)
            }
            Ok(found) if found.is_file() => {
                file(&path, &target, copied).map_err(|error| about(root, &path, &error))
            }
            // A link that leads nowhere, a socket, a pipe.
            _ => continue,
        };
        match entered {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                copied.unreadable.push(relative(root, &path));
            }
            // It went while we looked: what put another there changes the directory again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entered => entered?,
        }
    }
    Ok(())
}

fn file(from: &Path, to: &Path, copied: &mut Copied) -> io::Result<()> {
    let mut source = File::open(from)?;
    copied.files += 1;
    let mut target = File::create(to)?;
    // Permissions too: the loader warns about secrets that everybody can read.
    target.set_permissions(source.metadata()?.permissions())?;
    let most = MOST_OCTETS.saturating_sub(copied.octets) + 1;
    copied.octets += io::copy(&mut (&mut source).take(most), &mut target)?;
    if copied.files > MOST_FILES || copied.octets > MOST_OCTETS {
        return Err(io::Error::other(format!(
            "a policy directory has at most {MOST_FILES} files and {} MiB",
            MOST_OCTETS >> 20
        )));
    }
    target.sync_data()
}

/// Names that no policy is made of. The watch passes them by, too.
pub(crate) fn is_left_out(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    let name = name.as_encoded_bytes();
    let database = |name: &[u8]| {
        ["", "-wal", "-shm", "-journal"].iter().any(|end| {
            name.strip_suffix(end.as_bytes())
                .is_some_and(|name| name.ends_with(b".sqlite") || name.ends_with(b".db"))
        })
    };
    name.starts_with(b".")
        || name.starts_with(b"#")
        || name.ends_with(b"~")
        || name.ends_with(b".swp")
        || name.ends_with(b".tmp")
        || name == b"4913" // vi asks with it whether a directory can be written
        || database(name)
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The same error with the name of the file.
fn about(root: &Path, path: &Path, error: &io::Error) -> io::Error {
    let (words, name) = (plain(error), relative(root, path));
    io::Error::new(error.kind(), format!("{words}: {}", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_policy_is_copied_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("v1"), place.path().join("copy"));
        for directory in [&from.join("lists"), &from.join("state/policies"), &to] {
            fs::create_dir_all(directory).unwrap();
        }
        for name in [
            "waxseal.toml",
            "lists/a.txt",
            "lists/.a.txt.swp",
            "lists/a.txt~",
            "certificates.sqlite",
            "certificates.sqlite-wal",
            "state/policies/x",
        ] {
            fs::write(from.join(name), name).unwrap();
        }
        let key = from.join("key.pem");
        fs::write(&key, "key").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("key.pem", from.join("link.pem")).unwrap();
        symlink("nowhere", from.join("dangling")).unwrap();
        symlink("v1", place.path().join("current")).unwrap();
        let copied = copy(&place.path().join("current"), &to, &from.join("state")).unwrap();
        assert!(copied.unreadable.is_empty());
        assert_eq!(names(&to), ["key.pem", "link.pem", "lists", "waxseal.toml"]);
        assert_eq!(names(&to.join("lists")), ["a.txt"]);
        let mode = fs::metadata(to.join("key.pem")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
        let link = fs::symlink_metadata(to.join("link.pem")).unwrap();
        assert!(link.is_file());
    }

    #[test]
    fn a_link_that_leads_upwards_ends() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir_all(&to).unwrap();
        symlink(".", from.join("loop")).unwrap();
        let error = copy(&from, &to, place.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("directories are too deep here: loop/")
        );
    }
}
