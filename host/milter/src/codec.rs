//! Octets ⇄ commands and responses (milter protocol, version 6).
//!
//! No RFC describes the protocol; what counts is what Sendmail's `mfdef.h` and `milter.c` and
//! Postfix's `milter8.c` do. A packet is a length (four octets, most significant first), a
//! command (one octet, counted) and its data. Nothing here waits or decides.

use bytes::{Buf, Bytes, BytesMut};

use crate::Error;
use crate::negotiation::{Agreement, Offer};

/// Octets of the longest packet that is read: a header field of a megabyte, and more than any
/// body chunk (1 MiB by SMFIP_MDS_1M).
pub const LONGEST_PACKET: usize = 2 << 20;

/// Octets of the data of the longest response: MILTER_CHUNK_SIZE, which every MTA takes.
pub const LONGEST_RESPONSE: usize = 65_535;

/// Cuts a stream of octets into packets.
#[derive(Debug, Default)]
pub struct Packets {
    buffer: BytesMut,
}

impl Packets {
    /// Where octets that arrive are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Keeps no room for packets as long as those of the past.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Nothing of a packet is there yet.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next packet, once it is whole: its command and its data.
    pub fn next_packet(&mut self) -> Result<Option<(u8, Bytes)>, Error> {
        let Some(length) = self.buffer.first_chunk() else {
            return Ok(None);
        };
        let size = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        match size {
            0 => return Err(Error::EmptyPacket),
            1..=LONGEST_PACKET => {}
            _ => {
                let limit = LONGEST_PACKET;
                return Err(Error::PacketTooLong { size, limit });
            }
        }
        if self.buffer.len() < 4 + size {
            return Ok(None);
        }
        self.buffer.advance(4);
        let mut packet = self.buffer.split_to(size).freeze();
        let command = packet.get_u8();
        Ok(Some((command, packet)))
    }
}

/// At which event macros hold (`SMFIC_*` of the command that they stand before).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// SMFIC_CONNECT.
    Connect,
    /// SMFIC_HELO.
    Helo,
    /// SMFIC_MAIL.
    Mail,
    /// SMFIC_RCPT.
    Rcpt,
    /// SMFIC_DATA.
    Data,
    /// SMFIC_HEADER, SMFIC_EOH.
    Header,
    /// SMFIC_BODY, SMFIC_BODYEOB.
    Body,
    /// SMFIC_UNKNOWN, and what later versions may bring.
    Other,
}

impl Stage {
    fn of(command: u8) -> Self {
        match command {
            b'C' => Stage::Connect,
            b'H' => Stage::Helo,
            b'M' => Stage::Mail,
            b'R' => Stage::Rcpt,
            b'T' => Stage::Data,
            b'L' | b'N' => Stage::Header,
            b'B' | b'E' => Stage::Body,
            _ => Stage::Other,
        }
    }
}

/// What an MTA says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// SMFIC_OPTNEG: what it can do.
    Negotiate(Offer),
    /// SMFIC_MACRO: name and value, in pairs.
    Macros(Stage, Vec<(Bytes, Bytes)>),
    /// SMFIC_CONNECT: a client connected to it.
    Connect {
        /// The client's name, as the MTA resolved it.
        name: Bytes,
        /// Its address over IPv4 or IPv6.
        address: Option<Bytes>,
    },
    /// SMFIC_HELO: the argument of HELO or EHLO.
    Helo(Bytes),
    /// SMFIC_MAIL: the reverse-path, then ESMTP parameters.
    Mail(Vec<Bytes>),
    /// SMFIC_RCPT: the forward-path, then ESMTP parameters.
    Rcpt(Vec<Bytes>),
    /// SMFIC_DATA.
    Data,
    /// SMFIC_UNKNOWN: a command that the MTA does not know.
    Unknown,
    /// SMFIC_HEADER.
    Header {
        /// Before the colon.
        name: Bytes,
        /// After it; LF between its lines.
        value: Bytes,
    },
    /// SMFIC_EOH.
    EndOfHeader,
    /// SMFIC_BODY: some of the body.
    Body(Bytes),
    /// SMFIC_BODYEOB: the end of the message, with the last of its body.
    EndOfBody(Bytes),
    /// SMFIC_ABORT: the message is off.
    Abort,
    /// SMFIC_QUIT: the connection is over.
    Quit,
    /// SMFIC_QUIT_NC: the client is gone; another one follows on this connection.
    QuitKeep,
}

