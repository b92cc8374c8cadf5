//! Milters as contestants, and as much of an MTA as they need to sign one message after the other on
//! one connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::mail::{FROM, TO};

/// Longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Version 6, all actions, all steps; values of header fields without the space before them.
const OFFER: [u32; 3] = [6, 0x1ff, 0x000f_ffff];

/// A milter that runs until it is dropped, and a connection to it.
pub struct Milter {
    process: Child,
    stream: UnixStream,
    /// SMFIP_*, as both sides agreed.
    steps: u32,
}

/// A message as an MTA has it: header fields, whose lines end in LF, and body.
struct Queued {
    header: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Milter {
    /// Starts it and waits until it listens at `socket`. What it says goes to `log`.
    pub fn start(mut command: Command, socket: &Path, log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let process = command.spawn().unwrap();
        let began = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(_) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{command:?}: {error}; see {}", log.display()),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut milter = Self {
            process,
            stream,
            steps: 0,
        };
        milter.negotiate();
        milter
    }

    fn negotiate(&mut self) {
        let offer: Vec<u8> = OFFER.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.send('O', &offer);
        let (command, data) = self.receive();
        assert_eq!((command, data.len()), ('O', 12));
        self.steps = u32::from_be_bytes(data[8..].try_into().unwrap());
        self.macros('C', &["j", "mx.example.org"]);
        self.event('C', b"client.example\x004\x10\x00192.0.2.1\0");
        self.event('H', b"client.example\0");
    }

    /// One message through it, with the changes that it asks for.
    pub fn filter(&mut self, mail: &Bytes) -> Vec<u8> {
        let mut queued = Queued::of(mail);
        self.macros(
            'M',
            &["i", "4X1", "{auth_authen}", FROM, "{mail_addr}", FROM],
        );
        self.event('M', &strings(&[&format!("<{FROM}>")]));
        self.event('R', &strings(&[&format!("<{TO}>")]));
        self.event('T', b"");
        for (name, value) in &queued.header {
            self.event('L', &strings(&[name, value]));
        }
        self.event('N', b"");
        for chunk in queued.body.chunks(65_535) {
            self.event('B', chunk);
        }
        self.macros('E', &["i", "4X1"]);
        self.send('E', b"");
        let mut body: Option<Vec<u8>> = None;
        loop {
            let (command, data) = self.receive();
            match command {
                'p' => {}
                'b' => body.get_or_insert_default().extend_from_slice(&data),
                'h' | 'i' | 'm' => queued.change(command, &data),
                'a' | 'c' => break,
                other => panic!("the milter does not take the mail: {other}"),
            }
        }
        queued.body = body.unwrap_or(queued.body);
        queued.octets()
    }

    /// Sends an event, unless it is not wanted; waits for the reply, unless there is none.
    fn event(&mut self, command: char, data: &[u8]) {
        let (skipped, silent) = match command {
            'C' => (0x01, 0x1000),
            'H' => (0x02, 0x2000),
            'M' => (0x04, 0x4000),
            'R' => (0x08, 0x8000),
            'B' => (0x10, 0x8_0000),
            'L' => (0x20, 0x80),
            'N' => (0x40, 0x4_0000),
            'T' => (0x200, 0x1_0000),
            other => unreachable!("no event: {other}"),
        };
        if self.steps & skipped != 0 {
            return;
        }
        self.send(command, data);
        if self.steps & silent == 0 {
            assert_eq!(self.receive(), ('c', Vec::new()), "{command}");
        }
    }

    fn macros(&mut self, command: char, names_and_values: &[&str]) {
        let data = [vec![command as u8], strings(names_and_values)].concat();
        self.send('D', &data);
    }

    fn send(&mut self, command: char, data: &[u8]) {
        let length = u32::try_from(data.len() + 1).unwrap().to_be_bytes();
        let packet = [&length[..], &[command as u8], data].concat();
        self.stream.write_all(&packet).unwrap();
    }

    fn receive(&mut self) -> (char, Vec<u8>) {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut packet).unwrap();
        (char::from(packet.remove(0)), packet)
    }
}

impl Drop for Milter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Queued {
    fn of(mail: &Bytes) -> Self {
        let end = mail
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(mail[..end].to_vec()).unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        Self {
            header: head.split("\r\n").map(field).collect(),
            body: mail[end + 4..].to_vec(),
        }
    }

    /// SMFIR_ADDHEADER, SMFIR_INSHEADER, SMFIR_CHGHEADER.
    fn change(&mut self, command: char, data: &[u8]) {
        let at = |data: &[u8]| u32::from_be_bytes(data[..4].try_into().unwrap()) as usize;
        let (index, data) = match command {
            'h' => (usize::MAX, data),
            _ => (at(data), &data[4..]),
        };
        let text = String::from_utf8(data.to_vec()).unwrap();
        let mut parts = text.split('\0').map(str::to_owned);
        let (name, value) = (parts.next().unwrap(), parts.next().unwrap());
        if command != 'm' {
            let index = index.min(self.header.len());
            self.header.insert(index, (name, value));
            return;
        }
        let fields = self.header.iter();
        let fields = fields
            .enumerate()
            .filter(|(_, field)| field.0.eq_ignore_ascii_case(&name));
        let place = fields.map(|(place, _)| place).nth(index.max(1) - 1);
        match place {
            Some(place) if value.is_empty() => drop(self.header.remove(place)),
            Some(place) => self.header[place].1 = value,
            None if value.is_empty() => {}
            None => self.header.push((name, value)),
        }
    }

    fn octets(&self) -> Vec<u8> {
        let field = |(name, value): &(String, String)| {
            let value = value.trim_start_matches(' ').replace("\r\n", "\n");
            format!("{name}: {}\r\n", value.replace('\n', "\r\n"))
        };
        let head: String = self.header.iter().map(field).collect();
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

fn strings(strings: &[&str]) -> Vec<u8> {
    strings
        .iter()
        .flat_map(|each| [each.as_bytes(), b"\0"].concat())
        .collect()
}
