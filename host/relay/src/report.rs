//! Reports of recipients who were refused alone (RFC 3464), never with content.
//!
//! A report tells a sender of ours which recipients did not get the message, and why. It goes
//! from the null reverse-path, so that nothing answers it, and returns only the header of the
//! message as it arrived: what was decrypted on the way is in no report (DESIGN §8).

use std::fmt::Write as _;
use std::time::SystemTime;

use waxseal_engine::Refusal;
use waxseal_message::{Address, DateTime, Limits, Message};
use waxseal_policy::reply::{Reply, printable};
use waxseal_policy::transaction::{EsmtpParameter, Recipient};

use crate::Envelope;
use crate::dsn;
use crate::letter::{Letter, SenderParameters, original_recipient, value};
use crate::settings::{Hop, Settings};

/// Longest header that is returned.
const HEADER_OCTETS: usize = 64 << 10;
/// RFC 5322 §2.1.1, without the line end.
const LINE_OCTETS: usize = 998;

/// A recipient refused alone.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) recipient: Recipient,
    pub(crate) reply: Reply,
    /// The next hop that refused, if it was not the policy.
    pub(crate) remote: Option<Hop>,
}

impl Refused {
    pub(crate) fn by_policy(refusal: &Refusal) -> Self {
        Self {
            recipient: refusal.recipient.clone(),
            reply: refusal.reply.clone(),
            remote: None,
        }
    }

    /// The reply when this refuses the message for everybody: it names whom it is about.
    pub(crate) fn for_all(&self) -> Reply {
        let address = self.recipient.address.to_string();
        let text = &self.reply.text;
        Reply {
            text: match text.contains(&address) {
                true => text.clone(),
                false => format!("{address}: {text}"),
            },
            ..self.reply.clone()
        }
    }
}

/// The report about these to the sender.
pub(crate) fn letter(
    settings: &Settings,
    envelope: &Envelope,
    sender: &Address,
    refused: &[&Refused],
) -> Letter {
    let now = SystemTime::now();
    let arrived = now.checked_sub(envelope.arrived.elapsed()).unwrap_or(now);
    let report = Report {
        hostname: &settings.hostname,
        envelope,
        sender,
        refused,
        now: DateTime::from(now),
        arrived: DateTime::from(arrived),
        charset: match sender.local().is_ascii() {
            true => Charset::Ascii,
            false => Charset::Utf8,
        },
    };
    let message = Message::parse(report.write().into_bytes(), &Limits::UNLIMITED);
    Letter {
        id: envelope.id.clone(),
        message: message.expect("a message is only refused by limits"),
        sender: None,
        recipients: vec![Recipient {
            address: sender.clone(),
            // RFC 3461 §6.1: no report about a report.
            parameters: vec![EsmtpParameter {
                name: "NOTIFY".to_owned(),
                value: Some("NEVER".to_owned()),
            }],
        }],
        parameters: SenderParameters {
            declares_utf8: report.charset == Charset::Utf8,
            ..SenderParameters::default()
        },
    }
}

/// A report is ASCII, unless its reader's own address is not: then the way there takes SMTPUTF8
/// (RFC 6533 §4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    Ascii,
    Utf8,
}

struct Report<'a> {
    hostname: &'a str,
    envelope: &'a Envelope,
    sender: &'a Address,
    refused: &'a [&'a Refused],
    now: DateTime,
    arrived: DateTime,
    charset: Charset,
}

