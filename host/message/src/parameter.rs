//! Structured values with parameters: `Content-Type` and `Content-Disposition` (RFC 2045
//! §5.1, RFC 2183), with the extensions of RFC 2231.
//!
//! Reading never fails: an unterminated string runs to the end, a parameter without a value
//! is empty, an unquoted value may contain what it should not.

use crate::line::is_blank;
use crate::quoted_printable::hex;
use crate::{charset, encoded_word};

/// A value and its parameters, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Structured {
    /// What stands before the first semicolon, without comments, in lower case.
    pub(crate) value: String,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Structured {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let unfolded: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|octet| !matches!(octet, b'\r' | b'\n'))
            .collect();
        let mut scanner = Scanner {
            octets: &unfolded,
            at: 0,
        };
        let value = scanner.until_semicolon();
        let value = String::from_utf8_lossy(&value).to_ascii_lowercase();
        let mut parameters = Vec::new();
        while scanner.skip_semicolon() {
            if let Some(parameter) = scanner.parameter() {
                parameters.push(parameter);
            }
        }
        Self { value, parameters }
    }

    /// The octets of a parameter, RFC 2231 undone.
    pub(crate) fn octets(&self, name: &str) -> Option<Vec<u8>> {
        match self.plain(name) {
            Some(plain) => Some(plain.to_vec()),
            None => self.extended(name).map(|pieces| decode_pieces(&pieces).1),
        }
    }

    /// The text of a parameter: RFC 2231 undone, else RFC 2047, which many write there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        if let Some(pieces) = self.extended(name) {
            let (charset, octets) = decode_pieces(&pieces);
            return Some(charset::decode(charset, &octets));
        }
        self.plain(name).map(encoded_word::decode)
    }

    /// RFC 2045 §5.1 allows a parameter once; of several, the first counts.
    fn plain(&self, name: &str) -> Option<&[u8]> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// `name*`, or `name*0`, `name*1`… up to the first gap (RFC 2231 §3, §4).
    fn extended(&self, name: &str) -> Option<Vec<Piece>> {
        let mut pieces: Vec<(usize, Piece)> = self
            .parameters
            .iter()
            .filter_map(|(key, value)| {
                let (index, encoded) = section(key.strip_prefix(name)?)?;
                Some((
                    index,
                    Piece {
                        octets: value.clone(),
                        encoded,
                    },
                ))
            })
            .collect();
        pieces.sort_by_key(|(index, _)| *index);
        pieces.dedup_by_key(|(index, _)| *index);
        let whole: Vec<Piece> = pieces
            .into_iter()
            .enumerate()
            .take_while(|(at, (index, _))| at == index)
            .map(|(_, (_, piece))| piece)
            .collect();
        (!whole.is_empty()).then_some(whole)
    }
}

/// One section of a continued parameter.
struct Piece {
    octets: Vec<u8>,
    encoded: bool,
}

/// `*` → (0, encoded), `*3` → (3, plain), `*3*` → (3, encoded).
fn section(suffix: &str) -> Option<(usize, bool)> {
    let suffix = suffix.strip_prefix('*')?;
    if suffix.is_empty() {
        return Some((0, true));
    }
    match suffix.strip_suffix('*') {
        Some(index) => Some((index.parse().ok()?, true)),
        None => Some((suffix.parse().ok()?, false)),
    }
}

/// The charset and the octets: `charset'language'` opens the first section when it is encoded
/// (RFC 2231 §4.1).
fn decode_pieces(pieces: &[Piece]) -> (Option<&str>, Vec<u8>) {
    let mut charset = None;
    let mut octets = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let mut text = piece.octets.as_slice();
        if at == 0 && piece.encoded {
            let mut split = text.splitn(3, |octet| *octet == b'\'');
            if let (Some(name), Some(_), Some(rest)) = (split.next(), split.next(), split.next()) {
                charset = std::str::from_utf8(name).ok();
                text = rest;
            }
        }
        if piece.encoded {
            decode_percent(text, &mut octets);
        } else {
            octets.extend_from_slice(text);
        }
    }
    (charset, octets)
}

fn decode_percent(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        let code = (
            text.get(at + 1).and_then(hex),
            text.get(at + 2).and_then(hex),
        );
        if let (b'%', Some(high), Some(low)) = (octet, code.0, code.1) {
            out.push(high << 4 | low);
            at += 3;
        } else {
            out.push(octet);
            at += 1;
        }
    }
}

