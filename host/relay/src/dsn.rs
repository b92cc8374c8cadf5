//! Values of the parameters that ask for delivery reports (RFC 3461 §4): xtext, what RFC 6533 §3
//! puts in its place for UTF-8, and NOTIFY.

use std::fmt::Write as _;

/// Longest value of a parameter that is passed on (RFC 3461 §5.4 allows 500 octets to ORCPT).
const OCTETS: usize = 1000;

/// Printable ASCII without `=`, so that it cannot end the parameter or the line.
pub(crate) fn is_value(text: &str) -> bool {
    text.is_ascii() && is_utf8_value(text)
}

/// The same with UTF-8 (RFC 6531 §3.3).
pub(crate) fn is_utf8_value(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && c != '=';
    !text.is_empty() && text.len() <= OCTETS && text.chars().all(allowed)
}

/// RFC 3461 §4: `+` and two capital hexadecimal digits stand for an octet; `+` and `=` do not
/// stand for themselves. Lower-case digits are in use. `None`: it is no xtext.
pub fn decode_xtext(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                let is_hex = digits.bytes().all(|c| c.is_ascii_hexdigit());
                octets.push(is_hex.then(|| u8::from_str_radix(digits, 16).ok())??);
                rest = &rest[2..];
            }
            b'=' => return None,
            b'!'..=b'~' => octets.push(first),
            _ => return None,
        }
    }
    Some(octets)
}

/// The meaning of xtext. MTAs let pass what is none: that stays as it came.
pub(crate) fn meaning(text: &str) -> String {
    let octets = decode_xtext(text);
    let text_of = |octets| String::from_utf8(octets).ok();
    octets.and_then(text_of).unwrap_or_else(|| text.to_owned())
}

/// RFC 3461 §4.1: NEVER alone, or a list of the others, each once.
pub fn is_notify(value: &str) -> bool {
    let words: Vec<String> = value.split(',').map(str::to_ascii_uppercase).collect();
    let repeated = (1..words.len()).any(|at| words[..at].contains(&words[at]));
    let known = |word: &String| ["SUCCESS", "FAILURE", "DELAY"].contains(&word.as_str());
    words == ["NEVER"] || (!repeated && words.iter().all(known))
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
    fn xtext() {
        assert_eq!(decode_xtext("a+20b").unwrap(), b"a b");
        assert_eq!(decode_xtext("+C3+bc").unwrap(), "ü".as_bytes());
        for broken in ["+", "+2", "+2G", "a=b", "a b", "ü", "++2"] {
            assert_eq!(decode_xtext(broken), None, "{broken}");
            assert_eq!(meaning(broken), broken);
        }
        assert_eq!(meaning("a+2Bb+3Dc"), "a+b=c");
        assert_eq!(meaning("+FF"), "+FF");
    }

    #[test]
    fn what_ends_a_parameter_is_no_value() {
        assert!(is_value("a+2B;x") && is_utf8_value("bøb"));
        for text in ["", "a b", "a\r\nb", "a=b", "a\u{a0}b", "\u{85}"] {
            assert!(!is_utf8_value(text), "{text:?}");
        }
        assert!(!is_value("bøb"));
    }

    #[test]
    fn utf8_is_escaped() {
        assert_eq!(escape_non_ascii("bøb@用"), "b\\x{F8}b@\\x{7528}");
    }
}
