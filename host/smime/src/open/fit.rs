//! Makes what was inside a layer fit for the next hop (rule 8). It passed no border MTA: bare
//! CR and LF, NUL and long lines in it could end a transaction early and begin another (SMTP
//! smuggling).
//!
//! Leaves are re-encoded where that helps, so that their content stays the same (RFC 8551
//! §3.1). Where nothing may be re-encoded (inside a nested multipart/signed, a message/*), the
//! lines are made safe all the same, and a signature in there may break: it was judged before,
//! on the octets as they were.

use bytes::Bytes;
use waxseal_message::{Limits, Message, entity};

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
        None => assembled(&entity::prepare(outer).outer, inner, limits),
    }
}

/// An entity with the header fields that it has.
pub(super) fn whole(inner: &Message, limits: &Limits) -> Message {
    assembled(&entity::prepare(inner).outer, inner, limits)
}

fn assembled(fields: &[Bytes], inner: &Message, limits: &Limits) -> Message {
    let head = entity::assemble(fields, &[], b"");
    // The empty line comes after the content's own fields.
    let head = head.strip_suffix(b"\r\n").unwrap_or(&head);
    let entity = entity::prepare(inner).entity;
    let octets = safe_lines([head, &entity].concat());
    // The limits were those of a message; what was added is within a margin of them.
    Message::parse(octets.clone(), limits)
        .or_else(|_| Message::parse(octets, &Limits::UNLIMITED))
        .unwrap_or_else(|_| inner.clone())
}

/// The octets, or safe lines of them.
fn safe_lines(octets: Vec<u8>) -> Vec<u8> {
    if is_safe(&octets) {
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

fn is_safe(octets: &[u8]) -> bool {
    octets.split_inclusive(|octet| *octet == b'\n').all(|line| {
        let text = line.strip_suffix(b"\r\n");
        let text = text.or((!line.ends_with(b"\n")).then_some(line));
        text.is_some_and(|text| {
            text.len() <= MAX_LINE && !text.iter().any(|octet| matches!(octet, 0 | b'\r'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], expected: &[u8]) {
        assert_eq!(
            String::from_utf8_lossy(&safe_lines(octets.to_vec())),
            String::from_utf8_lossy(expected)
        );
        assert!(is_safe(expected));
        assert_eq!(is_safe(octets), octets == expected);
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