impl Report<'_> {
    fn write(&self) -> String {
        let header = self.returned_header();
        let boundary = self.boundary(&header);
        let parts = [self.words(), self.status(), header];
        let mut out = self.head(&boundary);
        for part in parts {
            line(&mut out, &format!("--{boundary}"));
            out.push_str(&part);
        }
        line(&mut out, &format!("--{boundary}--"));
        out
    }

    fn head(&self, boundary: &str) -> String {
        let mut out = String::new();
        let (host, id) = (self.hostname, &self.envelope.id);
        let seconds = self.now.unix();
        for field in [
            format!("Date: {}", self.now.to_rfc5322()),
            format!("From: Mail Delivery System <MAILER-DAEMON@{host}>"),
            format!("To: <{}>", self.sender),
            "Subject: Undelivered Mail Returned to Sender".to_owned(),
            format!("Message-ID: <report.{id}.{seconds}@{host}>"),
            // RFC 3834 §5: nobody answers it.
            "Auto-Submitted: auto-replied".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: multipart/report; report-type=delivery-status;".to_owned(),
            format!("\tboundary=\"{boundary}\""),
        ] {
            line(&mut out, &field);
        }
        line(&mut out, "");
        out
    }

    /// One that stands nowhere in what is returned: the sender wrote that.
    fn boundary(&self, header: &str) -> String {
        let mut boundary = format!("=_waxseal-{}", self.envelope.id);
        while header.contains(&boundary) {
            boundary.push('=');
        }
        boundary
    }

    /// For a person.
    fn words(&self) -> String {
        let mut out = String::new();
        match self.charset {
            Charset::Ascii => line(&mut out, "Content-Type: text/plain; charset=us-ascii"),
            Charset::Utf8 => {
                line(&mut out, "Content-Type: text/plain; charset=utf-8");
                line(&mut out, "Content-Transfer-Encoding: 8bit");
            }
        }
        line(&mut out, "");
        line(
            &mut out,
            &format!("This is the mail system at {}.", self.hostname),
        );
        line(&mut out, "");
        line(
            &mut out,
            "Your message was not delivered to the recipients below. What it",
        );
        line(
            &mut out,
            "says is not repeated here; the others, if any, have received it.",
        );
        for refused in self.refused {
            let address = refused.recipient.address.to_string();
            line(&mut out, "");
            line(&mut out, &format!("<{}>:", self.readable(&address)));
            line(
                &mut out,
                &format!("    {}", safe(&refused.reply.to_string())),
            );
        }
        line(&mut out, "");
        line(
            &mut out,
            &format!("The message is known here as {}.", self.envelope.id),
        );
        out
    }

    /// RFC 3464 §2.
    fn status(&self) -> String {
        let mut out = String::new();
        match self.charset {
            Charset::Ascii => line(&mut out, "Content-Type: message/delivery-status"),
            Charset::Utf8 => {
                line(&mut out, "Content-Type: message/global-delivery-status");
                line(&mut out, "Content-Transfer-Encoding: 8bit");
            }
        }
        line(&mut out, "");
        line(&mut out, &format!("Reporting-MTA: dns; {}", self.hostname));
        // RFC 3464 §2.2.1, RFC 3461 §6.3 (a): as it was before it was made xtext.
        let id = value(&self.envelope.sender_parameters, "ENVID").filter(|id| dsn::is_value(id));
        if let Some(id) = id {
            line(
                &mut out,
                &format!("Original-Envelope-Id: {}", safe(&dsn::meaning(id))),
            );
        }
        line(
            &mut out,
            &format!("Arrival-Date: {}", self.arrived.to_rfc5322()),
        );
        for refused in self.refused {
            line(&mut out, "");
            self.recipient(refused, &mut out);
        }
        out
    }

    /// RFC 3464 §2.3.
    fn recipient(&self, refused: &Refused, out: &mut String) {
        if let Some(original) = original_recipient(&refused.recipient.parameters) {
            line(
                out,
                &format!("Original-Recipient: {}", self.original(original)),
            );
        }
        let address = refused.recipient.address.to_string();
        // RFC 6533 §3.
        let kind = if address.is_ascii() {
            "rfc822"
        } else {
            "utf-8"
        };
        let address = self.readable(&address);
        line(out, &format!("Final-Recipient: {kind}; {address}"));
        line(out, "Action: failed");
        let status = refused.reply.enhanced.as_deref();
        let status = status.filter(|status| status.starts_with("5.") && safe(status) == *status);
        line(out, &format!("Status: {}", status.unwrap_or("5.0.0")));
        if let Some(Hop::Tcp(host, _)) = &refused.remote {
            line(out, &format!("Remote-MTA: dns; {}", safe(host)));
        }
        let reply = safe(&refused.reply.to_string());
        line(out, &format!("Diagnostic-Code: smtp; {reply}"));
        line(
            out,
            &format!("Last-Attempt-Date: {}", self.now.to_rfc5322()),
        );
    }

    /// The value of ORCPT: xtext is undone, the escapes of RFC 6533 stay for who reads ASCII.
    fn original(&self, value: &str) -> String {
        let (kind, address) = value.split_once(';').unwrap_or(("rfc822", value));
        let address = match kind.eq_ignore_ascii_case("utf-8") {
            true => self.readable(address),
            false => safe(&dsn::meaning(address)),
        };
        format!("{kind}; {address}")
    }

    fn readable(&self, address: &str) -> String {
        match self.charset {
            Charset::Ascii => dsn::escape_non_ascii(address),
            Charset::Utf8 => address.to_owned(),
        }
    }

    /// The header section of the message as it arrived, with the header of its part.
    fn returned_header(&self) -> String {
        let header = header_lines(&self.envelope.octets);
        let mut out = String::new();
        match String::from_utf8(header) {
            Ok(text) if text.is_ascii() => {
                line(&mut out, "Content-Type: text/rfc822-headers");
                line(&mut out, "");
                out.push_str(&text);
            }
            // RFC 6533 §4.3.
            Ok(text) if self.charset == Charset::Utf8 => {
                line(&mut out, "Content-Type: message/global-headers");
                line(&mut out, "Content-Transfer-Encoding: 8bit");
                line(&mut out, "");
                out.push_str(&text);
            }
            other => {
                // RFC 6522 §4: what is no legal 7-bit header is encoded.
                let octets = match other {
                    Ok(text) => text.into_bytes(),
                    Err(error) => error.into_bytes(),
                };
                line(&mut out, "Content-Type: text/rfc822-headers");
                line(&mut out, "Content-Transfer-Encoding: quoted-printable");
                line(&mut out, "");
                for raw in octets.split_inclusive(|octet| *octet == b'\n') {
                    quoted_printable(raw.strip_suffix(b"\r\n").unwrap_or(raw), &mut out);
                }
            }
        }
        out
    }
}

/// One line (RFC 2045 §6.7), in lines of at most 76 characters.
fn quoted_printable(octets: &[u8], out: &mut String) {
    let mut length = 0;
    for (at, octet) in octets.iter().enumerate() {
        let is_last = at + 1 == octets.len();
        let word = match octet {
            b' ' | b'\t' if !is_last => char::from(*octet).to_string(),
            b'!'..=b'<' | b'>'..=b'~' => char::from(*octet).to_string(),
            _ => format!("={octet:02X}"),
        };
        if length + word.len() > 75 {
            line(out, "=");
            length = 0;
        }
        length += word.len();
        out.push_str(&word);
    }
    line(out, "");
}

/// The header section in whole lines, bounded: what the sender wrote may be anything.
fn header_lines(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for raw in octets.split(|octet| *octet == b'\n') {
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        if line.is_empty() || out.len() + line.len() > HEADER_OCTETS {
            break;
        }
        let visible = line.iter().filter(|octet| !matches!(octet, b'\r' | 0));
        out.extend(visible.take(LINE_OCTETS));
        out.extend(b"\r\n");
    }
    out
}

/// Printable ASCII: what others said stays on its line.
fn safe(text: &str) -> String {
    printable(text, LINE_OCTETS)
}

fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = write!(out, "{text}\r\n");
}
