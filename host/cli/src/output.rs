//! Results to standard output or into files. A file appears whole or not at all: it is written
//! under another name in the same directory, and renamed. A standard output that has gone away
//! ends the command without a word, and not with success.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use waxseal_message::Message;

use crate::report::{Exit, Failure};

/// Who may read a file that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As the umask says.
    Shared,
    /// The owner alone: keys. An existing file is never replaced.
    Private,
}

/// Writes to the file, or to standard output when there is none or it is `-`.
pub(crate) fn write(file: Option<&Path>, octets: &[u8]) -> Result<(), Failure> {
    write_pieces(file, &[octets])
}

/// The same for a message, without putting it together first.
pub(crate) fn write_message(file: Option<&Path>, message: &Message) -> Result<(), Failure> {
    write_pieces(file, &[message.head(), message.body()])
}

fn write_pieces(file: Option<&Path>, pieces: &[&[u8]]) -> Result<(), Failure> {
    match file.filter(|path| *path != Path::new("-")) {
        Some(path) => create_of(path, pieces, Access::Shared),
        None => print_pieces(pieces),
    }
}

/// Writes to standard output.
pub(crate) fn print(octets: impl AsRef<[u8]>) -> Result<(), Failure> {
    print_pieces(&[octets.as_ref()])
}

fn print_pieces(pieces: &[&[u8]]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let mut pieces = pieces.iter();
    let written = pieces
        .try_for_each(|octets| stdout.write_all(octets))
        .and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::Io),
        _ => Failure::creating(Path::new("standard output"), &error),
    })
}

/// Prints a value as JSON for programs, with a newline at its end.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Software, error))?;
    text.push('\n');
    print(text)
}

/// Makes a file, whole or not at all.
pub(crate) fn create(path: &Path, octets: &[u8], access: Access) -> Result<(), Failure> {
    create_of(path, &[octets], access)
}

fn create_of(path: &Path, pieces: &[&[u8]], access: Access) -> Result<(), Failure> {
    place(path, pieces, access).map_err(|error| match (error.kind(), access) {
        (io::ErrorKind::AlreadyExists, Access::Private) => Failure::new(
            Exit::CannotCreate,
            format_args!("key file exists: {}", path.display()),
        )
        .hint("choose another name, or move it away; keys are never overwritten"),
        _ => Failure::creating(path, &error),
    })
}

/// Makes a directory and those above it.
pub(crate) fn create_directory(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::creating(path, &error))
}

fn place(path: &Path, pieces: &[&[u8]], access: Access) -> io::Result<()> {
    let write = |file: &mut dyn Write| pieces.iter().try_for_each(|octets| file.write_all(octets));
    if access == Access::Shared && fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A device or a FIFO cannot be renamed over.
        return write(&mut OpenOptions::new().write(true).open(path)?);
    }
    let target = target(path);
    let directory = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".waxseal-");
    #[cfg(unix)]
    if access == Access::Shared {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(directory)?;
    write(&mut file)?;
    match access {
        Access::Shared => file.persist(&target)?,
        Access::Private => {
            // Soon there may be mail that nothing else opens.
            file.as_file().sync_all()?;
            file.persist_noclobber(&target)?
        }
    };
    Ok(())
}

/// Where a link leads, so that the link stays.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn keys_are_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        create(&path, b"one", Access::Private).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(create(&path, b"two", Access::Private).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(
            create(
                &directory.path().join("no/such/place"),
                b"x",
                Access::Shared
            )
            .is_err()
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
