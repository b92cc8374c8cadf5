//! Quoted-printable (RFC 2045 §6.7): done, undone, and repaired where transport would change
//! it. Undoing never fails: what the encoding forbids is kept.

use crate::line::{is_blank, lines, trim_end};

/// RFC 2045 §6.7 (5): encoded lines have at most 76 characters.
const LINE: usize = 76;

/// Undoes quoted-printable (RFC 2045 §6.7). Line ends stay as they stand; an `=` that begins
/// no code stands for itself.
///
/// White space at a line's end is kept, where RFC 2045 §6.7 (3) would delete it as added by
/// transport: today it is what careless writers mean, most mail clients show it, and what is
/// encoded anew must not lose it. After a soft break it is padding.
pub(crate) fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    for line in lines(encoded) {
        let text = line.text(encoded);
        match trim_end(text).strip_suffix(b"=") {
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
pub(crate) fn encode(octets: &[u8]) -> Vec<u8> {
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

/// The same text made safe for transport, as every reader understands it: octets that may not
/// stand there become codes, lines over 998 octets are broken, and nothing else changes, so
/// that what is malformed stays what each reader takes it for.
pub(crate) fn repair(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / 16);
    for line in lines(encoded) {
        let text = line.text(encoded);
        let soft = trim_end(text).strip_suffix(b"=");
        push_wrapped(&repair_line(soft.unwrap_or(text), soft.is_some()), &mut out);
        match (soft, line.ending(encoded)) {
            (Some(_), b"") => out.push(b'='),
            (Some(_), _) => out.extend_from_slice(b"=\r\n"),
            // The line end is content, and CR LF would be another.
            (None, b"\n") => out.extend_from_slice(b"=0A=\r\n"),
            (None, ending) => out.extend_from_slice(ending),
        }
    }
    out
}

fn repair_line(text: &[u8], is_soft: bool) -> Vec<u8> {
    let is_forbidden = |octet: u8| !octet.is_ascii() || matches!(octet, 0 | b'\r');
    let mut out = Vec::with_capacity(text.len());
    for (at, &octet) in text.iter().enumerate() {
        let next = text.get(at + 1).copied();
        let needs_code = is_forbidden(octet)
            // A lone equals sign must not run into the code that follows it.
            || octet == b'=' && next.is_some_and(is_forbidden)
            || next.is_none() && is_blank(octet) && !is_soft
            || at == 0 && text.starts_with(b"From ");
        if needs_code {
            out.extend_from_slice(&code(octet))
        } else {
            out.push(octet)
        }
    }
    out
}

/// Appends a line; with soft breaks if it is too long for transport.
fn push_wrapped(text: &[u8], out: &mut Vec<u8>) {
    // RFC 5322 §2.1.1, less a soft break.
    const LONGEST: usize = 990;
    let mut rest = text;
    while rest.len() > LONGEST {
        let can_break = |at: &usize| rest[*at - 2] != b'=' && rest[*at - 1] != b'=';
        let is_whole = |at: &usize| !is_code(&rest[*at - 2..]) && !is_code(&rest[*at - 1..]);
        let at = (LINE - 4..LONGEST)
            .find(can_break)
            .or_else(|| (LINE - 4..LONGEST).find(is_whole));
        let at = at.unwrap_or(LONGEST);
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"=\r\n");
        rest = &rest[at..];
        if must_hide(rest) {
            out.extend_from_slice(&code(rest[0]));
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
}

fn is_code(text: &[u8]) -> bool {
    matches!(text, [b'=', high, low, ..] if hex(high).is_some() && hex(low).is_some())
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
    use proptest::prelude::*;

    use super::*;

    fn check_qp(decoded: &str, encoded: &str) {
        assert_eq!(
            String::from_utf8(encode(decoded.as_bytes())).unwrap(),
            encoded
        );
        assert_eq!(decode(encoded.as_bytes()), decoded.as_bytes());
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
        assert_eq!(decode(encoded.as_bytes()), decoded.as_bytes());
    }

    #[test]
    fn tolerant_quoted_printable() {
        check_decode_qp("a= \t\r\nb", "ab");
        check_decode_qp("a  \nb", "a  \nb");
        check_decode_qp("=4a=4A", "JJ");
        check_decode_qp("=XY =", "=XY ");
        check_decode_qp("=XY = ", "=XY ");
        check_decode_qp("a=4", "a=4");
    }

    fn check_repair(encoded: &[u8], expected: &str) {
        let repaired = repair(encoded);
        assert_eq!(String::from_utf8_lossy(&repaired), expected);
        assert_eq!(decode(&repaired), decode(encoded));
    }

    #[test]
    fn repairs_only_what_transport_changes() {
        check_repair(b"===== a=\xe4 \r\n=ZZ", "===== a=3D=E4=20\r\n=ZZ");
        check_repair(b"From a= \r\n\tb", "=46rom a=\r\n\tb");
        check_repair(b"a\nb=\nc", "a=0A=\r\nb=\r\nc");
        check_repair(b"a\0\r", "a=00=0D");
        check_repair(b"a=", "a=");
    }

    #[test]
    fn repairs_long_lines() {
        for unit in ["a", "=", "-", "=41", "=4", ".", "From ", "= "] {
            let encoded = unit.repeat(3000);
            let repaired = repair(encoded.as_bytes());
            assert!(
                lines(&repaired).all(|line| line.text_end - line.start <= 998),
                "{unit}"
            );
            assert_eq!(decode(&repaired), decode(encoded.as_bytes()), "{unit}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(2045), ..ProptestConfig::default() })]

        #[test]
        fn decoding_undoes_encoding(octets in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&octets)), octets);
        }

        #[test]
        fn repairing_keeps_the_content(encoded in proptest::collection::vec(proptest::sample::select(&b"=4F \t\r\n\xe4.-"[..]), 0..40)) {
            let repaired = repair(&encoded);
            prop_assert_eq!(decode(&repaired), decode(&encoded));
            prop_assert_eq!(repair(&repaired), repaired);
        }
    }
}
