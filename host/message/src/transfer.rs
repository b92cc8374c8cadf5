//! Transfer encodings (RFC 2045 §6.7, §6.8), done and undone.
//!
//! Undoing never fails: what the encoding forbids is kept (quoted-printable) or skipped
//! (base64), as most readers do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::line::{is_blank, lines, trim_end};

/// RFC 2045 §6.7 (5) and §6.8: encoded lines have at most 76 characters.
const LINE: usize = 76;

/// `octets` in base64, in lines of 76 characters that end with CR LF (RFC 2045 §6.8).
pub fn base64_lines(octets: &[u8]) -> Vec<u8> {
    const GROUP: usize = LINE / 4 * 3;
    let mut out = String::with_capacity(octets.len().div_ceil(GROUP) * (LINE + 2));
    for chunk in octets.chunks(GROUP) {
        STANDARD.encode_string(chunk, &mut out);
        out.push_str("\r\n");
    }
    out.into_bytes()
}

/// The same base64 text in lines of 76 characters: what is not of its alphabet is dropped, as
/// RFC 2045 §6.8 has every reader do, so each reader decodes what it decoded before.
pub(crate) fn rewrap_base64(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / LINE * 2 + 2);
    let mut column = 0;
    for &octet in encoded
        .iter()
        .filter(|octet| **octet == b'=' || sextet(**octet).is_some())
    {
        if column == LINE {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(octet);
        column += 1;
    }
    if column > 0 {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Undoes base64: other characters are skipped, and padding ends the data (RFC 2045 §6.8).
pub(crate) fn decode_base64(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut bits, mut count, mut pads) = (0_u32, 0, 0);
    for &octet in encoded {
        if octet == b'=' {
            pads += 1;
            if count >= 2 && count + pads >= 4 {
                break;
            }
        } else if let Some(value) = sextet(octet) {
            (bits, count, pads) = (bits << 6 | u32::from(value), count + 1, 0);
            if count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
        }
    }
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
    out
}

fn sextet(octet: u8) -> Option<u8> {
    Some(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Undoes quoted-printable (RFC 2045 §6.7). Line ends stay as they stand; white space at a
/// line's end is padding; an `=` that begins no code stands for itself.
pub(crate) fn decode_quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    for line in lines(encoded) {
        let text = trim_end(line.text(encoded));
        match text.strip_suffix(b"=") {
            Some(text) => decode_codes(text, &mut out),
            None => {
                decode_codes(text, &mut out);
                out.extend_from_slice(line.ending(encoded));
            }
        }
    }
    out
}

/// Undoes the `=XX` codes of one line.
pub(crate) fn decode_codes(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        let code = (
            rest.get(at + 1).and_then(hex),
            rest.get(at + 2).and_then(hex),
        );
        if let (Some(high), Some(low)) = code {
            out.push(high << 4 | low);
            rest = &rest[at + 3..];
        } else {
            out.push(b'=');
            rest = &rest[at + 1..];
        }
    }
    out.extend_from_slice(rest);
}

pub(crate) fn hex(octet: &u8) -> Option<u8> {
    char::from(*octet).to_digit(16).map(|digit| digit as u8)
}

/// `octets` in quoted-printable: CR LF are line breaks, every other octet comes back as it
/// is. No line begins with `--` (it might be taken for a boundary), with `From ` or with a dot.
pub(crate) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 8);
    let mut next = 0;
    while next < octets.len() {
        let length = memchr::memmem::find(&octets[next..], b"\r\n").unwrap_or(octets.len() - next);
        encode_line(&octets[next..next + length], &mut out);
        next += length;
        if next < octets.len() {
            out.extend_from_slice(b"\r\n");
            next += 2;
        }
    }
    out
}

fn encode_line(text: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, &octet) in text.iter().enumerate() {
        let last = at + 1 == text.len();
        let mut literal = is_literal(octet, last);
        let width = if literal && !(column == 0 && must_hide(&text[at..])) {
            1
        } else {
            3
        };
        // RFC 2045 §6.7 (5): the `=` of a soft break is one of the 76.
        if column + width > if last { LINE } else { LINE - 1 } {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        literal &= column > 0 || !must_hide(&text[at..]);
        if literal {
            out.push(octet);
            column += 1;
        } else {
            out.extend_from_slice(&code(octet));
            column += 3;
        }
    }
}