impl Command {
    /// Reads the data of a packet.
    pub fn parse(command: u8, data: Bytes) -> Result<Self, Error> {
        Ok(match command {
            b'O' => Command::Negotiate(Offer::parse(&data)?),
            b'D' => macros(data)?,
            b'C' => connect(data)?,
            b'H' => Command::Helo(one(data, "HELO")?),
            b'M' => Command::Mail(path(data, "MAIL")?),
            b'R' => Command::Rcpt(path(data, "RCPT")?),
            b'T' => Command::Data,
            b'U' => Command::Unknown,
            b'L' => header(data)?,
            b'N' => Command::EndOfHeader,
            b'B' => Command::Body(data),
            b'E' => Command::EndOfBody(data),
            b'A' => Command::Abort,
            b'Q' => Command::Quit,
            b'K' => Command::QuitKeep,
            other => return Err(Error::UnknownCommand(other)),
        })
    }
}

/// The strings of a packet: each ends with NUL.
fn strings(data: Bytes, command: &'static str) -> Result<Vec<Bytes>, Error> {
    let mut strings = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(0, &data) {
        strings.push(data.slice(start..end));
        start = end + 1;
    }
    match start == data.len() {
        true => Ok(strings),
        false => Err(Error::Malformed(command)),
    }
}

fn one(data: Bytes, command: &'static str) -> Result<Bytes, Error> {
    let strings = strings(data, command)?;
    match <[Bytes; 1]>::try_from(strings) {
        Ok([only]) => Ok(only),
        Err(_) => Err(Error::Malformed(command)),
    }
}

fn path(data: Bytes, command: &'static str) -> Result<Vec<Bytes>, Error> {
    let strings = strings(data, command)?;
    match strings.is_empty() {
        true => Err(Error::Malformed(command)),
        false => Ok(strings),
    }
}

fn header(data: Bytes) -> Result<Command, Error> {
    let strings = strings(data, "header field")?;
    match <[Bytes; 2]>::try_from(strings) {
        Ok([name, value]) => Ok(Command::Header { name, value }),
        Err(_) => Err(Error::Malformed("header field")),
    }
}

fn macros(mut data: Bytes) -> Result<Command, Error> {
    let malformed = Error::Malformed("macros");
    if data.is_empty() {
        return Err(malformed);
    }
    let stage = Stage::of(data.get_u8());
    let strings = strings(data, "macros")?;
    let (pairs, rest) = strings.as_chunks::<2>();
    match rest.is_empty() {
        true => Ok(Command::Macros(
            stage,
            pairs
                .iter()
                .map(|[name, value]| (name.clone(), value.clone()))
                .collect(),
        )),
        false => Err(malformed),
    }
}

/// Name, NUL, family; but for an unknown family then port (two octets), address, NUL.
fn connect(mut data: Bytes) -> Result<Command, Error> {
    let malformed = || Error::Malformed("connection");
    let end = memchr::memchr(0, &data).ok_or_else(malformed)?;
    let name = data.split_to(end);
    data.advance(1);
    if data.is_empty() {
        return Err(malformed());
    }
    let address = match data.get_u8() {
        b'4' | b'6' => {
            if data.len() < 2 {
                return Err(malformed());
            }
            data.advance(2);
            Some(one(data, "connection")?)
        }
        // A Unix socket's path, and `U` for unknown, are nobody's address.
        _ => None,
    };
    Ok(Command::Connect { name, address })
}

