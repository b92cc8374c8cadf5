//! The other side: as much of an MTA as the protocol shows of it. Written apart from the codec
//! under test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Postfix 3 and Sendmail 8.14: version 6, all actions, all steps.
pub(crate) const MODERN: (u32, u32, u32) = (6, 0x1ff, 0x001f_ffff);

/// Sendmail 8.13: every event gets a reply, one space is eaten.
pub(crate) const OLD: (u32, u32, u32) = (2, 0x3f, 0x7f);

const LEADING_SPACE: u32 = 0x10_0000;

/// One connection to a milter.
pub(crate) struct Mta {
    stream: TcpStream,
    pub(crate) agreed: (u32, u32, u32),
}

/// A message as an MTA queues it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    /// Names and values; values begin after the colon, LF between their lines.
    pub(crate) header: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A response: its command and data.
pub(crate) type Said = (char, Vec<u8>);

impl Mta {
    /// Connects and negotiates.
    pub(crate) fn connect(address: SocketAddr, offer: (u32, u32, u32)) -> Self {
        let mut mta = Self::open(address);
        let (version, actions, steps) = offer;
        let mut data = Vec::new();
        for word in [version, actions, steps] {
            data.extend_from_slice(&word.to_be_bytes());
        }
        mta.send('O', &data);
        let (command, data) = mta.receive().unwrap();
        assert_eq!((command, data.len()), ('O', 12));
        let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
        mta.agreed = (word(0), word(4), word(8));
        // Nothing is claimed that was not offered.
        assert!(mta.agreed.0 <= version);
        assert_eq!((mta.agreed.1 & !actions, mta.agreed.2 & !steps), (0, 0));
        mta
    }

    /// Connects and says nothing.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(300)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            agreed: (0, 0, 0),
        }
    }

    pub(crate) fn send(&mut self, command: char, data: &[u8]) {
        let mut packet = u32::try_from(data.len() + 1)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        packet.push(command as u8);
        packet.extend_from_slice(data);
        self.stream.write_all(&packet).unwrap();
    }

    /// Writes octets that may be anything; the other side may have gone.
    pub(crate) fn throw(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets);
    }

    /// The next response; `None` at the end of the connection.
    pub(crate) fn receive(&mut self) -> Option<Said> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no response"),
            Err(_) => return None,
        }
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut packet).unwrap();
        Some((packet.remove(0) as char, packet))
    }

    /// The connection is closed from the other side, without a word.
    pub(crate) fn ended(&mut self) -> bool {
        self.receive().is_none()
    }

    /// An event, and its reply where one is due.
    pub(crate) fn event(&mut self, command: char, data: &[u8]) {
        let (skipped, silent) = match command {
            'C' => (0x01, 0x1000),
            'H' => (0x02, 0x2000),
            'M' => (0x04, 0x4000),
            'R' => (0x08, 0x8000),
            'L' => (0x20, 0x80),
            'N' => (0x40, 0x4_0000),
            'B' => (0x10, 0x8_0000),
            'T' => (0x200, 0x1_0000),
            'U' => (0x100, 0x2_0000),
            other => panic!("{other}"),
        };
        // DATA and unknown commands came with version 3 and later.
        if self.agreed.2 & skipped != 0 || (self.agreed.0 < 3 && "TU".contains(command)) {
            return;
        }
        self.send(command, data);
        if self.agreed.2 & silent == 0 {
            assert_eq!(self.receive(), Some(('c', Vec::new())), "{command}");
        }
    }

    /// All events of a session and of a message, up to but not with the stage named.
    pub(crate) fn until(&mut self, stage: &str, message: &Queued) {
        for (name, step) in STAGES {
            if *name == stage {
                return;
            }
            step(self, message);
        }
        assert_eq!(stage, "end");
    }

    /// The events of a message after a session has begun.
    pub(crate) fn message(&mut self, message: &Queued) -> Vec<Said> {
        for (name, step) in STAGES {
            if !matches!(*name, "connect" | "helo" | "eom") {
                step(self, message);
            }
        }
        self.end_of_message()
    }

    /// SMFIC_BODYEOB, and everything up to the deciding word, which is last.
    pub(crate) fn end_of_message(&mut self) -> Vec<Said> {
        self.send('E', b"");
        let mut said = Vec::new();
        loop {
            let (command, data) = self.receive().expect("a deciding word");
            if command == 'p' {
                continue;
            }
            said.push((command, data));
            if "acdrty".contains(command) {
                return said;
            }
        }
    }

    fn header(&mut self, name: &str, value: &str) {
        let value = match self.agreed.2 & LEADING_SPACE {
            0 => value.strip_prefix(' ').unwrap_or(value),
            _ => value,
        };
        self.event('L', &strings(&[name, value]));
    }

    /// The message with the changes that were asked for, as an MTA carries them out.
    pub(crate) fn changed(&self, message: &Queued, said: &[Said]) -> Queued {
        let mut queued = message.clone();
        let own = ("Received".to_owned(), " by the MTA".to_owned());
        // MTAs do not show their own Received, and count it when fields are inserted.
        queued.header.insert(0, own.clone());
        let mut body: Option<Vec<u8>> = None;
        for (command, data) in said {
            match command {
                'i' => {
                    let at = usize::try_from(index(data)).unwrap();
                    let at = at.min(queued.header.len());
                    queued.header.insert(at, self.field(&data[4..]));
                }
                'm' => {
                    let (name, value) = self.field(&data[4..]);
                    let is = |field: &&mut (String, String)| {
                        **field != own && field.0.eq_ignore_ascii_case(&name)
                    };
                    let nth = usize::try_from(index(data)).unwrap();
                    let field = queued.header.iter_mut().filter(is).nth(nth - 1).unwrap();
                    match data.ends_with(b"\0\0") {
                        true => field.0.clear(),
                        false => *field = (name, value),
                    }
                }
                'b' => body.get_or_insert_default().extend_from_slice(data),
                'e' => queued.sender = split(data)[0].clone(),
                '+' | '2' => queued.recipients.push(split(data)[0].clone()),
                '-' => queued.recipients.retain(|path| *path != split(data)[0]),
                'a' => {}
                other => panic!("no change: {other}"),
            }
        }
        queued
            .header
            .retain(|field| *field != own && !field.0.is_empty());
        queued.body = body.unwrap_or(queued.body);
        queued
    }

    fn field(&self, data: &[u8]) -> (String, String) {
        let strings = split(data);
        let value = match self.agreed.2 & LEADING_SPACE {
            0 => format!(" {}", strings[1]),
            _ => strings[1].clone(),
        };
        (strings[0].clone(), value)
    }
}

