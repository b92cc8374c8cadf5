//! The other end of the control socket, for `status`, `reload` and `rollback`.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::de::DeserializeOwned;
use waxseal_config::serve::{self, SERVE_FILE};

use crate::commands::check;
use crate::report::{Exit, Failure, plain};
use crate::serve::control::{Answer, Ask};

/// Where a packaged service has its socket.
const DEFAULT: &str = "/run/waxseal/control.sock";

/// How to find a running service.
#[derive(Args)]
pub(crate) struct Server {
    /// Its control socket (`WAXSEAL_CONTROL`; /run/waxseal/control.sock)
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["policy", "config"])]
    pub(crate) socket: Option<PathBuf>,

    /// Its policy directory, whose serve.toml names the socket
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: Option<PathBuf>,

    /// Its serve.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Server {
    /// The control socket.
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        if self.policy.is_none() && self.config.is_none() {
            let set = std::env::var_os("WAXSEAL_CONTROL").filter(|path| !path.is_empty());
            return Ok(set.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from));
        }
        let config = self.config.clone();
        let policy = self.policy.clone().unwrap_or_else(|| PathBuf::from("."));
        let config = config.unwrap_or_else(|| policy.join(SERVE_FILE));
        let serve = serve::read(&config, &policy)
            .map_err(|errors| check::faults("the settings", &config, &errors))?;
        Ok(serve.control.socket)
    }

    /// Asks, and waits as long as the answer may take.
    pub(crate) fn ask<T: DeserializeOwned>(&self, ask: &Ask, wait: Duration) -> Result<T, Failure> {
        let path = self.path()?;
        let stream = UnixStream::connect(&path).map_err(|error| nobody(&path, &error))?;
        match converse(stream, ask, wait) {
            Ok(Answer::Ok(value)) => serde_json::from_value(value).map_err(|error| {
                Failure::new(
                    Exit::Software,
                    format_args!("not an answer ({error}): {}", path.display()),
                )
                .hint("is the service of the same version as this command?")
            }),
            Ok(Answer::Error(message)) => Err(Failure::new(Exit::Unavailable, message)),
            Err(error) => Err(Failure::new(
                Exit::TempFail,
                format_args!(
                    "the service does not answer ({}): {}",
                    plain(&error),
                    path.display()
                ),
            )),
        }
    }
}

fn converse(mut stream: UnixStream, ask: &Ask, wait: Duration) -> io::Result<Answer> {
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&answer)?)
}

/// Nobody is there, or we may not talk to them.
fn nobody(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::new(Exit::Unavailable, format_args!("no service is running here: {shown}"))
                .hint("start it with `waxseal serve --policy DIR`, or name its socket: --socket, or --policy DIR")
        }
        io::ErrorKind::PermissionDenied => {
            Failure::new(Exit::Denied, format_args!("not allowed to control the service: {shown}"))
                .hint("[control] mode in serve.toml says who may; try as the service's user, or root")
        }
        _ => Failure::new(
            Exit::Io,
            format_args!("cannot connect ({}): {shown}", plain(error)),
        ),
    }
}
