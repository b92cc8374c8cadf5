//! The message that an MTA is handing in: its envelope, and its octets put together again.
//!
//! What is wrong with a message is remembered and answered at its end, where the MTA listens.

use std::ops::Range;

use bytes::Bytes;
use waxseal_message::Address;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient, Session};

use crate::Error;
use crate::facts::text;
use crate::negotiation::{Agreement, Steps};
use crate::settings::Limits;

/// Octets of all arguments of MAIL and RCPT: ten thousand long paths with parameters.
const ENVELOPE: usize = 8 << 20;

/// Header fields that are looked at; the policy's own limit is lower (`[limits] header-fields`).
const FIELDS: usize = 100_000;

/// A message under way.
#[derive(Debug)]
pub(crate) struct Draft {
    sender: Option<Address>,
    sender_path: Bytes,
    sender_parameters: Vec<EsmtpParameter>,
    recipients: Vec<Forward>,
    /// Octets of the arguments so far.
    envelope: usize,
    octets: Vec<u8>,
    fields: Vec<Range<usize>>,
    /// Where the body begins, once the header is complete.
    body: Option<usize>,
    /// The first thing that was wrong.
    fault: Option<Reply>,
}

/// A recipient, and its path as it came: the MTA knows it by that.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) recipient: Recipient,
    pub(crate) path: Bytes,
}

/// A whole message.
#[derive(Debug)]
pub struct Received {
    pub(crate) agreed: Agreement,
    pub(crate) queue_id: Option<String>,
    pub(crate) session: Session,
    pub(crate) sender: Option<Address>,
    pub(crate) sender_path: Bytes,
    pub(crate) sender_parameters: Vec<EsmtpParameter>,
    pub(crate) recipients: Vec<Forward>,
    /// Header, empty line, body.
    pub(crate) octets: Bytes,
    /// The header fields in `octets`, each with its line end.
    pub(crate) fields: Vec<Range<usize>>,
    /// Where the body begins in `octets`.
    pub(crate) body: usize,
}

impl Draft {
    /// A message from MAIL's arguments. `host` completes addresses that have no domain.
    pub(crate) fn new(arguments: &[Bytes], host: Option<&str>) -> Self {
        let (path, arguments) = split(arguments);
        let mut draft = Self {
            sender: None,
            sender_path: path.clone(),
            sender_parameters: Vec::new(),
            recipients: Vec::new(),
            envelope: 0,
            octets: Vec::new(),
            fields: Vec::new(),
            body: None,
            fault: None,
        };
        if !is_null(&path) {
            draft.sender = address(&path, host);
            if draft.sender.is_none() {
                draft.refuse(
                    553,
                    "5.1.7",
                    &format!("sender not understood: {}", text(&path)),
                );
            }
        }
        draft.sender_parameters = draft.parameters(arguments);
        draft
    }

    /// RCPT's arguments.
    pub(crate) fn rcpt(&mut self, arguments: &[Bytes], host: Option<&str>, limits: &Limits) {
        if self.recipients.len() >= limits.recipients {
            let text = format!("more than {} recipients", limits.recipients);
            // RFC 5321 §4.5.3.1.10: too many now; the client may send to fewer.
            return self.refuse(452, "4.5.3", &text);
        }
        self.envelope += arguments.iter().map(Bytes::len).sum::<usize>();
        if self.envelope > ENVELOPE {
            return self.refuse(452, "4.5.3", "the envelope is too long");
        }
        let (path, arguments) = split(arguments);
        match address(&path, host) {
            Some(address) => {
                let parameters = self.parameters(arguments);
                self.recipients.push(Forward {
                    recipient: Recipient {
                        address,
                        parameters,
                    },
                    path,
                });
            }
            None => {
                let text = format!("recipient not understood: {}", text(&path));
                self.refuse(553, "5.1.3", &text);
            }
        }
    }

