//! Encoded words in header fields (RFC 2047), read and written.
//!
//! Reading is tolerant: words are recognised anywhere, next to other text and in quoted
//! strings, as readers do. Raw 8-bit octets are read as UTF-8 (RFC 6532), U+FFFD for others.

use crate::quoted_printable::{code, decode_codes};
use crate::{base64, charset};

/// One encoded word, its transfer encoding undone.
struct Word<'a> {
    charset: &'a str,
    octets: Vec<u8>,
    length: usize,
}

/// Decodes the encoded words of an unfolded value.
pub(crate) fn decode(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut pending: Option<(&str, Vec<u8>)> = None;
    let mut rest = value;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let Some(word) = word(&rest[at..]) else {
            flush(&mut pending, &mut out);
            push_text(&rest[..at + 2], &mut out);
            rest = &rest[at + 2..];
            continue;
        };
        let between = &rest[..at];
        // RFC 2047 §6.2: white space between two encoded words is not shown.
        let adjacent = pending.is_some() && between.iter().all(u8::is_ascii_whitespace);
        match &mut pending {
            // Writers cut characters in two, so the octets are joined before decoding.
            Some((charset, octets)) if adjacent && charset.eq_ignore_ascii_case(word.charset) => {
                octets.extend(word.octets);
            }
            _ => {
                flush(&mut pending, &mut out);
                if !adjacent {
                    push_text(between, &mut out);
                }
                pending = Some((word.charset, word.octets));
            }
        }
        rest = &rest[at + word.length..];
    }
    flush(&mut pending, &mut out);
    push_text(rest, &mut out);
    out
}

fn flush(pending: &mut Option<(&str, Vec<u8>)>, out: &mut String) {
    if let Some((name, octets)) = pending.take() {
        out.push_str(&charset::decode(Some(name), &octets));
    }
}

fn push_text(text: &[u8], out: &mut String) {
    out.push_str(&String::from_utf8_lossy(text));
}

/// The encoded word that `text` begins with: `=?charset*language?encoding?text?=`.
fn word(text: &[u8]) -> Option<Word<'_>> {
    let mut fields = text.get(2..)?.splitn(4, |octet| *octet == b'?');
    let (charset, encoding, encoded) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next()?.first() != Some(&b'=') {
        return None;
    }
    let octets = match encoding {
        b"B" | b"b" => base64::decode(encoded),
        b"Q" | b"q" => decode_q(encoded),
        _ => return None,
    };
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + encoded.len() + 2;
    if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    // RFC 2231 §5: the language follows the charset after a star.
    let charset = charset.split(|octet| *octet == b'*').next()?;
    Some(Word {
        charset: std::str::from_utf8(charset).ok()?,
        octets,
        length,
    })
}

/// RFC 2047 §4.2.
fn decode_q(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|octet| if *octet == b'_' { b' ' } else { *octet })
        .collect();
    let mut out = Vec::with_capacity(spaced.len());
    decode_codes(&spaced, &mut out);
    out
}

/// RFC 2047 §2: an encoded word has at most 75 characters.
const WORD: usize = 75;
const OPEN: &str = "=?utf-8?q?";
const CLOSE: &str = "?=";

/// Whether this word of a value cannot be written as it is.
fn needs_encoding(word: &str) -> bool {
    !word.is_ascii() || word.contains("=?") || word.len() > 900
}

/// Writes `text` as printable ASCII with encoded words in UTF-8, separated by single spaces
/// where they had to be cut. Words that need no encoding stay readable.
pub(crate) fn encode(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out = String::new();
    let mut at = 0;
    while at < words.len() {
        if at > 0 {
            out.push(' ');
        }
        if !needs_encoding(words[at]) {
            out.push_str(words[at]);
            at += 1;
            continue;
        }
        // Neighbours are encoded together: the space between two encoded words vanishes. Empty
        // words, of doubled spaces, belong to the run when another word to encode follows.
        let run = words[at..]
            .iter()
            .take_while(|word| word.trim_matches('\t').is_empty() || needs_encoding(word))
            .count();
        let run = words[at..at + run]
            .iter()
            .rposition(|word| needs_encoding(word))
            .map_or(1, |last| last + 1);
        encode_run(&words[at..at + run].join(" "), &mut out);
        at += run;
    }
    out
}

