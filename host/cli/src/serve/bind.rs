//! Binds listeners: TCP, Unix sockets with their permissions, and sockets that systemd hands
//! over by name.
//!
//! A socket file that is in the way is removed only when it is a socket on which nobody
//! listens. One that we made goes when we stop.

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use waxseal_config::serve::ListenAddress;
use waxseal_service::listen::Socket;

use crate::report::{Exit, Failure};

/// A bound socket, and what is to be known about it.
pub(crate) struct Bound {
    /// The socket; nothing is accepted yet.
    pub(crate) socket: Socket,
    /// Where it is, with the port that the system chose.
    pub(crate) address: String,
    /// The file that we made for it.
    pub(crate) file: Option<SocketFile>,
}

/// A Unix socket's file, which goes with it.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it before; there is nobody to tell.
        let _ = fs::remove_file(&self.0);
    }
}

/// The sockets that systemd handed over (sd_listen_fds(3)).
pub(crate) struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// Reads the environment. Must be called before any other thread runs, since it takes the
    /// variables out of it.
    pub(crate) fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self {
            sockets: ListenFd::from_env(),
            names: names.split(':').map(str::to_owned).collect(),
        }
    }

    /// Binds an address, or takes the inherited socket that it names. Needs a tokio runtime.
    pub(crate) fn bind(&mut self, address: &ListenAddress, mode: u32) -> Result<Bound, Failure> {
        let bound = match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).and_then(tcp),
            ListenAddress::Unix(path) => unix(path, mode),
            ListenAddress::Systemd(name) => return self.inherited(name),
        };
        bound.map_err(|error| cannot(address, &error))
    }

    fn inherited(&mut self, name: &str) -> Result<Bound, Failure> {
        let found = self.names.iter().position(|known| known == name);
        let Some(index) = found.filter(|index| *index < self.sockets.len()) else {
            let message = format!("systemd handed over no socket of this name: {name}");
            let hint = "set FileDescriptorName= in the .socket unit, and start that";
            return Err(Failure::new(Exit::Config, message).hint(hint));
        };
        let taken = match self.sockets.take_tcp_listener(index) {
            Ok(Some(listener)) => tcp(listener),
            _ => match self.sockets.take_unix_listener(index) {
                Ok(Some(listener)) => of_unix(listener, format!("systemd:{name}"), None),
                _ => Err(io::Error::other(
                    "no listening stream socket, or taken already",
                )),
            },
        };
        taken.map_err(|error| cannot(&ListenAddress::Systemd(name.to_owned()), &error))
    }
}

fn tcp(listener: TcpListener) -> io::Result<Bound> {
    listener.set_nonblocking(true)?;
    Ok(Bound {
        address: listener.local_addr()?.to_string(),
        socket: Socket::Tcp(tokio::net::TcpListener::from_std(listener)?),
        file: None,
    })
}

/// Binds below an umask that lets nobody in, and opens to `mode` afterwards: at no time can
/// more connect than may.
fn unix(path: &Path, mode: u32) -> io::Result<Bound> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    of_unix(listener, format!("unix:{}", path.display()), Some(file))
}

fn of_unix(listener: UnixListener, address: String, file: Option<SocketFile>) -> io::Result<Bound> {
    listener.set_nonblocking(true)?;
    Ok(Bound {
        socket: Socket::Unix(tokio::net::UnixListener::from_std(listener)?),
        address,
        file,
    })
}

/// Removes what a killed server left behind, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let message = "a file that is no socket is in the way";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server listens on it",
        )),
    }
}

fn cannot(address: &ListenAddress, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Denied,
        io::ErrorKind::AddrInUse => Exit::Unavailable,
        _ => Exit::CannotCreate,
    };
    let shown = shown(address);
    let words = crate::report::plain(error);
    Failure::new(exit, format_args!("cannot listen ({words}): {shown}"))
}

/// As `serve.toml` writes it.
pub(crate) fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
        ListenAddress::Systemd(name) => format!("systemd:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &Path) -> io::Result<Bound> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let _inside = runtime.enter();
        unix(path, 0o640)
    }

    #[test]
    fn a_socket_has_its_permissions_and_goes_with_its_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let bound = bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_in_the_way_stays_unless_it_is_stale() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        fs::write(&path, "mine").unwrap();
        assert_eq!(
            bind(&path).err().map(|error| error.kind()),
            Some(io::ErrorKind::AlreadyExists)
        );
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(
            bind(&path).err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        drop(other); // Its file stays, as after a kill.
        assert!(bind(&path).is_ok());
    }
}