struct Scanner<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    /// Skips white space and comments (RFC 5322 §3.2.2).
    fn skip_blanks(&mut self) {
        while let Some(octet) = self.peek() {
            match octet {
                b'(' => self.skip_comment(),
                _ if is_blank(octet) => self.at += 1,
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'(' => depth += 1,
                b')' if depth == 1 => return,
                b')' => depth -= 1,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// Everything before the next semicolon, without comments and outer white space.
    fn until_semicolon(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(octet) = self.peek() {
            match octet {
                b';' => break,
                b'(' => self.skip_comment(),
                _ => {
                    value.push(octet);
                    self.at += 1;
                }
            }
        }
        value.trim_ascii().to_vec()
    }

    fn skip_semicolon(&mut self) -> bool {
        while let Some(octet) = self.peek() {
            self.at += 1;
            if octet == b';' {
                return true;
            }
        }
        false
    }

    /// The parameter here; the scanner stops before the next semicolon.
    fn parameter(&mut self) -> Option<(String, Vec<u8>)> {
        self.skip_blanks();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|octet| !matches!(octet, b'=' | b';'))
        {
            self.at += 1;
        }
        let name = self.octets[start..self.at].trim_ascii();
        if name.is_empty() {
            return None;
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if self.peek() != Some(b'=') {
            return Some((name, Vec::new()));
        }
        self.at += 1;
        self.skip_blanks();
        let value = if self.peek() == Some(b'"') {
            self.quoted()
        } else {
            self.unquoted()
        };
        Some((name, value))
    }

    fn quoted(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut value = Vec::new();
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'"' => break,
                b'\\' => {
                    value.extend(self.peek());
                    self.at += 1;
                }
                _ => value.push(octet),
            }
        }
        value
    }

    /// To the semicolon or a comment: file names with spaces often lack their quotes.
    fn unquoted(&mut self) -> Vec<u8> {
        let start = self.at;
        while let Some(octet) = self.peek() {
            if octet == b';'
                || octet == b'(' && self.at > start && is_blank(self.octets[self.at - 1])
            {
                break;
            }
            self.at += 1;
        }
        self.octets[start..self.at].trim_ascii().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, name: &str, expected: Option<&str>) {
        assert_eq!(
            Structured::parse(raw.as_bytes()).text(name).as_deref(),
            expected,
            "{raw}"
        );
    }

    #[test]
    fn values() {
        let value = |raw: &str| Structured::parse(raw.as_bytes()).value;
        assert_eq!(
            value(" Text/Plain (comment; here) ; charset=x"),
            "text/plain"
        );
        assert_eq!(value(""), "");
        assert_eq!(value("(unterminated"), "");
    }

    #[test]
    fn plain_parameters() {
        check("a/b; name=x", "name", Some("x"));
        check("a/b; NAME = \"x;y\\\"z\" ; n=1", "name", Some("x;y\"z"));
        check(
            "a/b; charset=us-ascii (Plain text)",
            "charset",
            Some("us-ascii"),
        );
        check("a/b; name=my file.txt ; x=y", "name", Some("my file.txt"));
        check("a/b; name=\"x", "name", Some("x"));
        check("a/b; name", "name", Some(""));
        check("a/b;; name=1; name=2", "name", Some("1"));
        check("a/b; boundary=----=_Next;x", "boundary", Some("----=_Next"));
        check("a/b;\r\n\tname=\"a\r\n b\"", "name", Some("a b"));
        check("a/b; name=\"=?utf-8?q?=C3=A4?=\"", "name", Some("ä"));
        check("a/b", "name", None);
    }

    #[test]
    fn rfc2231_parameters() {
        check(
            "a/b; n*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "n",
            Some("This is ***fun***"),
        );
        check(
            "a/b; n*0*=us-ascii'en'This%20is%20even%20; n*1*=%2A%2A%2Afun; n*2=\" isn't it!\"",
            "n",
            Some("This is even ***fun isn't it!"),
        );
        check("a/b; n*1=b; n*0=a", "n", Some("ab"));
        check("a/b; n*0=a; n*2=c", "n", Some("a"));
        check("a/b; n=plain; n*=utf-8''%c3%a4", "n", Some("ä"));
        check("a/b; n*=utf-8''%c3%a", "n", Some("\u{fffd}%a"));
    }
}
