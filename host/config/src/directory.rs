//! The files of a policy directory. What is read goes into the generation's digest, under
//! the name that the policy knows it by; secrets do not.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::document::Value;
use crate::problem::{Collector, Problem};

/// The largest file that is read whole, in octets.
const MAX_SIZE: u64 = 64 << 20;

/// Hexadecimal digits of a generation's id.
const ID_DIGITS: usize = 12;

/// A policy directory, where its problems go, and the digest of what was read.
pub(crate) struct Directory<'p> {
    root: PathBuf,
    /// Where files are that the service writes; the root, unless that is a copy.
    data: PathBuf,
    digest: RefCell<Sha256>,
    pub(crate) problems: &'p Collector,
    pub(crate) warnings: &'p Collector,
}

impl<'p> Directory<'p> {
    pub(crate) fn new(root: &Path, problems: &'p Collector, warnings: &'p Collector) -> Self {
        Self {
            root: root.to_owned(),
            data: root.to_owned(),
            digest: RefCell::default(),
            problems,
            warnings,
        }
    }

    /// The same as a copy of another directory, which keeps what the service writes.
    pub(crate) fn copy_of(mut self, original: &Path) -> Self {
        self.data = original.to_owned();
        self
    }

    /// Where the name of a file leads that the service writes.
    pub(crate) fn data(&self, name: &Path) -> PathBuf {
        self.data.join(name)
    }

    /// Where a name of the policy leads.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.root.join(name)
    }

    /// The name of a path, relative to the directory where it lies in it.
    pub(crate) fn name<'n>(&self, path: &'n Path) -> &'n Path {
        let inside = path.strip_prefix(&self.root);
        inside
            .or_else(|_| path.strip_prefix(&self.data))
            .unwrap_or(path)
    }

    /// The file that a key names: relative to the directory and inside it, or absolute. A
    /// relative name that leaves the directory is a problem, since it would change its
    /// meaning when the directory is copied.
    pub(crate) fn named_by(&self, value: &Value<'_>) -> Option<PathBuf> {
        let name = PathBuf::from(value.text()?);
        if name.as_os_str().is_empty() {
            value.problem("the name of a file is empty", None);
            return None;
        }
        if name.is_relative() && name.components().any(|part| part == Component::ParentDir) {
            let hint = "name a file inside of the policy directory, or write the whole path";
            value.problem(
                format!("leaves the policy directory: {}", name.display()),
                Some(hint.to_owned()),
            );
            return None;
        }
        Some(name)
    }

    /// Reads a file that a key names.
    pub(crate) fn read_named(&self, value: &Value<'_>, name: &Path) -> Option<Vec<u8>> {
        match self.octets(name) {
            Ok(octets) => {
                self.digest(name, &octets);
                Some(octets)
            }
            Err(error) => {
                let message = format!("cannot read ({}): {}", plain(&error), name.display());
                value.problem(message, self.hint_to_build(name));
                None
            }
        }
    }

    /// In a filter project, a component that is not there was not built yet.
    fn hint_to_build(&self, name: &Path) -> Option<String> {
        let component = name
            .extension()
            .is_some_and(|extension| extension == "wasm");
        let project = self.path(Path::new("Cargo.toml")).is_file();
        (component && project).then(|| "`waxseal build` makes it".to_owned())
    }

    /// Reads a text file that stands in the directory.
    pub(crate) fn read_text(&self, name: &Path) -> Option<String> {
        let problem = |message: String| self.problems.add(Problem::with_file(name, message));
        match self.octets(name) {
            Ok(octets) => {
                self.digest(name, &octets);
                String::from_utf8(octets)
                    .map_err(|_| problem("not UTF-8".to_owned()))
                    .ok()
            }
            Err(error) => {
                problem(format!("cannot read: {}", plain(&error)));
                None
            }
        }
    }

    fn octets(&self, name: &Path) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        File::open(self.path(name))?
            .take(MAX_SIZE + 1)
            .read_to_end(&mut octets)?;
        if octets.len() as u64 > MAX_SIZE {
            return Err(io::Error::other(format!("larger than {MAX_SIZE} octets")));
        }
        Ok(octets)
    }

    /// Names of the files in a subdirectory, sorted; hidden files and editors' copies are
    /// passed by, and an absent subdirectory is empty.
    pub(crate) fn files(&self, subdirectory: &str) -> Vec<PathBuf> {
        let entries = match fs::read_dir(self.path(Path::new(subdirectory))) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let message = format!("cannot read: {}", plain(&error));
                self.problems.add(Problem::with_file(subdirectory, message));
                return Vec::new();
            }
        };
        let names = entries
            .flatten()
            .filter(|entry| !passed_by(&entry.file_name()));
        let mut files: Vec<PathBuf> = names
            .filter(|entry| entry.path().is_file())
            .map(|entry| Path::new(subdirectory).join(entry.file_name()))
            .collect();
        files.sort();
        files
    }

    /// Takes something that was read into the generation's digest.
    pub(crate) fn digest(&self, name: &Path, octets: &[u8]) {
        let mut digest = self.digest.borrow_mut();
        let name = name.as_os_str().as_encoded_bytes();
        for piece in [name, octets] {
            digest.update((piece.len() as u64).to_be_bytes());
            digest.update(piece);
        }
    }

    /// The id of the generation: the beginning of the digest.
    pub(crate) fn id(&self) -> String {
        let digest = self.digest.borrow().clone().finalize();
        let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        digits.get(..ID_DIGITS).unwrap_or(&digits).to_owned()
    }

    /// Warns when others can read a secret.
    pub(crate) fn warn_if_open(&self, name: &Path) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let Ok(metadata) = fs::metadata(self.path(name)) else {
                return;
            };
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o007 != 0 {
                let message =
                    format!("everybody on this machine can read this secret: mode {mode:o}");
                let hint = format!("chmod 600 {}", self.data(name).display());
                self.warnings
                    .add(Problem::with_file(name, message).hint(hint));
            }
        }
        #[cfg(not(unix))]
        let _ = name;
    }
}

fn passed_by(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") || name.ends_with(b"~") || name.starts_with(b"#")
}

/// The system's words without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}
