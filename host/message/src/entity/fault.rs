//! What octets carry that transport may change (RFC 8551 §3.1.3, RFC 1847 §2.1 note 2,
//! RFC 2045 §2.7–2.9).

use memchr::{memmem, memrchr};

use crate::line::is_blank;

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

/// Octets that are looked at in several ways while they are in the processor's cache.
const BLOCK: usize = 1 << 15;

impl Faults {
    pub(crate) fn of(octets: &[u8]) -> Self {
        const FROM: &[u8] = b"\nFrom ";
        let from = memmem::Finder::new(FROM);
        let mut faults = Self {
            long_line: has_long_line(octets),
            from_line: octets.starts_with(&FROM[1..]),
            ..Self::default()
        };
        let mut pairs = Pairs::default();
        for start in (0..octets.len()).step_by(BLOCK) {
            // Far enough into the next block to see what begins in this one.
            let end = octets.len().min(start + BLOCK + FROM.len() - 1);
            let block = &octets[start..end];
            pairs.look_at(block);
            faults.from_line = faults.from_line || from.find(block).is_some();
        }
        let last = octets.last().copied().unwrap_or_default();
        faults.eight_bit = pairs.eight_bit || last > 127;
        faults.nul = pairs.nul || octets.last() == Some(&0);
        faults.bare_cr = pairs.bare_cr || last == b'\r';
        faults.bare_lf = pairs.bare_lf || octets.first() == Some(&b'\n');
        faults.trailing_blank = is_blank(last)
            || pairs.blank_before_end && (!faults.bare_cr || has_trailing_blank(octets));
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

/// What an octet and the one after it show.
#[derive(Default)]
struct Pairs {
    eight_bit: bool,
    nul: bool,
    bare_cr: bool,
    bare_lf: bool,
    /// White space before LF, or before CR, which ends no line if it is bare.
    blank_before_end: bool,
}

impl Pairs {
    /// Without branches, so that the compiler looks at many octets at once.
    fn look_at(&mut self, octets: &[u8]) {
        let after = octets.get(1..).unwrap_or_default();
        let mut seen = Self::default();
        for (&octet, &next) in octets.iter().zip(after) {
            seen.eight_bit |= octet > 127;
            seen.nul |= octet == 0;
            seen.bare_cr |= (octet == b'\r') & (next != b'\n');
            seen.bare_lf |= (octet != b'\r') & (next == b'\n');
            seen.blank_before_end |= is_blank(octet) & ((next == b'\n') | (next == b'\r'));
        }
        self.eight_bit |= seen.eight_bit;
        self.nul |= seen.nul;
        self.bare_cr |= seen.bare_cr;
        self.bare_lf |= seen.bare_lf;
        self.blank_before_end |= seen.blank_before_end;
    }
}

/// White space before a line end, in octets with a CR that ends no line.
fn has_trailing_blank(octets: &[u8]) -> bool {
    [&b" \n"[..], b"\t\n", b" \r\n", b"\t\r\n"]
        .iter()
        .any(|end| memmem::find(octets, end).is_some())
}

/// A line over 998 octets. From the start of a line, the last line end within reach of a line of
/// that length is looked for: the lines before it are shorter.
fn has_long_line(octets: &[u8]) -> bool {
    const REACH: usize = LINE + 2;
    let mut rest = octets;
    while rest.len() > LINE {
        let within = rest.get(..REACH).unwrap_or(rest);
        let Some(end) = memrchr(b'\n', within) else {
            return true;
        };
        let line = memrchr(b'\n', &within[..end]).map_or(0, |before| before + 1);
        let text = within[line..end].strip_suffix(b"\r");
        if text.unwrap_or(&within[line..end]).len() > LINE {
            return true;
        }
        rest = &rest[end + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::lines;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The same line by line.
    fn line_by_line(octets: &[u8]) -> Faults {
        let mut faults = Faults::default();
        for line in lines(octets) {
            let text = line.text(octets);
            faults.eight_bit |= !text.is_ascii();
            faults.nul |= text.contains(&0);
            faults.bare_cr |= text.contains(&b'\r');
            faults.bare_lf |= line.ending(octets) == b"\n";
            faults.long_line |= text.len() > LINE;
            faults.trailing_blank |= text.last().copied().is_some_and(is_blank);
            faults.from_line |= text.starts_with(b"From ");
        }
        faults
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => proptest::sample::select(vec![
                "\r\n", "\n", "\r", " ", "\t", "From ", "a", "\0", "\u{e4}", ".",
            ])
            .prop_map(|piece| piece.as_bytes().to_vec()),
            1 => (995..1003_usize).prop_map(|length| vec![b'x'; length]),
            1 => (0..80_usize).prop_map(|length| vec![b'y'; length]),
        ]
    }

    proptest! {
        #[test]
        fn as_line_by_line(pieces in vec(piece(), 0..24)) {
            let octets = pieces.concat();
            prop_assert_eq!(Faults::of(&octets), line_by_line(&octets));
        }
    }

    /// What begins in one block and ends in the next.
    #[test]
    fn blocks_have_no_seams() {
        let lines = b"0123456\r\n".repeat(BLOCK / 9 + 1);
        for fault in [
            "\nFrom ",
            "\r\nFrom ",
            " \r\n",
            "\t\n",
            "\r",
            "\n",
            "\0",
            "\u{e4}",
        ] {
            for before in BLOCK - 8..BLOCK + 2 {
                let octets = [&lines[..before], fault.as_bytes(), b"x\r\n"].concat();
                let expected = line_by_line(&octets);
                assert_eq!(Faults::of(&octets), expected, "{fault:?} {before}");
            }
        }
    }

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