    /// A header field: name, colon, value, CRLF, as it stood in the message.
    pub(crate) fn header(
        &mut self,
        name: &[u8],
        value: &[u8],
        steps: Steps,
        limits: &Limits,
    ) -> Result<(), Error> {
        if self.body.is_some() {
            return Err(Error::OutOfOrder("a header field after the header"));
        }
        if !is_field(name, value) {
            let text = format!("not a header field: {}", text(name));
            self.refuse(550, "5.6.0", &text);
        }
        if self.fields.len() >= FIELDS {
            let text = format!("more than {FIELDS} header fields");
            self.refuse(552, "5.3.4", &text);
        }
        if !self.has_room(name.len() + value.len() + 4, limits) {
            return Ok(());
        }
        let start = self.octets.len();
        self.octets.extend_from_slice(name);
        self.octets.push(b':');
        if !steps.has(Steps::LEADING_SPACE) {
            // The MTA took off one space, which is what nearly every field has.
            self.octets.push(b' ');
        }
        push_value(value, &mut self.octets);
        self.octets.extend_from_slice(b"\r\n");
        self.fields.push(start..self.octets.len());
        Ok(())
    }

    /// The header is complete.
    pub(crate) fn end_of_header(&mut self) {
        if self.body.is_none() {
            self.octets.extend_from_slice(b"\r\n");
            self.body = Some(self.octets.len());
        }
    }

    /// Some of the body.
    pub(crate) fn body(&mut self, octets: &[u8], limits: &Limits) {
        self.end_of_header();
        if self.has_room(octets.len(), limits) {
            self.octets.extend_from_slice(octets);
        }
    }

    /// The whole message, or the reply that it gets.
    pub(crate) fn finish(
        mut self,
        agreed: Agreement,
        queue_id: Option<String>,
        session: Session,
    ) -> Result<Received, Reply> {
        self.end_of_header();
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        Ok(Received {
            agreed,
            queue_id,
            session,
            sender: self.sender,
            sender_path: self.sender_path,
            sender_parameters: self.sender_parameters,
            recipients: self.recipients,
            octets: self.octets.into(),
            fields: self.fields,
            body: self.body.unwrap_or_default(),
        })
    }

    /// Octets held of it.
    pub(crate) fn held(&self) -> usize {
        self.octets.capacity()
    }

    /// There is no room for it beside the others.
    pub(crate) fn refuse_for_now(&mut self) {
        // RFC 5321 §4.2.3: 452, insufficient system storage.
        self.refuse(452, "4.3.1", "too many messages at a time; try again later");
        (self.octets, self.fields) = (Vec::new(), Vec::new());
    }

    pub(crate) fn recipient_count(&self) -> usize {
        self.recipients.len()
    }

    /// Refuses a message that is too long, and keeps nothing of it.
    fn has_room(&mut self, more: usize, limits: &Limits) -> bool {
        if self.octets.len() + more > limits.message {
            let text = format!("the message has more than {} octets", limits.message);
            self.refuse(552, "5.3.4", &text);
        }
        if self.fault.is_some() {
            (self.octets, self.fields) = (Vec::new(), Vec::new());
        }
        self.fault.is_none()
    }

    fn refuse(&mut self, code: u16, enhanced: &str, text: &str) {
        self.fault
            .get_or_insert_with(|| Reply::new(code, enhanced, text));
    }

    fn parameters(&mut self, arguments: &[Bytes]) -> Vec<EsmtpParameter> {
        let mut parameters = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let Ok(argument) = std::str::from_utf8(argument) else {
                self.refuse(501, "5.5.4", "a parameter is not UTF-8");
                continue;
            };
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument, None),
            };
            parameters.push(EsmtpParameter {
                name: name.to_owned(),
                value,
            });
        }
        parameters
    }
}

impl Received {
    /// A header field with its line end.
    pub(crate) fn field(&self, index: usize) -> &[u8] {
        &self.octets[self.fields[index].clone()]
    }
}

