//! xtext (RFC 3461 §4) and what RFC 6533 §3 puts in its place for UTF-8.

use std::fmt::Write as _;

/// Longest value of a parameter that is passed on (RFC 3461 §5.4 allows 500 octets to ORCPT).
const OCTETS: usize = 1000;

/// Printable ASCII without `=`, so that it cannot end the parameter or the line.
pub(crate) fn is_valid(text: &str) -> bool {
    text.is_ascii() && is_valid_utf8(text)
}

/// The same with UTF-8 (RFC 6531 §3.3).
pub(crate) fn is_valid_utf8(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && c != '=';
    !text.is_empty() && text.len() <= OCTETS && text.chars().all(allowed)
}

/// `+2B` → `+`. What is no xtext stays.
pub(crate) fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('+') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let code = rest.get(1..3).filter(|code| {
            // RFC 3461 §4: hexchar is upper case.
            let is_hex = |octet: u8| matches!(octet, b'0'..=b'9' | b'A'..=b'F');
            code.bytes().all(is_hex)
        });
        let octet = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match octet.filter(u8::is_ascii) {
            Some(octet) => {
                out.push(octet.into());
                rest = &rest[3..];
            }
            None => {
                out.push('+');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// RFC 6533 §3: characters outside ASCII as `\x{F8}`.
pub(crate) fn escape_non_ascii(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "\\x{{{:X}}}", u32::from(character));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_is_decoded() {
        assert_eq!(decode("a+2Bb+3Dc"), "a+b=c");
        assert_eq!(decode("a+2bc+"), "a+2bc+");
        assert_eq!(decode("+FF+é1"), "+FF+é1");
    }

    #[test]
    fn what_ends_a_parameter_is_no_value() {
        assert!(is_valid("a+2B;x") && is_valid_utf8("bøb"));
        for text in ["", "a b", "a\r\nb", "a=b", "a\u{a0}b", "\u{85}"] {
            assert!(!is_valid_utf8(text), "{text:?}");
        }
        assert!(!is_valid("bøb"));
    }

    #[test]
    fn utf8_is_escaped() {
        assert_eq!(escape_non_ascii("bøb@用"), "b\\x{F8}b@\\x{7528}");
    }
}