/// `text` in as many encoded words as it takes, no character cut (RFC 2047 §5).
pub(crate) fn encode_run(text: &str, out: &mut String) {
    let mut line = 0;
    for (at, character) in text.char_indices() {
        let mut buffer = [0; 4];
        let encoded = encode_q(character.encode_utf8(&mut buffer));
        if at == 0 {
            out.push_str(OPEN);
            line = OPEN.len();
        } else if line + encoded.len() + CLOSE.len() > WORD {
            out.push_str(CLOSE);
            out.push(' ');
            out.push_str(OPEN);
            line = OPEN.len();
        }
        out.push_str(&encoded);
        line += encoded.len();
    }
    if !text.is_empty() {
        out.push_str(CLOSE);
    }
}

/// RFC 2047 §5 (3): letters and digits are safe in every position.
fn encode_q(character: &str) -> String {
    character
        .bytes()
        .map(|octet| match octet {
            b' ' => "_".to_owned(),
            _ if octet.is_ascii_alphanumeric() => char::from(octet).to_string(),
            _ => code(octet).iter().copied().map(char::from).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        assert_eq!(decode(value.as_bytes()), expected);
    }

    #[test]
    fn reads_words() {
        check("plain", "plain");
        check("=?utf-8?q?=C3=A4_b?=", "ä b");
        check("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab");
        check("=?ISO-8859-1?Q?a?= b", "a b");
        check("(=?ISO-8859-1*en?Q?a_b?=)", "(a b)");
        check("x =?utf-8?B?w6Q=?= y", "x ä y");
        check("=?utf-8?b?w6?= =?UTF-8?b?Q=?=", "\u{fffd}");
        check("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä");
        check("=?utf-8?q?a?=  =?iso-8859-1?q?=E4?=", "aä");
        check("Ä", "Ä");
    }

    #[test]
    fn leaves_what_is_no_word() {
        for text in [
            "=?",
            "=?x",
            "=?utf-8?z?a?=",
            "=?utf-8?q?a",
            "=?utf-8?q?a?b",
            "=??q?a?=",
            "a=?=?=?",
        ] {
            check(text, text);
        }
        check("=?=?utf-8?q?a?=", "=?a");
    }

    #[test]
    fn is_linear() {
        let bomb = "=?x?q?".repeat(40_000);
        assert_eq!(decode(bomb.as_bytes()).len(), bomb.len());
    }

    fn check_encode(text: &str, expected: &str) {
        let encoded = encode(text);
        assert_eq!(encoded, expected);
        assert_eq!(decode(encoded.as_bytes()), text);
    }

    #[test]
    fn writes_words() {
        check_encode("plain text", "plain text");
        check_encode(
            "[x] Grüße aus Köln, ok",
            "[x] =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln=2C?= ok",
        );
        check_encode("ä ö", "=?utf-8?q?=C3=A4_=C3=B6?=");
        check_encode("ä  ö x", "=?utf-8?q?=C3=A4__=C3=B6?= x");
        check_encode("ä \t ö", "=?utf-8?q?=C3=A4_=09_=C3=B6?=");
        check_encode("ä  x", "=?utf-8?q?=C3=A4?=  x");
        check_encode("=?utf-8?q?a?=", "=?utf-8?q?=3D=3Futf=2D8=3Fq=3Fa=3F=3D?=");
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let text = "ä".repeat(40);
        let encoded = encode(&text);
        assert!(encoded.split(' ').all(|word| word.len() <= 75));
        assert_eq!(decode(encoded.as_bytes()), text);
    }
}
