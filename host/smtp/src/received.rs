//! The trace field that we add (RFC 5321 §4.4), and mail that goes in circles (§6.3).

use std::time::SystemTime;

use waxseal_message::DateTime;
use waxseal_relay::trace::{MOST_PASSES, address_literal, by, is_by, token};
use waxseal_service::listen::Peer;

use crate::settings::Protocol;

/// RFC 5321 §6.3 asks for at least 100 before a loop is called one, for mail on its way through
/// the world; between one relay and its filter there are fewer.
const MOST: usize = 50;
/// What Received says.
pub(crate) struct Trace<'a> {
    /// What the client called itself.
    pub(crate) hello: &'a str,
    pub(crate) peer: Peer,
    pub(crate) hostname: &'a str,
    pub(crate) listener: &'a str,
    pub(crate) with: With,
    pub(crate) id: &'a str,
    /// The recipient, when there is one alone: others must not hear of each other (RFC 5321
    /// §7.2).
    pub(crate) recipient: Option<String>,
    pub(crate) time: SystemTime,
}

/// How the message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct With {
    pub(crate) protocol: Protocol,
    pub(crate) extended: bool,
    pub(crate) tls: bool,
    pub(crate) international: bool,
}

impl With {
    /// RFC 3848, RFC 6531 §4.3.
    pub(crate) fn keyword(self) -> String {
        let base = match (self.protocol, self.international, self.extended) {
            (Protocol::Lmtp, true, _) => "UTF8LMTP",
            (Protocol::Lmtp, false, _) => "LMTP",
            (Protocol::Smtp, true, _) => "UTF8SMTP",
            (Protocol::Smtp, false, true) => "ESMTP",
            // TLS cannot be had without EHLO.
            (Protocol::Smtp, false, false) => return "SMTP".to_owned(),
        };
        format!("{base}{}", if self.tls { "S" } else { "" })
    }
}

impl Trace<'_> {
    /// The field with its line ends, folded.
    pub(crate) fn field(&self) -> String {
        let peer = match self.peer {
            Peer::Tcp(address) => address_literal(address.ip()),
            Peer::Unix => "Unix socket".to_owned(),
        };
        let recipient = match &self.recipient {
            Some(recipient) if recipient.is_ascii() => format!("\r\n\tfor <{recipient}>"),
            _ => String::new(),
        };
        format!(
            "Received: from {} ({peer})\r\n\t{}\r\n\twith {} id {}{recipient};\r\n\t{}\r\n",
            token(self.hello),
            by(self.hostname, self.listener),
            self.with.keyword(),
            self.id,
            DateTime::from(self.time).to_rfc5322(),
        )
    }
}

/// Does this header say that the message goes in circles?
pub(crate) fn is_loop(message: &[u8], hostname: &str, listener: &str) -> bool {
    let ours = by(hostname, listener);
    let received = || fields(message).filter(|field| is_received(field));
    let own = received()
        .take(MOST + 1)
        .filter(|field| is_by(&ours, field));
    received().nth(MOST).is_some() || own.count() > MOST_PASSES
}

fn is_received(field: &[u8]) -> bool {
    let name = field
        .split(|octet| *octet == b':')
        .next()
        .unwrap_or_default();
    name.trim_ascii_end().eq_ignore_ascii_case(b"received")
}

/// The fields of a header whose lines end in CRLF.
fn fields(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() || rest.starts_with(b"\r\n") {
            return None;
        }
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        Some(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(protocol: Protocol) -> With {
        With {
            protocol,
            extended: true,
            tls: false,
            international: false,
        }
    }

    #[test]
    fn the_protocol_has_a_keyword() {
        let check = |with: With, expected: &str| assert_eq!(with.keyword(), expected);
        check(with(Protocol::Smtp), "ESMTP");
        check(with(Protocol::Lmtp), "LMTP");
        let tls = |protocol| With {
            tls: true,
            ..with(protocol)
        };
        check(tls(Protocol::Smtp), "ESMTPS");
        check(tls(Protocol::Lmtp), "LMTPS");
        let international = |with| With {
            international: true,
            ..with
        };
        check(international(with(Protocol::Smtp)), "UTF8SMTP");
        check(international(tls(Protocol::Smtp)), "UTF8SMTPS");
        check(international(tls(Protocol::Lmtp)), "UTF8LMTPS");
        let old = With {
            extended: false,
            ..with(Protocol::Smtp)
        };
        check(old, "SMTP");
    }

    fn trace<'a>(hello: &'a str, recipient: Option<&str>) -> Trace<'a> {
        Trace {
            hello,
            peer: Peer::Tcp("192.0.2.1:25".parse().unwrap()),
            hostname: "gw.example",
            listener: "out",
            with: with(Protocol::Smtp),
            id: "0000002a",
            recipient: recipient.map(str::to_owned),
            time: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_532_400),
        }
    }

    #[test]
    fn the_field() {
        assert_eq!(
            trace("mx.example", Some("a@b.example")).field(),
            "Received: from mx.example ([192.0.2.1])\r\n\tby gw.example (waxseal/out)\r\n\
             \twith ESMTP id 0000002a\r\n\tfor <a@b.example>;\r\n\
             \tTue, 24 Nov 2026 15:00:00 +0000\r\n"
        );
    }

    #[test]
    fn the_client_writes_nothing_else_into_it() {
        let field = trace("a(b)\r\nSubject:;<x>", None).field();
        assert!(
            field.starts_with("Received: from a?b???Subject:??x? ([192"),
            "{field}"
        );
    }

    #[test]
    fn circles() {
        let ours = trace("mx.example", None).field();
        let check = |message: &str, expected: bool| {
            assert_eq!(
                is_loop(message.as_bytes(), "gw.example", "out"),
                expected,
                "{message}"
            );
        };
        check("Received: x\r\n\r\n", false);
        check(&"Received: x\r\n".repeat(MOST), false);
        check(&"ReceiVed : x\r\n".repeat(MOST + 1), true);
        check(&ours.repeat(2), false);
        check(&ours.repeat(3), true);
        check(&ours.replace("\r\n\t", " ").repeat(3), true);
        check(&ours.repeat(3).replace("/out", "/in"), false);
        // Not in the header.
        check(&format!("To: x\r\n\r\n{}", ours.repeat(3)), false);
        check(
            &format!("Subject:\r\n {}", ours.replace("\r\n\t", " ").trim()).repeat(3),
            false,
        );
    }
}
