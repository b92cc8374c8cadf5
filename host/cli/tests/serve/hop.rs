//! A next hop that takes every mail, and holds its last word back while it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A listening next hop. Its threads end with the test.
pub(crate) struct Hop {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Mails wait for their reply.
    closed: bool,
    waiting: usize,
    taken: Vec<String>,
}

impl Hop {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // A connection that breaks is the test's own doing.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &shared)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Holds the replies to mails back.
    pub(crate) fn close(&self) {
        self.state.0.lock().unwrap().closed = true;
    }

    /// Says them.
    pub(crate) fn open(&self) {
        self.state.0.lock().unwrap().closed = false;
        self.state.1.notify_all();
    }

    /// Waits until a mail waits for its reply.
    pub(crate) fn wait_for_a_mail(&self) {
        let state = self.state.0.lock().unwrap();
        let waited = self
            .state
            .1
            .wait_timeout_while(state, PATIENCE, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out(), "no mail came");
    }

    /// Mails that were taken.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.state.0.lock().unwrap().taken.clone()
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    out.write_all(b"220 hop ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-hop\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                take(&mut lines, shared)?;
                b"250 2.0.0 taken\r\n"
            }
            "QUIT" => return out.write_all(b"221 2.0.0 bye\r\n"),
            _ => b"250 2.0.0 ok\r\n",
        };
        out.write_all(reply)?;
    }
}

/// Reads a mail, and waits until its reply may be said.
fn take(lines: &mut impl BufRead, shared: &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            break;
        }
        mail.push_str(&line);
    }
    let mut state = shared.0.lock().unwrap();
    state.waiting += 1;
    shared.1.notify_all();
    let waited = shared
        .1
        .wait_timeout_while(state, PATIENCE, |state| state.closed);
    let mut state = waited.unwrap().0;
    state.waiting -= 1;
    state.taken.push(mail);
    Ok(())
}
