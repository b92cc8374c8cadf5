//! Lines: what ends them, and what is in them. A line ends with LF, or with CR LF; a CR
//! alone ends nothing.

use memchr::memchr;

/// How the lines of a message end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// Every line ends with CR LF, as on the wire.
    Crlf,
    /// Every line ends with LF alone, as in a Unix file.
    Lf,
    /// Both occur.
    Mixed,
    /// There is no line end.
    None,
}

impl LineEnds {
    /// The line ends that occur in `segments` taken together.
    pub(crate) fn of(segments: &[&[u8]]) -> Self {
        let (mut crlf, mut lf) = (false, false);
        let mut before = 0;
        for segment in segments {
            for at in memchr::memchr_iter(b'\n', segment) {
                let previous = if at == 0 { before } else { segment[at - 1] };
                crlf |= previous == b'\r';
                lf |= previous != b'\r';
                if crlf && lf {
                    return Self::Mixed;
                }
            }
            before = segment.last().copied().unwrap_or(before);
        }
        match (crlf, lf) {
            (true, _) => Self::Crlf,
            (_, true) => Self::Lf,
            _ => Self::None,
        }
    }
}

/// One line: where it starts, where its text ends, and where the next one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) start: usize,
    pub(crate) text_end: usize,
    pub(crate) end: usize,
}

impl Line {
    /// The line that starts at `start`, or `None` at the end.
    pub(crate) fn at(octets: &[u8], start: usize) -> Option<Self> {
        let rest = octets.get(start..).filter(|rest| !rest.is_empty())?;
        let Some(lf) = memchr(b'\n', rest) else {
            return Some(Self {
                start,
                text_end: octets.len(),
                end: octets.len(),
            });
        };
        let text = if lf > 0 && rest[lf - 1] == b'\r' {
            lf - 1
        } else {
            lf
        };
        Some(Self {
            start,
            text_end: start + text,
            end: start + lf + 1,
        })
    }

    /// Its octets without the line end.
    pub(crate) fn text<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        &octets[self.start..self.text_end]
    }

    /// Its line end: CR LF, LF or nothing.
    pub(crate) fn ending<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        &octets[self.text_end..self.end]
    }
}

/// The lines of `octets`, in order.
pub(crate) fn lines(octets: &[u8]) -> impl Iterator<Item = Line> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let line = Line::at(octets, next)?;
        next = line.end;
        Some(line)
    })
}

/// Space or tab.
pub(crate) fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// `text` without the spaces and tabs at its end.
pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let kept = text
        .iter()
        .rposition(|&octet| !is_blank(octet))
        .map_or(0, |at| at + 1);
    &text[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(segments: &[&[u8]], expected: LineEnds) {
        assert_eq!(LineEnds::of(segments), expected, "{segments:?}");
    }

    #[test]
    fn line_ends() {
        check(&[b"a\r\nb\r\n"], LineEnds::Crlf);
        check(&[b"a\nb\n"], LineEnds::Lf);
        check(&[b"a\nb\r\n"], LineEnds::Mixed);
        check(&[b"a\rb"], LineEnds::None);
        check(&[], LineEnds::None);
        check(&[b"a\r", b"\nb"], LineEnds::Crlf);
    }

    #[test]
    fn lines_cover_every_octet() {
        let octets = b"a\r\n\nb\r\r\nc";
        let texts: Vec<_> = lines(octets).map(|line| line.text(octets)).collect();
        assert_eq!(texts, [&b"a"[..], b"", b"b\r", b"c"]);
        let all: Vec<u8> = lines(octets)
            .flat_map(|line| octets[line.start..line.end].to_vec())
            .collect();
        assert_eq!(all, octets);
    }

    #[test]
    fn trims_only_blanks() {
        assert_eq!(trim_end(b" a \t"), b" a");
        assert_eq!(trim_end(b"a\r "), b"a\r");
        assert_eq!(trim_end(b"  "), b"");
    }
}
