//! Replies of the next hop (RFC 5321 §4.2): read within bounds, and made safe to pass on.
//!
//! What a next hop says is as little to be trusted as any other input: an endless reply, a line
//! without end, or octets that would break out of the line in which we quote it.

use std::fmt;

use waxseal_policy::reply::{Reply, is_enhanced, printable};

/// RFC 5321 §4.5.3.1.5 allows 512 octets; servers exceed it.
const LINE_OCTETS: usize = 2048;
/// The longest replies are those to EHLO.
const LINES: usize = 128;
/// What is passed on leaves room for code, id and line end in 512 octets.
const TEXT_OCTETS: usize = 400;

/// A reply: at least one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopReply {
    /// From 200 to 599.
    pub code: u16,
    /// The text of each line, printable ASCII.
    pub lines: Vec<String>,
}

/// Why something is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// A line has no end within bounds.
    #[error("a reply line of more than {LINE_OCTETS} octets")]
    LongLine,
    /// A reply has no end within bounds.
    #[error("a reply of more than {LINES} lines")]
    ManyLines,
    /// A line does not begin with a code (RFC 5321 §4.2: Reply-code).
    #[error("a reply without a code")]
    NoCode,
    /// The lines of one reply have different codes (RFC 5321 §4.2.1).
    #[error("a reply with two codes")]
    TwoCodes,
    /// The next hop said something that nobody asked for.
    #[error("an answer to no question")]
    Unasked,
}

/// The first line with its end. A bare LF ends it too: nothing hangs on it here.
fn line(octets: &[u8]) -> Result<Option<&[u8]>, Defect> {
    let bounded = &octets[..octets.len().min(LINE_OCTETS)];
    match memchr::memchr(b'\n', bounded) {
        Some(end) => Ok(Some(&octets[..=end])),
        None if octets.len() >= LINE_OCTETS => Err(Defect::LongLine),
        None => Ok(None),
    }
}

/// Code, whether the line ends the reply, and text. `250` alone is a last line (RFC 5321 §4.2.1).
fn parts(line: &[u8]) -> Result<(u16, bool, &[u8]), Defect> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3).ok_or(Defect::NoCode)?;
    let is_code = matches!(digits[0], b'2'..=b'5') && digits[1..].iter().all(u8::is_ascii_digit);
    if !is_code {
        return Err(Defect::NoCode);
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest {
        [] => Ok((code, true, rest)),
        [b' ', text @ ..] => Ok((code, true, text)),
        [b'-', text @ ..] => Ok((code, false, text)),
        _ => Err(Defect::NoCode),
    }
}

impl HopReply {
    /// A reply at the start of `octets`, and how long it is; `None` when it has not ended.
    pub fn parse(octets: &[u8]) -> Result<Option<(Self, usize)>, Defect> {
        let mut reply: Option<Self> = None;
        let mut at = 0;
        loop {
            let Some(line) = line(&octets[at..])? else {
                return Ok(None);
            };
            at += line.len();
            let (code, is_last, text) = parts(line)?;
            let reply = reply.get_or_insert_with(|| Self {
                code,
                lines: Vec::new(),
            });
            if reply.code != code {
                return Err(Defect::TwoCodes);
            }
            let text = String::from_utf8_lossy(text);
            reply.lines.push(printable(&text, LINE_OCTETS));
            if is_last {
                return Ok(Some((reply.clone(), at)));
            }
            if reply.lines.len() == LINES {
                return Err(Defect::ManyLines);
            }
        }
    }

    /// 2 to 5.
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// The enhanced code of the first line (RFC 2034 §4), if it fits the reply's class.
    pub fn enhanced(&self) -> Option<&str> {
        let first = self.lines.first()?.split(' ').next()?;
        is_enhanced(first, self.class()).then_some(first)
    }

    /// All lines in one, without their enhanced codes, bounded.
    pub fn text(&self) -> String {
        let words = self.lines.iter().flat_map(|line| {
            let mut words = line.split_ascii_whitespace().peekable();
            words.next_if(|word| is_enhanced(word, self.class()));
            words
        });
        let mut text = String::new();
        for word in words {
            if text.len() + word.len() >= TEXT_OCTETS {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The reply with its enhanced code apart.
    pub fn to_reply(&self) -> Reply {
        Reply {
            code: self.code,
            enhanced: self.enhanced().map(str::to_owned),
            text: self.text(),
        }
    }
}

impl fmt::Display for HopReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_reply().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is read of these octets, as text, and what is left.
    fn check(octets: &str, expected: &str) {
        let said = match HopReply::parse(octets.as_bytes()) {
            Ok(Some((reply, length))) => format!("{reply} | {}", &octets[length..]),
            Ok(None) => "more".to_owned(),
            Err(defect) => defect.to_string(),
        };
        assert_eq!(said, expected, "{octets:?}");
    }

    #[test]
    fn replies_are_read() {
        check("250 2.1.0 Ok\r\n", "250 2.1.0 Ok | ");
        check(
            "250-2.1.0 a\r\n250 2.1.0 b\r\n354 x",
            "250 2.1.0 a b | 354 x",
        );
        check("250\r\n", "250  | ");
        check("250 ok\n", "250 ok | ");
        // The class of the enhanced code is the reply's (RFC 2034 §4).
        check("550 4.1.1 x\r\n", "550 4.1.1 x | ");
        check("550 5.1.1234 x\r\n", "550 5.1.1234 x | ");
    }

    #[test]
    fn replies_that_have_not_ended() {
        for octets in ["", "2", "250", "250 ok", "250-ok\r\n", "250-ok\r\n250 ok\r"] {
            check(octets, "more");
        }
    }

    #[test]
    fn what_is_no_reply() {
        for octets in [
            "\r\n",
            "25\r\n",
            "2x0 ok\r\n",
            "650 ok\r\n",
            "199 ok\r\n",
            "250ok\r\n",
        ] {
            check(octets, "a reply without a code");
        }
        check("250-a\r\n251 b\r\n", "a reply with two codes");
        check(&"2".repeat(2048), "a reply line of more than 2048 octets");
        check(&"250-x\r\n".repeat(128), "a reply of more than 128 lines");
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        let reply = format!("550 {}end\r\n", "word ".repeat(100));
        let (reply, _) = HopReply::parse(reply.as_bytes()).unwrap().unwrap();
        assert_eq!(reply.text(), "word ".repeat(80).trim_end());
    }

    proptest! {
        #[test]
        fn any_octets_are_a_reply_or_none(
            octets in prop::collection::vec(
                prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '),
                    Just(b'\n'), Just(b'.'), any::<u8>()], 0..200),
        ) {
            if let Ok(Some((reply, length))) = HopReply::parse(&octets) {
                prop_assert!(length <= octets.len() && (200..600).contains(&reply.code));
                let passed_on = reply.to_string();
                prop_assert!(passed_on.bytes().all(|octet| matches!(octet, b' '..=b'~')));
                prop_assert!(passed_on.len() < 450);
                // What arrives in two pieces is the same reply.
                for cut in 0..length {
                    prop_assert_eq!(HopReply::parse(&octets[..cut]), Ok(None));
                }
            }
        }
    }
}
