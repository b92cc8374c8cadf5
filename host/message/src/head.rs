//! Header sections: which octets are which field (RFC 5322 §2.2, §3.6.8 and the obsolete
//! syntax of §4.5).
//!
//! A section ends with an empty line, or before the first line that is neither a field nor a
//! folded continuation: that line begins the body, as Postfix and Sendmail read it. Nothing
//! here fails but the limits.

use std::ops::Range;

use crate::line::{Line, is_blank, lines};
use crate::{Error, Limits};

/// One header field, as offsets into the octets that hold its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name: Range<usize>,
    /// After the colon, to the end of the field with its line end.
    pub(crate) value: Range<usize>,
}

impl FieldSpan {
    pub(crate) fn whole(&self) -> Range<usize> {
        self.name.start..self.value.end
    }
}

/// What a line is, read as part of a header section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderLine {
    /// The empty line that ends the section.
    Empty,
    /// Begins a field: length of its name, and offset just after the colon.
    Field { name: usize, value: usize },
    /// Begins with white space: continues the field above, if there is one.
    Continuation,
    /// Anything else.
    Other,
}

impl HeaderLine {
    /// Classifies the text of a line, without its line end.
    pub(crate) fn of(text: &[u8]) -> Self {
        match text.first() {
            None => return Self::Empty,
            Some(&first) if is_blank(first) => return Self::Continuation,
            Some(_) => {}
        }
        // RFC 5322 §2.2: printable US-ASCII except the colon.
        let name = text
            .iter()
            .take_while(|octet| octet.is_ascii_graphic() && **octet != b':')
            .count();
        // RFC 5322 §4.5: white space before the colon is obsolete, and read.
        let blanks = text[name..]
            .iter()
            .take_while(|octet| is_blank(**octet))
            .count();
        match text.get(name + blanks) {
            Some(b':') if name > 0 => Self::Field {
                name,
                value: name + blanks + 1,
            },
            _ => Self::Other,
        }
    }
}

/// The `From ` line that mbox files put before a message; `>From ` is the same, quoted.
pub(crate) fn is_mbox_line(text: &[u8]) -> bool {
    text.starts_with(b"From ") || text.starts_with(b">From ")
}

/// Collects the fields of one section, line by line.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) fields: Vec<FieldSpan>,
    octets: usize,
    mbox: bool,
}

/// What a line did to a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The line is part of the section.
    Taken,
    /// The line is the empty line: the section ends after it.
    EndAfter,
    /// The line is not part of the section: it ended before.
    EndBefore,
}

impl Section {
    /// A section that may open with an mbox `From ` line: a message's, not a part's.
    pub(crate) fn of_message() -> Self {
        Self {
            mbox: true,
            ..Self::default()
        }
    }

    /// Takes the next line of `octets`.
    pub(crate) fn take(
        &mut self,
        octets: &[u8],
        line: Line,
        limits: &Limits,
    ) -> Result<Step, Error> {
        let first = self.octets == 0;
        let text = line.text(octets);
        match HeaderLine::of(text) {
            HeaderLine::Empty => return Ok(Step::EndAfter),
            HeaderLine::Field { name, value } => {
                if self.fields.len() >= limits.header_fields {
                    return Err(Error::TooManyFields {
                        limit: limits.header_fields,
                    });
                }
                self.fields.push(FieldSpan {
                    name: line.start..line.start + name,
                    value: line.start + value..line.end,
                });
            }
            HeaderLine::Continuation => match self.fields.last_mut() {
                Some(field) => field.value.end = line.end,
                None => return Ok(Step::EndBefore),
            },
            HeaderLine::Other if first && self.mbox && is_mbox_line(text) => {}
            HeaderLine::Other => return Ok(Step::EndBefore),
        }
        self.octets += line.end - line.start;
        if self.octets > limits.header_octets {
            return Err(Error::HeaderTooLong {
                limit: limits.header_octets,
            });
        }
        Ok(Step::Taken)
    }
}

/// A scanned header section at the start of some octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) fields: Vec<FieldSpan>,
    /// Length of the section, with the empty line if there is one.
    pub(crate) length: usize,
    /// Length of the empty line that ends it: 0 when it is missing.
    pub(crate) empty_line: usize,
}

/// Scans the header section of the message that `octets` begin with.
pub(crate) fn scan(octets: &[u8], limits: &Limits) -> Result<Head, Error> {
    let mut section = Section::of_message();
    let mut length = 0;
    for line in lines(octets) {
        match section.take(octets, line, limits)? {
            Step::Taken => length = line.end,
            Step::EndBefore => break,
            Step::EndAfter => {
                let empty_line = line.end - line.start;
                return Ok(Head {
                    fields: section.fields,
                    length: line.end,
                    empty_line,
                });
            }
        }
    }
    Ok(Head {
        fields: section.fields,
        length,
        empty_line: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields as name=value with the line ends shown, then what follows.
    fn check(octets: &str, expected: &[&str], body: &str) {
        let head = scan(octets.as_bytes(), &Limits::default()).unwrap();
        let fields: Vec<_> = head
            .fields
            .iter()
            .map(|f| format!("{}={}", &octets[f.name.clone()], &octets[f.value.clone()]))
            .collect();
        assert_eq!(fields, expected);
        assert_eq!(&octets[head.length..], body);
    }

    #[test]
    fn sections() {
        check(
            "A: 1\r\nB: 2\r\n 3\r\n\r\nx",
            &["A= 1\r\n", "B= 2\r\n 3\r\n"],
            "x",
        );
        check("A: 1\nB:2\n\nx", &["A= 1\n", "B=2\n"], "x");
        check("A : 1\n\nx", &["A= 1\n"], "x");
        check("A: 1", &["A= 1"], "");
        check("", &[], "");
        check("\r\nx", &[], "x");
        check("\nA: 1\n", &[], "A: 1\n");
    }

    #[test]
    fn missing_empty_line() {
        check(
            "A: 1\r\nbody text\r\nB: 2\r\n",
            &["A= 1\r\n"],
            "body text\r\nB: 2\r\n",
        );
        check("  indented text\r\n", &[], "  indented text\r\n");
        check(": x\r\n", &[], ": x\r\n");
        check("A: 1\r\n\r\r\nx", &["A= 1\r\n"], "\r\r\nx");
    }

    #[test]
    fn mbox_line_is_no_field() {
        check("From a@b Mon Jan 1\nA: 1\n\nx", &["A= 1\n"], "x");
        check(">From a@b: Mon\nA: 1\n\nx", &["A= 1\n"], "x");
        check("A: 1\nFrom a\nB: 2\n\n", &["A= 1\n"], "From a\nB: 2\n\n");
    }

    #[test]
    fn white_space_lines_continue() {
        check("A: 1\r\n \r\n\tx\r\n\r\n", &["A= 1\r\n \r\n\tx\r\n"], "");
    }

    #[test]
    fn limits_are_named() {
        let limits = Limits {
            header_fields: 1,
            ..Limits::default()
        };
        assert_eq!(
            scan(b"A: 1\nB: 2\n", &limits),
            Err(Error::TooManyFields { limit: 1 })
        );
        let limits = Limits {
            header_octets: 8,
            ..Limits::default()
        };
        assert_eq!(
            scan(b"A: 1\nB: 2\n", &limits),
            Err(Error::HeaderTooLong { limit: 8 })
        );
    }
}
