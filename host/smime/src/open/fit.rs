//! Makes what was inside a layer fit for the next hop (rule 8). It passed no border MTA: bare
//! CR and LF, NUL and long lines in it could end a transaction early and begin another (SMTP
//! smuggling).
//!
//! What is 7-bit with lines of a length that SMTP takes stays octet for octet. Otherwise leaves
//! are re-encoded, so that their content stays the same (RFC 8551 §3.1). Where nothing may be re-encoded (inside a nested multipart/signed, a message/*), the
//! lines are made safe all the same, and a signature in there may break: it was judged before,
//! on the octets as they were.

use bytes::Bytes;
use waxseal_message::entity::{self, has_safe_lines, is_seven_bit};
use waxseal_message::{Field, Limits, Message};

/// RFC 5321 §4.5.3.1.6, without CR LF.
const MAX_LINE: usize = 998;

/// The message of these outer fields (the message's own when there are none) and the content
/// of an entity.
pub(super) fn message(
    outer: &Message,
    fields: Option<&[Bytes]>,
    inner: &Message,
    limits: &Limits,
) -> Message {
    match fields {
        Some(fields) => assembled(fields, inner, limits),
        None => assembled(&entity::outer_fields(outer), inner, limits),
    }
}

/// An entity with the header fields that it has.
pub(super) fn whole(inner: &Message, limits: &Limits) -> Message {
    assembled(&entity::outer_fields(inner), inner, limits)
}

fn assembled(fields: &[Bytes], inner: &Message, limits: &Limits) -> Message {
    let head = entity::assemble(fields, &[], b"");
    // The empty line comes after the content's own fields.
    let outer = head.strip_suffix(b"\r\n").unwrap_or(&head);
    let own = content_head(inner);
    let octets = if is_seven_bit(&own) && is_seven_bit(inner.body()) {
        if has_safe_lines(outer) {
            // The body is shared with what it came out of.
            return inner.with_head([outer, &own].concat());
        }
        [outer, &own, inner.body()].concat()
    } else {
        let entity = entity::prepare(inner).entity;
        [outer, entity.head(), entity.body()].concat()
    };
    let octets = Bytes::from(safe_lines(octets));
    // The limits were those of a message; what was added is within a margin of them.
    Message::parse(octets.clone(), limits)
        .or_else(|_| Message::parse(octets, &Limits::UNLIMITED))
        .unwrap_or_else(|_| inner.clone())
}