/// The path, in octets of its own (the connection's buffer is not kept for it), and parameters.
fn split(arguments: &[Bytes]) -> (Bytes, &[Bytes]) {
    match arguments.split_first() {
        Some((path, parameters)) => (Bytes::copy_from_slice(path), parameters),
        None => (Bytes::new(), &[]),
    }
}

/// RFC 5321 §4.5.5.
fn is_null(path: &[u8]) -> bool {
    matches!(path, b"<>" | b"")
}

/// A mailbox in angle brackets, or bare. RFC 5321 §4.5.1: `postmaster` needs no domain; it and
/// others like it belong to the MTA's host.
fn address(path: &[u8], host: Option<&str>) -> Option<Address> {
    let text = std::str::from_utf8(path).ok()?;
    let mailbox = match text.strip_prefix('<') {
        Some(rest) => rest.strip_suffix('>')?,
        None => text,
    };
    // RFC 5321 §4.1.1.3: a source route is read over.
    let mailbox = match mailbox.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => mailbox,
    };
    match Address::parse(mailbox) {
        Ok(address) => Some(address),
        Err(_) if !mailbox.contains('@') => Address::parse(&format!("{mailbox}@{}", host?)).ok(),
        Err(_) => None,
    }
}

/// RFC 5322 §2.2: a name, and lines of which all but the first begin with white space.
fn is_field(name: &[u8], value: &[u8]) -> bool {
    let is_name = !name.is_empty()
        && name
            .iter()
            .all(|octet| octet.is_ascii_graphic() && *octet != b':');
    let mut ends = memchr::memchr_iter(b'\n', value);
    is_name && ends.all(|end| matches!(value.get(end + 1), Some(b' ' | b'\t')))
}

