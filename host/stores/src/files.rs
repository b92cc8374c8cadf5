//! Reading with a limit, and writing what nobody else may read.

use crate::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest certificate or key file that is read.
pub(crate) const MAX_SIZE: u64 = 16 << 20;

/// Whether a file that is there already may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// An existing file is an error.
    Refuse,
    /// An existing file is replaced in one step.
    Replace,
}

/// The whole file, in a buffer that is wiped when dropped: it may hold a key.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len().min(limit);
    // One octet more than expected, so that no reallocation leaves a copy behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    file.take(limit + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    if octets.len() as u64 > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(octets)
}

/// Writes a file that only its owner can read (mode 0600 where the system has modes), from the
/// first moment on. A failed write leaves no file, or the old one.
pub fn write_secret(path: &Path, octets: &[u8], existing: Existing) -> Result<(), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists {
            path: path.to_owned(),
        },
        _ => Error::Write {
            path: path.to_owned(),
            source,
        },
    };
    match existing {
        Existing::Refuse => create(path, octets).map_err(failed),
        Existing::Replace => {
            let draft = beside(path);
            create(&draft, octets)
                .and_then(|()| fs::rename(&draft, path).inspect_err(|_| remove(&draft)))
                .map_err(|source| Error::Write {
                    path: path.to_owned(),
                    source,
                })
        }
    }
}

fn create(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut file = owner_only().open(path)?;
    file.write_all(octets)
        .and_then(|()| file.sync_all())
        .inspect_err(|_| remove(path))
}

/// The failure that led here is the one to report.
fn remove(path: &Path) {
    drop(fs::remove_file(path));
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name in the same directory, so that the rename stays on one file system.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_owners_and_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        write_secret(&path, b"one", Existing::Refuse).unwrap();
        assert!(matches!(
            write_secret(&path, b"two", Existing::Refuse),
            Err(Error::Exists { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_secret(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no draft stays"
        );
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent/key.pem");
        assert!(matches!(
            write_secret(&path, b"x", Existing::Refuse),
            Err(Error::Write { .. })
        ));
        let in_the_way = directory.path().join("in-the-way");
        fs::create_dir(&in_the_way).unwrap();
        assert!(matches!(
            write_secret(&in_the_way, b"x", Existing::Replace),
            Err(Error::Write { .. })
        ));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_limit_holds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big");
        fs::write(&path, [0; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().len(), 100);
        assert!(matches!(
            read(&path, 99),
            Err(Error::TooLarge { limit: 99, .. })
        ));
    }
}
