//! A careless SMTP server on the loopback, and a client that sends to it.
//!
//! The server takes any line end before and after the dot for the end of the data, as some do:
//! whoever lets bare LF or CR pass delivers two mails where one was sent (SMTP smuggling). The
//! client does what RFC 5321 asks and no more: it stuffs dots at the start of lines that end in
//! CRLF.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// A server that takes one connection.
#[derive(Debug)]
pub struct Careless {
    address: std::net::SocketAddr,
    thread: JoinHandle<Vec<Received>>,
}

/// One mail as the server understood it.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// The command that named the sender.
    pub sender: String,
    /// The data, with dots as they came.
    pub data: Vec<u8>,
}

impl Careless {
    /// Listens on a port that the system chooses.
    pub fn start() -> Careless {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(stream)
        });
        Careless { address, thread }
    }

    /// Sends one mail, and gives what the server took it for.
    pub fn deliver(self, mail: &[u8]) -> Vec<Received> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = "EHLO client\r\nMAIL FROM:<gateway@example.org>\r\nRCPT TO:<bob@partner.example>\r\nDATA\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&stuffed(mail)).unwrap();
        stream.write_all(b"\r\n.\r\nQUIT\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).unwrap();
        self.thread.join().unwrap()
    }
}

/// RFC 5321 §4.5.2, to the letter.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len());
    let mut at_start = true;
    for (position, octet) in mail.iter().enumerate() {
        if at_start && *octet == b'.' {
            out.push(b'.');
        }
        out.push(*octet);
        at_start = *octet == b'\n' && position > 0 && mail[position - 1] == b'\r';
    }
    out
}

fn serve(mut stream: TcpStream) -> Vec<Received> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let mut rest = all.as_slice();
    let mut found = Vec::new();
    let mut sender = String::new();
    while let Some((line, after)) = line(rest) {
        rest = after;
        let command = String::from_utf8_lossy(line).trim().to_owned();
        if command.to_ascii_uppercase().starts_with("MAIL FROM") {
            sender = command;
        } else if command.eq_ignore_ascii_case("DATA") {
            let (data, after) = data(rest);
            found.push(Received {
                sender: std::mem::take(&mut sender),
                data: data.to_vec(),
            });
            rest = after;
        }
    }
    let _ = stream.write_all(b"221 bye\r\n");
    found
}

fn line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.iter().position(|octet| *octet == b'\n')?;
    Some((&octets[..end], &octets[end + 1..]))
}

/// Up to the first line that is a dot, whatever ends lines here.
fn data(octets: &[u8]) -> (&[u8], &[u8]) {
    let ends_line = |octet: u8| octet == b'\n' || octet == b'\r';
    for (position, window) in octets.windows(3).enumerate() {
        if ends_line(window[0]) && window[1] == b'.' && ends_line(window[2]) {
            let mut after = position + 3;
            if window[2] == b'\r' && octets.get(after) == Some(&b'\n') {
                after += 1;
            }
            return (&octets[..position], &octets[after..]);
        }
    }
    (octets, &[])
}