/// MTAs send LF between the lines of a value.
fn push_value(value: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', value) {
        let line = &value[start..end];
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
        start = end + 1;
    }
    out.extend_from_slice(&value[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message: 100,
        recipients: 2,
    };

    fn agreed() -> Agreement {
        Agreement {
            version: 6,
            actions: crate::negotiation::Actions(0xff),
            steps: Steps::LEADING_SPACE,
        }
    }

    fn draft() -> Draft {
        Draft::new(&["<a@example.org>".into()], None)
    }

    fn finish(draft: Draft) -> Result<Received, Reply> {
        draft.finish(agreed(), None, Session::default())
    }

    fn header(steps: Steps, fields: &[(&str, &str)], expected: &str) {
        let mut draft = draft();
        for (name, value) in fields {
            draft
                .header(name.as_bytes(), value.as_bytes(), steps, &LIMITS)
                .unwrap();
        }
        draft.body(b"body\r\n", &LIMITS);
        let received = finish(draft).unwrap();
        assert_eq!(std::str::from_utf8(&received.octets).unwrap(), expected);
        assert_eq!(received.fields.len(), fields.len());
        assert_eq!(&received.octets[received.body..], b"body\r\n");
    }

    #[test]
    fn octets_are_put_together_again() {
        let exact = Steps::LEADING_SPACE;
        header(
            exact,
            &[("A", " 1\n\t2"), ("B", "3"), ("C", "\t4"), ("D", "")],
            "A: 1\r\n\t2\r\nB:3\r\nC:\t4\r\nD:\r\n\r\nbody\r\n",
        );
        header(exact, &[("A", " 1\r\n 2")], "A: 1\r\n 2\r\n\r\nbody\r\n");
        header(
            Steps::default(),
            &[("A", "1"), ("B", "")],
            "A: 1\r\nB: \r\n\r\nbody\r\n",
        );
        header(exact, &[], "\r\nbody\r\n");
    }

    fn refused(draft: Draft, expected: &str) {
        assert_eq!(finish(draft).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_cannot_be_a_field_is_refused() {
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("A", "1\nB: 2"),
            ("A", "1\n"),
        ] {
            let mut draft = draft();
            draft
                .header(name.as_bytes(), value.as_bytes(), Steps::default(), &LIMITS)
                .unwrap();
            refused(draft, &format!("550 5.6.0 not a header field: {name}"));
        }
    }

    #[test]
    fn a_long_message_is_refused_and_not_kept() {
        let mut draft = draft();
        draft.body(&[b'x'; 60], &LIMITS);
        draft.body(&[b'x'; 60], &LIMITS);
        assert!(draft.octets.is_empty());
        draft.body(&[b'x'; 60], &LIMITS);
        assert!(draft.octets.is_empty());
        refused(draft, "552 5.3.4 the message has more than 100 octets");
    }

    #[test]
    fn recipients_are_bounded() {
        let mut draft = draft();
        for _ in 0..3 {
            draft.rcpt(&["<b@example.net>".into()], None, &LIMITS);
        }
        assert_eq!(draft.recipient_count(), 2);
        refused(draft, "452 4.5.3 more than 2 recipients");
    }

    #[test]
    fn envelope_and_header_are_bounded_in_number_and_size() {
        let limits = Limits {
            message: usize::MAX,
            recipients: usize::MAX,
        };
        let mut long = draft();
        let parameter = Bytes::from(vec![b'x'; 1 << 20]);
        for _ in 0..9 {
            long.rcpt(
                &["<b@example.net>".into(), parameter.clone()],
                None,
                &limits,
            );
        }
        assert!(long.recipient_count() < 9);
        refused(long, "452 4.5.3 the envelope is too long");
        let mut many = draft();
        for _ in 0..=FIELDS {
            many.header(b"A", b"", Steps::LEADING_SPACE, &limits)
                .unwrap();
        }
        refused(many, "552 5.3.4 more than 100000 header fields");
    }

    #[test]
    fn a_field_after_the_header_is_out_of_order() {
        let mut draft = draft();
        draft.end_of_header();
        assert!(matches!(
            draft.header(b"A", b"1", Steps::default(), &LIMITS),
            Err(Error::OutOfOrder(_))
        ));
    }

    fn path(path: &str, expected: Option<&str>) {
        let found = address(path.as_bytes(), Some("mx.example.org"));
        assert_eq!(
            found.map(|address| address.to_string()).as_deref(),
            expected
        );
    }

    #[test]
    fn paths() {
        path("<bob@example.net>", Some("bob@example.net"));
        path("bob@example.net", Some("bob@example.net"));
        path("<\"b b\"@example.net>", Some("\"b b\"@example.net"));
        path("<@relay.example:bob@example.net>", Some("bob@example.net"));
        path("<postmaster>", Some("postmaster@mx.example.org"));
        path("<jörg@example.net>", Some("jörg@example.net"));
        path("<bob@>", None);
        path("<>", None);
        path("<bob@example.net", None);
    }

    #[test]
    fn the_envelope() {
        let mut draft = Draft::new(
            &["<>".into(), "BODY=8BITMIME".into(), "SMTPUTF8".into()],
            None,
        );
        draft.rcpt(
            &["<b@example.net>".into(), "NOTIFY=NEVER".into()],
            None,
            &LIMITS,
        );
        let received = finish(draft).unwrap();
        assert_eq!(received.sender, None);
        let parameters = &received.sender_parameters;
        assert_eq!(parameters[0].name, "BODY");
        assert_eq!(parameters[0].value.as_deref(), Some("8BITMIME"));
        assert_eq!(parameters[1].name, "SMTPUTF8");
        assert_eq!(parameters[1].value, None);
        let recipient = &received.recipients[0].recipient;
        assert_eq!(recipient.address.to_string(), "b@example.net");
        assert_eq!(recipient.parameters[0].name, "NOTIFY");
        refused(
            Draft::new(&["<nobody".into()], None),
            "553 5.1.7 sender not understood: <nobody",
        );
    }
}