/// What we say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// SMFIC_OPTNEG: what of the offer we use.
    Negotiated(Agreement),
    /// SMFIR_CONTINUE.
    Continue,
    /// SMFIR_PROGRESS: still at work.
    Progress,
    /// SMFIR_ACCEPT: the message goes on, with the changes sent before.
    Accept,
    /// SMFIR_DISCARD: the message is taken, and delivered to nobody.
    Discard,
    /// SMFIR_REPLYCODE: the message is refused or deferred with these octets (see `reply`).
    Reply(Vec<u8>),
    /// SMFIR_QUARANTINE: the MTA holds the message.
    Quarantine(String),
    /// SMFIR_INSHEADER: a field at this place, or last when there are not so many.
    InsertHeader(u32, HeaderField),
    /// SMFIR_CHGHEADER: another value for the nth field of its name, from 1.
    ChangeHeader(u32, HeaderField),
    /// SMFIR_CHGHEADER with an empty value: the nth field of this name goes.
    DeleteHeader(u32, Vec<u8>),
    /// SMFIR_REPLBODY: a piece of the new body.
    ReplaceBody(Bytes),
    /// SMFIR_CHGFROM: another reverse-path, with ESMTP parameters.
    ChangeSender(String, Option<String>),
    /// SMFIR_ADDRCPT, or SMFIR_ADDRCPT_PAR when there are ESMTP parameters.
    AddRecipient(String, Option<String>),
    /// SMFIR_DELRCPT, with the forward-path as it came.
    DeleteRecipient(Bytes),
}

/// A header field as responses carry it: LF between the lines of the value, none at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// Before the colon.
    pub name: Vec<u8>,
    /// After it.
    pub value: Vec<u8>,
}

impl Response {
    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.encode_data(out);
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn encode_data(&self, out: &mut Vec<u8>) {
        match self {
            Response::Negotiated(agreement) => {
                out.push(b'O');
                agreement.encode(out);
            }
            Response::Continue => out.push(b'c'),
            Response::Progress => out.push(b'p'),
            Response::Accept => out.push(b'a'),
            Response::Discard => out.push(b'd'),
            Response::Reply(octets) => with(out, b'y', &[octets]),
            Response::Quarantine(reason) => with(out, b'q', &[reason.as_bytes()]),
            Response::InsertHeader(index, field) => {
                indexed(out, b'i', *index, &field.name, &field.value);
            }
            Response::ChangeHeader(index, field) => {
                indexed(out, b'm', *index, &field.name, &field.value);
            }
            Response::DeleteHeader(index, name) => indexed(out, b'm', *index, name, b""),
            Response::ReplaceBody(octets) => {
                out.push(b'b');
                out.extend_from_slice(octets);
            }
            Response::ChangeSender(path, parameters) => {
                with_parameters(out, (b'e', b'e'), path, parameters.as_deref());
            }
            Response::AddRecipient(path, parameters) => {
                with_parameters(out, (b'+', b'2'), path, parameters.as_deref());
            }
            Response::DeleteRecipient(path) => with(out, b'-', &[path]),
        }
    }
}

fn with(out: &mut Vec<u8>, command: u8, strings: &[&[u8]]) {
    out.push(command);
    for string in strings {
        out.extend_from_slice(string);
        out.push(0);
    }
}

fn indexed(out: &mut Vec<u8>, command: u8, index: u32, name: &[u8], value: &[u8]) {
    out.push(command);
    out.extend_from_slice(&index.to_be_bytes());
    for string in [name, value] {
        out.extend_from_slice(string);
        out.push(0);
    }
}