fn is_literal(octet: u8, last: bool) -> bool {
    match octet {
        b'=' => false,
        b' ' | b'\t' => !last,
        _ => octet.is_ascii_graphic(),
    }
}

/// Whether a line must not begin like this.
fn must_hide(rest: &[u8]) -> bool {
    rest.starts_with(b"--") || rest.starts_with(b"From ") || rest.starts_with(b".")
}

pub(crate) fn code(octet: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [
        b'=',
        DIGITS[usize::from(octet >> 4)],
        DIGITS[usize::from(octet & 15)],
    ]
}

/// Octets that quoted-printable writes as three, for choosing an encoding.
pub(crate) fn count_codes(octets: &[u8]) -> usize {
    octets
        .iter()
        .filter(|octet| {
            !octet.is_ascii_graphic() && !is_blank(**octet) && !matches!(octet, b'\r' | b'\n')
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_qp(decoded: &str, encoded: &str) {
        assert_eq!(
            String::from_utf8(quoted_printable(decoded.as_bytes())).unwrap(),
            encoded
        );
        assert_eq!(
            decode_quoted_printable(encoded.as_bytes()),
            decoded.as_bytes()
        );
    }

    #[test]
    fn quoted_printable_lines() {
        check_qp("a=b\r\n", "a=3Db\r\n");
        check_qp("é \r\nx\t", "=C3=A9=20\r\nx=09");
        check_qp("a\rb\nc\0", "a=0Db=0Ac=00");
        check_qp(
            "From me\r\n.\r\n-- \r\n--b",
            "=46rom me\r\n=2E\r\n=2D-=20\r\n=2D-b",
        );
        check_qp(&"x".repeat(76), &"x".repeat(76));
        check_qp(&"x".repeat(77), &format!("{}=\r\nxx", "x".repeat(75)));
        check_qp(
            &format!("{}--b", "x".repeat(75)),
            &format!("{}=\r\n=2D-b", "x".repeat(75)),
        );
        check_qp(
            &format!("{}é", "x".repeat(73)),
            &format!("{}=\r\n=C3=A9", "x".repeat(73)),
        );
    }

    fn check_decode_qp(encoded: &str, decoded: &str) {
        assert_eq!(
            decode_quoted_printable(encoded.as_bytes()),
            decoded.as_bytes()
        );
    }

    #[test]
    fn tolerant_quoted_printable() {
        check_decode_qp("a= \t\r\nb", "ab");
        check_decode_qp("a  \nb", "a\nb");
        check_decode_qp("=4a=4A", "JJ");
        check_decode_qp("=XY =", "=XY ");
        check_decode_qp("a=4", "a=4");
    }

    fn check_base64(encoded: &str, decoded: &str) {
        assert_eq!(decode_base64(encoded.as_bytes()), decoded.as_bytes());
        assert_eq!(
            decode_base64(&rewrap_base64(encoded.as_bytes())),
            decoded.as_bytes()
        );
    }

    #[test]
    fn tolerant_base64() {
        check_base64("", "");
        check_base64("YQ==", "a");
        check_base64("YWI=", "ab");
        check_base64("YWJj", "abc");
        check_base64("YW\r\n Jj\0ZA", "abcd");
        check_base64("YQ==YWJj", "a");
        check_base64("=YWJj", "abc");
        check_base64("Y", "");
    }

    #[test]
    fn base64_has_lines_of_76() {
        let lines = base64_lines(&[0; 58]);
        assert_eq!(lines, [&[b'A'; 76][..], b"\r\nAA==\r\n"].concat());
        assert_eq!(
            rewrap_base64(&[b'A'; 152]),
            [&[b'A'; 76][..], b"\r\n", &[b'A'; 76], b"\r\n"].concat()
        );
    }
}
