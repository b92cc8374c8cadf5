//! A message as the octets of DATA (RFC 5321 §4.5.2), without copying it.

use memchr::memchr2_iter;
use memchr::memmem::Finder;

/// Why content cannot be sent as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// CR without LF.
    BareCr,
    /// LF without CR.
    BareLf,
}

/// RFC 5321 §2.3.8: CR and LF stand together or not at all. What one server takes for the end of
/// a line and another does not smuggles a second message in. The segments follow each other.
pub(crate) fn check(segments: &[&[u8]]) -> Result<(), BadLine> {
    let mut after_cr = false;
    for segment in segments {
        if segment.is_empty() {
            continue;
        }
        if after_cr && segment[0] != b'\n' {
            return Err(BadLine::BareCr);
        }
        after_cr = check_segment(segment, after_cr)?;
    }
    if after_cr {
        return Err(BadLine::BareCr);
    }
    Ok(())
}

/// Whether the segment ends with a CR that may be half of a line end.
fn check_segment(segment: &[u8], after_cr: bool) -> Result<bool, BadLine> {
    // Index after the last CR; the octet before the segment counts as index 0.
    let mut awaited = after_cr.then_some(0);
    for at in memchr2_iter(b'\r', b'\n', segment) {
        if segment[at] == b'\n' {
            if awaited.take() != Some(at) {
                return Err(BadLine::BareLf);
            }
            continue;
        }
        if awaited.is_some() {
            return Err(BadLine::BareCr);
        }
        awaited = Some(at + 1);
        if segment.get(at + 1).is_some_and(|next| *next != b'\n') {
            return Err(BadLine::BareCr);
        }
    }
    Ok(awaited.is_some())
}

/// The slices to write for these segments: a dot more at the start of each line that has one, and
/// a CRLF at the end if there is none. What ends the message, a dot on its own line, is not among
/// them. The segments must have passed [`check`].
pub(crate) fn stuffed<'a>(segments: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let finder = Finder::new(b"\n.");
    let mut slices = Vec::new();
    let mut last = b'\n';
    for segment in segments {
        let mut rest: &'a [u8] = segment;
        if last == b'\n' && rest.first() == Some(&b'.') {
            slices.push(&b"."[..]);
        }
        last = rest.last().copied().unwrap_or(last);
        while let Some(at) = finder.find(rest) {
            let (line, next) = rest.split_at(at + 1);
            slices.extend([line, &b"."[..]]);
            rest = next;
        }
        slices.push(rest);
    }
    if last != b'\n' {
        slices.push(b"\r\n");
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bare_line_ends_are_found() {
        let found = |segments: &[&[u8]]| check(segments);
        assert_eq!(found(&[b"a\r\nb\r\n"]), Ok(()));
        assert_eq!(found(&[b"a\r", b"\nb"]), Ok(()));
        assert_eq!(found(&[b"a\r", b"", b"\n"]), Ok(()));
        assert_eq!(found(&[b"a\r", b"b"]), Err(BadLine::BareCr));
        assert_eq!(found(&[b"a\r"]), Err(BadLine::BareCr));
        assert_eq!(found(&[b"a\r\r\n"]), Err(BadLine::BareCr));
        assert_eq!(found(&[b"a\n.\r\n"]), Err(BadLine::BareLf));
        assert_eq!(found(&[b"a\r\n\n"]), Err(BadLine::BareLf));
        assert_eq!(found(&[b"\n"]), Err(BadLine::BareLf));
        assert_eq!(found(&[b"a", b"\n"]), Err(BadLine::BareLf));
    }

    #[test]
    fn dots_are_doubled_at_the_start_of_lines_only() {
        let sent = |segments: &[&[u8]]| stuffed(segments).concat();
        assert_eq!(sent(&[b".\r\n..\r\na.\r\n"]), b"..\r\n...\r\na.\r\n");
        assert_eq!(sent(&[b"a\r\n", b".b"]), b"a\r\n..b\r\n");
        assert_eq!(sent(&[b"a", b".b"]), b"a.b\r\n");
        assert_eq!(sent(&[]), b"");
    }

    /// What a server does (RFC 5321 §4.5.2), written apart from what it checks.
    fn unstuffed(octets: &[u8]) -> Vec<u8> {
        let text = [b"\r\n", octets].concat();
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let dotted = text[at..].starts_with(b"\r\n.");
            out.extend_from_slice(if dotted { b"\r\n" } else { &text[at..=at] });
            at += if dotted { 3 } else { 1 };
        }
        out.split_off(2)
    }

    proptest! {
        #[test]
        fn unstuffing_gives_the_octets_back(
            lines in prop::collection::vec("[.a]{0,4}", 0..20), cut in any::<prop::sample::Index>(),
        ) {
            let text = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
            let (head, body) = text.as_bytes().split_at(cut.index(text.len() + 1));
            let segments = [head, body];
            prop_assert_eq!(check(&segments), Ok(()));
            let sent = stuffed(&segments).concat();
            prop_assert!(![b"\r\n", &sent[..], b"."].concat().windows(5).any(|w| w == b"\r\n.\r\n"));
            prop_assert_eq!(unstuffed(&sent), text.as_bytes());
        }

        #[test]
        fn the_check_is_the_definition(
            octets in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let (head, body) = octets.split_at(cut.index(octets.len() + 1));
            let without = String::from_utf8(octets.clone()).unwrap().replace("\r\n", "");
            let is_bare = without.contains(['\r', '\n']);
            prop_assert_eq!(check(&[head, body]).is_err(), is_bare);
        }
    }
}
