//! What octets carry that transport may change (RFC 8551 §3.1.3, RFC 1847 §2.1 note 2,
//! RFC 2045 §2.7–2.9).

use crate::line::{is_blank, lines};

/// RFC 5322 §2.1.1: a line has at most 998 octets.
pub(crate) const LINE: usize = 998;

/// What was found in some octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Octets over 127.
    pub(crate) eight_bit: bool,
    pub(crate) nul: bool,
    /// CR that no LF follows.
    pub(crate) bare_cr: bool,
    /// LF that no CR precedes.
    pub(crate) bare_lf: bool,
    /// A line over 998 octets.
    pub(crate) long_line: bool,
    /// White space at a line's end, which gateways remove.
    pub(crate) trailing_blank: bool,
    /// `From ` at a line's start, which mbox files quote.
    pub(crate) from_line: bool,
}

impl Faults {
    pub(crate) fn of(octets: &[u8]) -> Self {
        let mut faults = Self::default();
        for line in lines(octets) {
            let text = line.text(octets);
            faults.eight_bit |= !text.is_ascii();
            for at in memchr::memchr2_iter(0, b'\r', text) {
                faults.nul |= text[at] == 0;
                faults.bare_cr |= text[at] == b'\r';
            }
            faults.bare_lf |= line.ending(octets) == b"\n";
            faults.long_line |= text.len() > LINE;
            faults.trailing_blank |= text.last().copied().is_some_and(is_blank);
            faults.from_line |= text.starts_with(b"From ");
        }
        faults
    }

    /// Not a single one.
    pub(crate) fn is_clean(self) -> bool {
        self == Self::default()
    }

    /// None that 7-bit transport forbids outright.
    pub(crate) fn is_seven_bit(self) -> bool {
        Self {
            trailing_blank: false,
            from_line: false,
            ..self
        }
        .is_clean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], expected: Faults) {
        assert_eq!(Faults::of(octets), expected, "{octets:?}");
    }

    #[test]
    fn faults() {
        let none = Faults::default();
        check(b"", none);
        check(b"a\r\n From b\r\nc", none);
        check(
            b"\xe4",
            Faults {
                eight_bit: true,
                ..none
            },
        );
        check(b"a\0", Faults { nul: true, ..none });
        check(
            b"a\rb\r\n",
            Faults {
                bare_cr: true,
                ..none
            },
        );
        check(
            b"a\r",
            Faults {
                bare_cr: true,
                ..none
            },
        );
        check(
            b"a\r\r\n",
            Faults {
                bare_cr: true,
                ..none
            },
        );
        check(
            b"a\nb\r\n",
            Faults {
                bare_lf: true,
                ..none
            },
        );
        check(
            b"a \r\nb",
            Faults {
                trailing_blank: true,
                ..none
            },
        );
        check(
            b"a\t",
            Faults {
                trailing_blank: true,
                ..none
            },
        );
        check(
            b"x\r\nFrom b",
            Faults {
                from_line: true,
                ..none
            },
        );
        check(&[b'a'; 998], none);
        check(
            &[b'a'; 999],
            Faults {
                long_line: true,
                ..none
            },
        );
    }
}
