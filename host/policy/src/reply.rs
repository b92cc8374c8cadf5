//! SMTP replies (RFC 5321 §4.2): how they are made and written, and which ones filters may give.

use std::fmt;

/// RFC 5321 §4.5.3.1.5: octets of a reply line, without its end.
pub const LINE_OCTETS: usize = 510;
/// What `550 5.123.123 ` leaves of them.
const TEXT_OCTETS: usize = LINE_OCTETS - 14;
/// Characters of a filter's text: with its codes it stays within one line, however the
/// characters are encoded.
const FILTER_TEXT: usize = 120;

/// An SMTP reply with its enhanced code (RFC 3463). Prints as it is meant: `550 5.7.1 text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// `5.7.1`.
    pub enhanced: Option<String>,
    /// One line of text.
    pub text: String,
}

impl Reply {
    /// A reply of ours. The text becomes one line of printable ASCII.
    pub fn new(code: u16, enhanced: &str, text: &str) -> Self {
        Self {
            code,
            enhanced: Some(enhanced.to_owned()),
            text: printable(text, TEXT_OCTETS),
        }
    }

    /// The client shall try again: 451.
    pub fn deferral(enhanced: &str, text: &str) -> Self {
        Self::new(451, enhanced, text)
    }

    /// The deferral for what should not happen.
    pub fn internal_error() -> Self {
        Self::deferral("4.3.0", "internal error; try again later")
    }

    /// The reply beginning with the message's id, once. The id is what whoever reads a bounce can
    /// ask about.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        let named = format!("id={id} ");
        if self.text.starts_with(&named) {
            return self;
        }
        Self {
            text: printable(&(named + &self.text), TEXT_OCTETS),
            ..self
        }
    }

    /// As on the wire, without the line end: printable, bounded, and with an enhanced code of its
    /// class (RFC 2034 §4: every 2yz, 4yz and 5yz has one).
    pub fn line(&self) -> String {
        let class = self.code / 100;
        let enhanced = match &self.enhanced {
            _ if class == 3 => String::new(),
            Some(enhanced) if is_enhanced(enhanced, class) => format!("{enhanced} "),
            _ => format!("{class}.0.0 "),
        };
        let line = format!("{:03} {enhanced}{}", self.code, self.text);
        printable(&line, LINE_OCTETS)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        write!(f, " {}", self.text)
    }
}

/// At most so many octets of printable ASCII, which is all that a reply carries (RFC 5321 §4.2):
/// white space, line ends among it, becomes a space, anything else a question mark.
pub fn printable(text: &str, octets: usize) -> String {
    let printable = text.chars().map(|character| match character {
        ' '..='~' => character,
        _ if character.is_whitespace() => ' ',
        _ => '?',
    });
    printable.take(octets).collect()
}

/// RFC 3463 §2: the class, a subject and a detail of at most three digits each.
pub fn is_enhanced(text: &str, class: u16) -> bool {
    let mut numbers = text.split('.');
    let is_class = numbers.next() == Some(class.to_string().as_str());
    let is_number = |number: &str| {
        matches!(number.len(), 1..=3) && number.bytes().all(|octet| octet.is_ascii_digit())
    };
    is_class && numbers.clone().count() == 2 && numbers.all(is_number)
}

/// What a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// 4yz.
    Defer,
    /// 5yz.
    Reject,
}

/// The reply, if it says what it is for (RFC 5321 §4.2.1, RFC 3463 §2) in one line of text.
pub(crate) fn checked(reply: Reply, class: Class) -> Result<Reply, String> {
    let digit = match class {
        Class::Defer => 4,
        Class::Reject => 5,
    };
    if reply.code / 100 != digit {
        return Err(format!("the code is not {digit}yz: {}", reply.code));
    }
    if let Some(enhanced) = &reply.enhanced
        && !is_enhanced(enhanced, digit)
    {
        let enhanced = crate::trace::bounded(enhanced, 40);
        return Err(format!("the enhanced code is not {digit}.y.z: {enhanced}"));
    }
    if reply.text.chars().any(char::is_control) {
        return Err("the text has a control character".to_owned());
    }
    if reply.text.chars().count() > FILTER_TEXT {
        return Err(format!("the text has more than {FILTER_TEXT} characters"));
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, enhanced: Option<&str>, text: &str, class: Class, expected: bool) {
        let reply = Reply {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: text.to_owned(),
        };
        assert_eq!(
            checked(reply, class).is_ok(),
            expected,
            "{code} {enhanced:?} {text:?}"
        );
    }

    #[test]
    fn the_class_is_the_verdicts() {
        check(550, Some("5.7.1"), "no", Class::Reject, true);
        check(451, None, "later", Class::Defer, true);
        check(450, Some("4.7.1"), "no", Class::Reject, false);
        check(550, None, "later", Class::Defer, false);
        check(250, None, "fine", Class::Reject, false);
        check(550, Some("4.7.1"), "no", Class::Reject, false);
        check(550, Some("5.7"), "no", Class::Reject, false);
        check(550, Some("5.7.x"), "no", Class::Reject, false);
        check(550, Some("5.7.1234"), "no", Class::Reject, false);
    }

    #[test]
    fn the_text_of_a_filter_is_one_line() {
        check(550, None, "no\r\n250 fine", Class::Reject, false);
        check(550, None, "nicht verschlüsselt", Class::Reject, true);
        check(
            550,
            None,
            &"x".repeat(FILTER_TEXT + 1),
            Class::Reject,
            false,
        );
    }

    #[test]
    fn a_reply_is_one_line_with_an_enhanced_code_of_its_class() {
        let check = |code, enhanced: Option<&str>, text: &str, expected: &str| {
            let reply = Reply {
                code,
                enhanced: enhanced.map(str::to_owned),
                text: text.to_owned(),
            };
            assert_eq!(reply.line(), expected);
        };
        check(250, Some("2.1.5"), "ok", "250 2.1.5 ok");
        check(550, None, "no", "550 5.0.0 no");
        check(451, Some("5.7.1"), "later", "451 4.0.0 later");
        check(550, Some("5.7"), "no", "550 5.0.0 no");
        check(354, None, "go ahead", "354 go ahead");
        check(
            550,
            Some("5.7.1"),
            "nicht verschlüsselt\r\n250 ok\0",
            "550 5.7.1 nicht verschl?sselt  250 ok?",
        );
        let long = "x".repeat(2000);
        assert_eq!(
            Reply::new(550, "5.123.123", &long).line().len(),
            LINE_OCTETS
        );
        let reply = Reply {
            code: 550,
            enhanced: None,
            text: long,
        };
        assert_eq!(reply.line().len(), LINE_OCTETS);
    }

    #[test]
    fn the_id_is_said_once() {
        let named = Reply::deferral("4.3.0", "later").with_id("7f");
        assert_eq!(named.text, "id=7f later");
        assert_eq!(named.clone().with_id("7f"), named);
        assert_eq!(named.with_id("7").text, "id=7 id=7f later");
        let long = Reply::deferral("4.3.0", &"x".repeat(2000)).with_id("7f");
        assert_eq!(long.text.len(), TEXT_OCTETS);
    }
}