type Stage = fn(&mut Mta, &Queued);

/// The stages of a session with one message, in order.
pub(crate) const STAGES: &[(&str, Stage)] = &[
    ("connect", |mta, _| {
        mta.send('D', b"Cj\0mx.example.org\0{daemon_name}\0submission\0");
        mta.event('C', b"client.example\x004\x10\x00192.0.2.1\0");
    }),
    ("helo", |mta, _| {
        mta.send('D', b"H{tls_version}\0TLSv1.3\0{cipher}\0AES\0");
        mta.event('H', b"laptop\0");
    }),
    ("mail", |mta, message| {
        mta.send(
            'D',
            b"M{auth_authen}\0alice\0{mail_addr}\0alice@example.org\0",
        );
        mta.event('M', &strings(&[&message.sender, "SIZE=100"]));
    }),
    ("rcpt", |mta, message| {
        for recipient in &message.recipients {
            mta.event('R', &strings(&[recipient]));
        }
    }),
    ("data", |mta, _| mta.event('T', b"")),
    ("header", |mta, message| {
        for (name, value) in &message.header {
            mta.header(name, value);
        }
    }),
    ("eoh", |mta, _| mta.event('N', b"")),
    ("body", |mta, message| {
        for chunk in message.body.chunks(65_535) {
            mta.event('B', chunk);
        }
    }),
    ("eom", |mta, _| mta.send('D', b"Ei\x004QUEUEID\0")),
];

impl Queued {
    /// A message from alice to bob and carol that asks for something.
    pub(crate) fn asking(what: &str) -> Self {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            sender: "<alice@example.org>".into(),
            recipients: vec!["<bob@example.net>".into(), "<carol@example.net>".into()],
            header: vec![
                field("Received", " from a\n\tby b"),
                field("Received", " from b by c"),
                field("From", " Alice <alice@example.org>"),
                field("To", " bob@example.net,\n\tcarol@example.net"),
                field("Subject", "  two spaces"),
                field("X-Gone", "no space"),
                field("X-Do", &format!(" {what}")),
                field("Message-ID", "\n <1@example.org>"),
            ],
            body: b"Hello,\r\n.\r\n  world.\r\n".to_vec(),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut header = self.header.iter();
        let field = header.find(|(known, _)| known.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }
}

pub(crate) fn strings(strings: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    for string in strings {
        data.extend_from_slice(string.as_bytes());
        data.push(0);
    }
    data
}

pub(crate) fn split(data: &[u8]) -> Vec<String> {
    let strings = data.split(|octet| *octet == 0);
    strings
        .map(|octets| String::from_utf8_lossy(octets).into_owned())
        .collect()
}

fn index(data: &[u8]) -> u32 {
    u32::from_be_bytes(data[..4].try_into().unwrap())
}
