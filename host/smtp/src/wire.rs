//! Octets in and out of one connection.
//!
//! Replies wait until the input has no more complete lines and are then sent together (RFC 2920
//! §3.2): whatever waits for input sends them first, so that nobody ever waits for both.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use waxseal_service::listen::Stream;

/// Octets read at a time of a message.
const BLOCK: usize = 64 << 10;
/// Octets read at a time of commands: what an idle connection costs.
const COMMANDS: usize = 4 << 10;
/// Blocks read from a client that is not listened to any more, and how long.
const LINGER: usize = 16;
const PARTING: Duration = Duration::from_secs(5);

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gone {
    #[error("the client closed the connection")]
    Closed,
    #[error("nothing came in time")]
    Timeout,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// One command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its CRLF.
    Whole(BytesMut),
    /// It has more octets than may be.
    TooLong,
    /// It ends in LF alone: where the client sees the next command is not known.
    Bare,
}

/// What TLS agreed on.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    pub(crate) version: Option<String>,
    pub(crate) cipher: Option<String>,
}

pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: Vec<u8>,
    /// For a reply to be taken.
    patience: Duration,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>, patience: Duration) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: Vec::new(),
            patience,
        }
    }

    /// Where replies are written; they leave with [`Self::flush`], or before more is read.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What came and was not taken.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Gone> {
        if self.output.is_empty() {
            return Ok(());
        }
        let send = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        timeout(self.patience, send)
            .await
            .map_err(|_| Gone::Timeout)??;
        self.output.clear();
        Ok(())
    }

    /// Sends what is to be sent, then waits for more of a message.
    pub(crate) async fn fill(&mut self, until: Instant) -> Result<(), Gone> {
        self.flush().await?;
        self.read(BLOCK, until).await
    }

    /// Waits for more of a command. Loses nothing when dropped half-way.
    pub(crate) async fn read_command(&mut self, until: Instant) -> Result<(), Gone> {
        if self.input.is_empty() && self.input.capacity() > COMMANDS {
            self.input = BytesMut::new();
        }
        self.read(COMMANDS, until).await
    }

    async fn read(&mut self, most: usize, until: Instant) -> Result<(), Gone> {
        self.input.reserve(most);
        let read = timeout_at(until, self.stream.read_buf(&mut self.input)).await;
        match read.map_err(|_| Gone::Timeout)?? {
            0 => Err(Gone::Closed),
            _ => Ok(()),
        }
    }

    /// Takes a line of at most `most` octets out of the input, if it is there.
    pub(crate) fn line(&mut self, most: usize) -> Option<Line> {
        let Some(end) = memchr::memchr(b'\n', &self.input) else {
            return (self.input.len() >= most).then_some(Line::TooLong);
        };
        let mut line = self.input.split_to(end + 1);
        if line.len() > most {
            return Some(Line::TooLong);
        }
        if !line.ends_with(b"\r\n") {
            return Some(Line::Bare);
        }
        line.truncate(line.len() - 2);
        Some(Line::Whole(line))
    }

    /// Returns when the client is gone. What it sends meanwhile is kept, within bounds. One that
    /// has said QUIT may close its half and still wait for our replies.
    pub(crate) async fn client_gone(&mut self) {
        while self.input.len() < COMMANDS {
            self.input.reserve(COMMANDS);
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) if ends_with_quit(&self.input) => break,
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }

    /// Goes on inside TLS. RFC 3207 §6: what came in clear behind STARTTLS may be anybody's, and
    /// is thrown away.
    pub(crate) async fn start_tls(
        &mut self,
        config: Arc<ServerConfig>,
        until: Instant,
    ) -> Result<TlsFacts, Gone> {
        self.input.clear();
        let clear = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let acceptor = TlsAcceptor::from(config);
        let stream = timeout_at(until, acceptor.accept(clear))
            .await
            .map_err(|_| Gone::Timeout)??;
        let (_, connection) = stream.get_ref();
        let suite = connection.negotiated_cipher_suite();
        let facts = TlsFacts {
            version: connection
                .protocol_version()
                .and_then(|version| version.as_str())
                .map(|name| name.replace('_', ".")),
            cipher: suite
                .and_then(|suite| suite.suite().as_str())
                .map(str::to_owned),
        };
        self.stream = Box::new(stream);
        Ok(facts)
    }

    /// Sends what is left and says that nothing follows. What the client still sends is read for
    /// a moment, for a connection closed over unread octets is reset, and our last reply with it.
    pub(crate) async fn close(mut self) {
        let part = async {
            let _ = self.flush().await;
            let _ = self.stream.shutdown().await;
            for _ in 0..LINGER {
                self.input.clear();
                self.input.reserve(BLOCK);
                if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _ = timeout(PARTING, part).await;
    }
}

fn ends_with_quit(input: &[u8]) -> bool {
    let last = input.len().saturating_sub(6);
    input[last..].eq_ignore_ascii_case(b"QUIT\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines in `pieces`, each with a limit of ten octets.
    fn check(pieces: &[&str], expected: &[Line]) {
        let (stream, _other) = tokio::io::duplex(1);
        let mut wire = Wire::new(Box::new(stream), Duration::from_secs(1));
        let mut found = Vec::new();
        for piece in pieces {
            wire.input().extend_from_slice(piece.as_bytes());
            while let Some(line) = wire.line(10) {
                let over = line == Line::TooLong;
                found.push(line);
                if over {
                    break;
                }
            }
        }
        assert_eq!(found, expected, "{pieces:?}");
    }

    fn whole(line: &str) -> Line {
        Line::Whole(BytesMut::from(line))
    }

    #[test]
    fn lines() {
        check(&["a\r\nb\r", "\n", "c"], &[whole("a"), whole("b")]);
        check(&["12345678\r\n"], &[whole("12345678")]);
        check(&["123456789\r\n"], &[Line::TooLong]);
        check(&["123456", "7890"], &[Line::TooLong]);
        check(&["a\nb\r\n"], &[Line::Bare, whole("b")]);
        check(&["a\rb\r\n"], &[whole("a\rb")]);
    }
}
