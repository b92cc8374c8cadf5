//! The octets between leaves: header sections of parts, delimiters, and the text before,
//! between and after the parts of a multipart.

use crate::head::FieldSpan;
use crate::line::{lines, trim_end};
use crate::tree::Delimiter;

use super::fault::LINE;

/// Header fields, canonical: CR LF, no white space at a line's end, ended by a line end.
///
/// Unfolding gives the same value but for that white space, which has no meaning outside
/// quoted strings; inside them it stays.
pub(crate) fn header(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 2);
    let mut in_string = false;
    for line in lines(octets) {
        let text = line.text(octets);
        in_string = in_string_after(in_string, text);
        let text = if in_string { text } else { trim_end(text) };
        // A continuation of nothing but white space must not become the empty line.
        if !text.is_empty() {
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fn in_string_after(mut in_string: bool, text: &[u8]) -> bool {
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' if in_string => {
                octets.next();
            }
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    in_string
}

/// Header fields with the transfer encoding set: where it first stood, or after the others.
pub(crate) fn with_encoding(octets: &[u8], fields: &[FieldSpan], encoding: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 48);
    let mut field = Some(format!("Content-Transfer-Encoding: {encoding}\r\n"));
    for span in fields {
        if octets[span.name.clone()].eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            out.extend(field.take().unwrap_or_default().into_bytes());
        } else {
            out.extend(header(&octets[span.whole()]));
        }
    }
    out.extend(field.unwrap_or_default().into_bytes());
    out
}

/// The octets of a multipart outside its parts: delimiters, and text that has no meaning
/// (RFC 2046 §5.1.1), made safe.
pub(crate) fn between(octets: &[u8], boundary: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for line in lines(octets) {
        let text = line.text(octets);
        if Delimiter::of(text, boundary).is_some() {
            out.extend_from_slice(trim_end(text));
        } else {
            out.extend(meaningless(text));
        }
        if !line.ending(octets).is_empty() {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fn meaningless(text: &[u8]) -> Vec<u8> {
    let mut safe: Vec<u8> = text
        .iter()
        .map(|octet| {
            if matches!(octet, 1..=12 | 14..=127) {
                *octet
            } else {
                b'?'
            }
        })
        .collect();
    if safe.starts_with(b"From ") {
        safe.insert(0, b'>');
    }
    safe.truncate(LINE);
    safe.truncate(trim_end(&safe).len());
    // A changed line must not become a delimiter.
    if safe != text && safe.starts_with(b"--") {
        safe.clear();
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_header(octets: &str, expected: &str) {
        assert_eq!(
            String::from_utf8(header(octets.as_bytes())).unwrap(),
            expected
        );
    }

    #[test]
    fn headers() {
        check_header("A: b; \n c \r\n", "A: b;\r\n c\r\n");
        check_header("A: \"b \r\n c\"; \r\n", "A: \"b \r\n c\";\r\n");
        check_header("A: b\r\n \r\n c", "A: b\r\n c\r\n");
        check_header("A:\r\n", "A:\r\n");
    }

    fn check_between(octets: &[u8], expected: &str) {
        assert_eq!(String::from_utf8(between(octets, b"b")).unwrap(), expected);
    }

    #[test]
    fn preambles_and_delimiters() {
        check_between(b"Pr\xe4amble \n--b \n", "Pr?amble\r\n--b\r\n");
        check_between(b"From me\r\n\r\n--b--", ">From me\r\n\r\n--b--");
        check_between(b"a\rb\0\r\n--c\r\n--c \r\n", "a?b?\r\n--c\r\n\r\n");
        check_between(&[b'x'; 2000], &"x".repeat(998));
    }
}
