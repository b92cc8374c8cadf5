//! The header fields that stay outside, and the message made of them and new content.

use bytes::Bytes;

use crate::Field;
use crate::field::is_content_name;
use crate::fold::fold;
use crate::line::{Line, lines};

use super::fault::LINE;

/// Fields that describe the octets of a mailbox file (RFC 2076 §3.12) and would lie after a
/// change of the content.
fn is_dropped(name: &str) -> bool {
    ["Content-Length", "Lines", "MIME-Version"]
        .iter()
        .any(|dropped| name.eq_ignore_ascii_case(dropped))
}

/// Whether the field goes inside with the content.
pub(super) fn is_content(field: &Field<'_>) -> bool {
    field.is_content() && !is_dropped(field.name())
}

/// The field as it stays outside, legal for SMTP (RFC 5321 §2.3.8): CR LF, no bare CR, no
/// NUL, no line over 998 octets where it can be folded. `None` if it does not stay. `head` holds
/// it, and is shared if nothing needs a change.
pub(super) fn field(head: &Bytes, field: &Field<'_>) -> Option<Bytes> {
    if field.is_content() || is_dropped(field.name()) {
        return None;
    }
    let raw = field.raw();
    if is_legal(field) {
        return Some(head.slice_ref(raw));
    }
    let mut out = Vec::with_capacity(raw.len() + 2);
    for (index, line) in lines(raw).enumerate() {
        let mut text = line.text(raw).to_vec();
        if index == 0 {
            close_up_name(&mut text);
        }
        for octet in text.iter_mut().filter(|octet| matches!(octet, 0 | b'\r')) {
            *octet = b' ';
        }
        // RFC 5322 §4.2: a continuation of nothing but white space is obsolete; some readers
        // take it for the end of the header section.
        if !text.trim_ascii().is_empty() {
            push_folded(&text, &mut out);
        }
    }
    Some(out.into())
}

/// Whether the field needs no change.
fn is_legal(field: &Field<'_>) -> bool {
    let raw = field.raw();
    let is_closed_up = raw.len() == field.name().len() + 1 + field.raw_value().len();
    let is_line = |line: Line| {
        line.ending(raw) == b"\r\n"
            && line.text_end - line.start <= LINE
            && !line.text(raw).trim_ascii().is_empty()
    };
    is_closed_up
        && memchr::memchr2_iter(0, b'\r', raw)
            .all(|at| raw[at] == b'\r' && raw.get(at + 1) == Some(&b'\n'))
        && lines(raw).all(is_line)
}

/// RFC 5322 §4.5: white space between name and colon is obsolete; some readers take the field
/// for the end of the header section.
fn close_up_name(line: &mut Vec<u8>) {
    if let Some(colon) = memchr::memchr(b':', line) {
        let end = line[..colon].trim_ascii_end().len();
        line.drain(end..colon);
    }
}

/// The line, in several if it is over 998 octets and has white space to fold at.
fn push_folded(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while rest.len() > LINE {
        // Not at the start, or the first line would be empty; not where only white space would follow or stand.
        let fold = (1..=LINE).rev().find(|&at| {
            matches!(rest[at], b' ' | b'\t')
                && !matches!(rest[at - 1], b' ' | b'\t')
                && !rest[at..].trim_ascii().is_empty()
        });
        let Some(at) = fold else { break };
        // What fits no line of its own is no shorter for a fold before it.
        let word = rest[at..].trim_ascii_start();
        let end = word.iter().position(u8::is_ascii_whitespace);
        if end.unwrap_or(word.len()) >= LINE {
            break;
        }
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[at..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\r\n");
}

/// A message: the outer fields, `MIME-Version: 1.0`, the content fields, and the body, which
/// is canonical already (RFC 8551 §3.1).
///
/// `outer` holds raw fields that end with CR LF, as [`super::Prepared::outer`] has them;
/// content fields among them are left out, so that each occurs once.
pub fn assemble(outer: &[Bytes], content_fields: &[(&str, String)], body: &[u8]) -> Bytes {
    let kept = outer.iter().filter(|raw| !is_content_name(raw_name(raw)));
    let length: usize = outer.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(length + body.len() + 512);
    for raw in kept {
        out.extend_from_slice(raw);
        if !raw.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    out.extend_from_slice(&content_head(content_fields));
    out.extend_from_slice(body);
    out.into()
}

/// The header section of an entity: these fields, and the empty line.
pub fn content_head(fields: &[(&str, String)]) -> Vec<u8> {
    let mut out = String::with_capacity(256);
    for (name, value) in fields {
        // One line each: a line end in a value would begin another field.
        let value: String = value
            .chars()
            .filter(|character| !character.is_control() || *character == '\t')
            .collect();
        out.push_str(&fold(name, &value, "\r\n"));
    }
    out.push_str("\r\n");
    out.into_bytes()
}

fn raw_name(raw: &[u8]) -> &str {
    let end = raw
        .iter()
        .position(|octet| matches!(octet, b':' | b' ' | b'\t'))
        .unwrap_or(raw.len());
    std::str::from_utf8(&raw[..end]).unwrap_or_default()
}