/// Some commands have another code when parameters follow.
fn with_parameters(
    out: &mut Vec<u8>,
    (bare, full): (u8, u8),
    path: &str,
    parameters: Option<&str>,
) {
    match parameters {
        None => with(out, bare, &[path.as_bytes()]),
        Some(parameters) => with(out, full, &[path.as_bytes(), parameters.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(octets: &[u8]) -> Result<Vec<(u8, Bytes)>, Error> {
        let mut packets = Packets::default();
        let mut found = Vec::new();
        // One octet at a time: a packet is there when it is whole, and not before.
        for octet in octets {
            packets.buffer().extend_from_slice(&[*octet]);
            found.extend(packets.next_packet()?);
        }
        Ok(found)
    }

    fn check(command: u8, data: &[u8], expected: Result<Command, &str>) {
        let parsed = Command::parse(command, Bytes::copy_from_slice(data));
        let parsed = parsed.map_err(|error| error.to_string());
        assert_eq!(parsed, expected.map_err(str::to_owned));
    }

    #[test]
    fn packets_are_cut_by_their_length() {
        let octets = b"\0\0\0\x01A\0\0\0\x05Babcd\0\0\0\x02";
        let found = packets(octets).unwrap();
        assert_eq!(
            found,
            [(b'A', Bytes::new()), (b'B', Bytes::from_static(b"abcd"))]
        );
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_kept() {
        let check = |octets: &[u8], expected: &str| {
            assert_eq!(packets(octets).unwrap_err().to_string(), expected);
        };
        check(b"\0\0\0\0", "a packet without a command");
        check(b"\0\x20\0\x01", "a packet of 2097153 octets: limit 2097152");
        check(
            b"\xff\xff\xff\xff",
            "a packet of 4294967295 octets: limit 2097152",
        );
    }

    #[test]
    fn commands() {
        let bytes = Bytes::from_static;
        check(b'H', b"client\0", Ok(Command::Helo(bytes(b"client"))));
        check(
            b'M',
            b"<a@b>\0SIZE=1\0",
            Ok(Command::Mail(vec![bytes(b"<a@b>"), bytes(b"SIZE=1")])),
        );
        check(
            b'C',
            b"name\x004\x00\x19192.0.2.1\0",
            Ok(Command::Connect {
                name: bytes(b"name"),
                address: Some(bytes(b"192.0.2.1")),
            }),
        );
        check(
            b'C',
            b"name\0U",
            Ok(Command::Connect {
                name: bytes(b"name"),
                address: None,
            }),
        );
        check(
            b'L',
            b"Subject\0 a\n b\0",
            Ok(Command::Header {
                name: bytes(b"Subject"),
                value: bytes(b" a\n b"),
            }),
        );
        check(
            b'D',
            b"Mi\0ABC\0{auth_authen}\0alice\0",
            Ok(Command::Macros(
                Stage::Mail,
                vec![
                    (bytes(b"i"), bytes(b"ABC")),
                    (bytes(b"{auth_authen}"), bytes(b"alice")),
                ],
            )),
        );
    }

    #[test]
    fn malformed_commands_are_named() {
        check(b'H', b"client", Err("a malformed command: HELO"));
        check(b'H', b"a\0b\0", Err("a malformed command: HELO"));
        check(b'M', b"", Err("a malformed command: MAIL"));
        check(b'R', b"<a@b>", Err("a malformed command: RCPT"));
        check(b'L', b"Subject\0", Err("a malformed command: header field"));
        check(b'L', b"a\0b\0c\0", Err("a malformed command: header field"));
        check(b'D', b"", Err("a malformed command: macros"));
        check(b'D', b"Mi\0", Err("a malformed command: macros"));
        check(b'C', b"name", Err("a malformed command: connection"));
        check(b'C', b"name\0", Err("a malformed command: connection"));
        check(b'C', b"name\x004\0", Err("a malformed command: connection"));
        check(b'O', b"\0\0", Err("a malformed command: negotiation"));
        check(b'z', b"", Err("an unknown command: 0x7a"));
    }

    fn encoded(response: &Response) -> Vec<u8> {
        let mut out = Vec::new();
        response.encode(&mut out);
        out
    }

    #[test]
    fn responses() {
        let field = || HeaderField {
            name: b"X".to_vec(),
            value: b" 1".to_vec(),
        };
        assert_eq!(encoded(&Response::Accept), b"\0\0\0\x01a");
        assert_eq!(
            encoded(&Response::InsertHeader(2, field())),
            b"\0\0\0\x0ai\0\0\0\x02X\0 1\0"
        );
        assert_eq!(
            encoded(&Response::DeleteHeader(1, b"X".to_vec())),
            b"\0\0\0\x08m\0\0\0\x01X\0\0"
        );
        assert_eq!(
            encoded(&Response::AddRecipient("<a@b>".into(), None)),
            b"\0\0\0\x07+<a@b>\0"
        );
        assert_eq!(
            encoded(&Response::AddRecipient("<a@b>".into(), Some("A=B".into()))),
            b"\0\0\0\x0b2<a@b>\0A=B\0"
        );
    }
}