/// The header section of an entity's content as it stands.
fn content_head(inner: &Message) -> Vec<u8> {
    let mut head = Vec::new();
    for field in inner.fields().filter(is_kept) {
        head.extend_from_slice(field.raw());
        if !head.ends_with(b"\n") {
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Content-Length belongs to a mailbox file, MIME-Version to the message.
fn is_kept(field: &Field<'_>) -> bool {
    field.is_content() && !field.is_named("Content-Length") && !field.is_named("MIME-Version")
}

/// The octets, or safe lines of them.
fn safe_lines(octets: Vec<u8>) -> Vec<u8> {
    if has_safe_lines(&octets) {
        return octets;
    }
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 16);
    let mut column = 0;
    let mut rest = octets.iter().copied().peekable();
    while let Some(octet) = rest.next() {
        match octet {
            b'\r' | b'\n' => {
                if octet == b'\r' {
                    rest.next_if_eq(&b'\n');
                }
                out.extend_from_slice(b"\r\n");
                column = 0;
                continue;
            }
            0 => continue,
            _ if column == MAX_LINE => {
                out.extend_from_slice(b"\r\n");
                column = 0;
            }
            _ => {}
        }
        out.push(octet);
        column += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: &[u8] = b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: x/y\r\n\r\nz";

    /// The message as it is handed on, with an inner entity's content.
    fn fitted(inner: &[u8]) -> Message {
        let limits = Limits::default();
        let parse = |octets: &[u8]| Message::parse(octets.to_vec(), &limits).unwrap();
        message(&parse(OUTER), None, &parse(inner), &limits)
    }

    /// What a server makes of the octets that a client sends after DATA (RFC 5321 §4.1.1.4,
    /// §4.5.2): the mail, and the commands that follow it. `ends` are the line ends that this
    /// server takes before and after the dot.
    fn received(sent: &[u8], ends: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let mut at = 0;
        while at < sent.len() {
            for before in ends {
                for after in ends {
                    let end = [before, &b"."[..], after].concat();
                    if sent[at..].starts_with(&end) {
                        return (sent[..at].to_vec(), sent[at + end.len()..].to_vec());
                    }
                }
            }
            at += 1;
        }
        panic!("no end of data");
    }

    /// A client stuffs the dots at the starts of CR LF lines, and ends the data.
    fn sent(message: &Message) -> Vec<u8> {
        let octets = message.to_bytes();
        let mut out = Vec::new();
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let end = rest
                .windows(2)
                .position(|it| it == b"\r\n")
                .map_or(rest.len(), |it| it + 2);
            if rest.starts_with(b".") {
                out.push(b'.');
            }
            out.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        }
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\nQUIT\r\n");
        out
    }

    #[test]
    fn rule_08_a_second_transaction_inside_stays_inside() {
        const SECOND: &str =
            "MAIL FROM:<x@y>\r\nRCPT TO:<z@y>\r\nDATA\r\nFrom: boss\r\n\r\npay\r\n";
        let ends: [&[u8]; 5] = [b"\r\n", b"\n", b"\r", b"\r\0\n", b"\r\r\n"];
        let kinds = [
            "Content-Type: text/plain\r\n\r\n",
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            "\r\n",
            "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n",
            "Content-Type: text/plain\r\nX-Odd: a\rb\r\n\r\n",
        ];
        for kind in kinds {
            for before in ends {
                for after in ends {
                    let attack = [
                        kind.as_bytes(),
                        b"hi",
                        before,
                        b".",
                        after,
                        SECOND.as_bytes(),
                    ];
                    let fitted = fitted(&attack.concat());
                    let (_, commands) = received(&sent(&fitted), &ends);
                    assert_eq!(commands, b"QUIT\r\n", "{kind:?} {before:?} {after:?}");
                    assert!(
                        fitted
                            .to_bytes()
                            .starts_with(b"From: a@example.org\r\nMIME-Version")
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_fit_stays_octet_for_octet() {
        let inner = b"X-Inner: 1\r\nContent-Type: text/plain\r\n\r\nFrom here  \r\n-- \r\n.\r\nme";
        assert_eq!(
            fitted(inner).to_bytes(),
            &b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\
               From here  \r\n-- \r\n.\r\nme"[..]
        );
    }

    #[test]
    fn leaves_keep_their_content() {
        let inner = b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa4\n.\r\n";
        let fitted = fitted(inner);
        assert!(fitted.body().is_ascii());
        assert_eq!(&fitted.root().decoded()[..], b"\xc3\xa4\n.\r\n");
    }

    fn check(octets: &[u8], expected: &[u8]) {
        assert_eq!(
            String::from_utf8_lossy(&safe_lines(octets.to_vec())),
            String::from_utf8_lossy(expected)
        );
        assert!(has_safe_lines(expected));
        assert_eq!(has_safe_lines(octets), octets == expected);
    }

    #[test]
    fn rule_08_lines_are_safe() {
        check(b"", b"");
        check(b"a\r\n.\r\n\xe4", b"a\r\n.\r\n\xe4");
        check(b"a\n.\r\nMAIL", b"a\r\n.\r\nMAIL");
        check(b"a\r.\rb\r\r\n", b"a\r\n.\r\nb\r\n\r\n");
        check(b"a\0b\r\n", b"ab\r\n");
        let long = [b"x".repeat(1000), b"\r\n".to_vec()].concat();
        let cut = [b"x".repeat(998), b"\r\nxx\r\n".to_vec()].concat();
        check(&long, &cut);
    }
}
