//! Base64 (RFC 2045 §6.8), done and undone. Undoing never fails: what is not of its alphabet
//! is skipped.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// RFC 2045 §6.8: encoded lines have at most 76 characters.
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
pub(crate) fn rewrap(encoded: &[u8]) -> Vec<u8> {
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
pub(crate) fn decode(encoded: &[u8]) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check_base64(encoded: &str, decoded: &str) {
        assert_eq!(decode(encoded.as_bytes()), decoded.as_bytes());
        assert_eq!(decode(&rewrap(encoded.as_bytes())), decoded.as_bytes());
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
            rewrap(&[b'A'; 152]),
            [&[b'A'; 76][..], b"\r\n", &[b'A'; 76], b"\r\n"].concat()
        );
    }
}
