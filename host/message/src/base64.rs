//! Base64 (RFC 2045 §6.8), done and undone. Undoing mail never fails: what is not of the alphabet
//! is skipped. Whole lines go through SIMD, in blocks that stay in the processor's cache.
//!
//! [`Text`] reads back what was written here, and takes nothing else.

use std::ops::Range;

use base64_simd::{AsOut, STANDARD, STANDARD_NO_PAD};

/// RFC 2045 §6.8: encoded lines have at most 76 characters.
const LINE: usize = 76;
/// A line with its CR LF.
const WHOLE_LINE: usize = LINE + 2;
/// Octets that make one line.
const GROUP: usize = LINE / 4 * 3;
/// Lines that are encoded and decoded at a time.
const LINES: usize = 64;

/// Octets of the lines that [`base64_lines`] makes of `size` octets.
pub const fn encoded_size(size: usize) -> usize {
    let rest = match size % GROUP {
        0 => 0,
        rest => rest.div_ceil(3) * 4 + 2,
    };
    size / GROUP * WHOLE_LINE + rest
}

/// `octets` in base64, in lines of 76 characters that end with CR LF (RFC 2045 §6.8).
pub fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let mut out = vec![0; encoded_size(octets.len())];
    let blocks = octets.chunks(LINES * GROUP);
    for (octets, text) in blocks.zip(out.chunks_mut(LINES * WHOLE_LINE)) {
        write_block(octets, text);
    }
    out
}

/// `head`, and then `before`, `content` and `after` as the lines of one base64 text.
///
/// The text is written over the content, from the end to the beginning: a block of text lies
/// behind all octets that are not encoded yet. Nothing is moved when the vector has room for
/// the text.
pub fn encode_in_place(mut content: Vec<u8>, head: &[u8], before: &[u8], after: &[u8]) -> Vec<u8> {
    const BLOCK: usize = LINES * GROUP;
    let size = content.len();
    let total = before.len() + size + after.len();
    content.resize(head.len() + encoded_size(total), 0);
    let mut block = Vec::with_capacity(BLOCK);
    for start in (0..total).step_by(BLOCK).rev() {
        let end = total.min(start + BLOCK);
        block.clear();
        let mut skipped = 0;
        for piece in [before, &content[..size], after] {
            let within = |at: usize| at.saturating_sub(skipped).min(piece.len());
            block.extend_from_slice(&piece[within(start)..within(end)]);
            skipped += piece.len();
        }
        let at = head.len() + start / GROUP * WHOLE_LINE;
        write_block(&block, &mut content[at..at + encoded_size(block.len())]);
    }
    content[..head.len()].copy_from_slice(head);
    content
}

/// A block of at most [`LINES`] lines.
fn write_block(octets: &[u8], text: &mut [u8]) {
    let mut digits = [0; LINES * LINE];
    let digits = STANDARD.encode(octets, digits.as_mut_slice().as_out());
    let (lines, last) = digits.as_chunks::<LINE>();
    let (places, rest) = text.as_chunks_mut::<WHOLE_LINE>();
    for (line, place) in lines.iter().zip(places) {
        place[..LINE].copy_from_slice(line);
        place[LINE..].copy_from_slice(b"\r\n");
    }
    if !last.is_empty() {
        rest[..last.len()].copy_from_slice(last);
        rest[last.len()..].copy_from_slice(b"\r\n");
    }
}

/// A text in exactly the form of [`base64_lines`], of which parts can be read.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    text: &'a [u8],
    size: usize,
}

impl<'a> Text<'a> {
    /// `None` if the length of the last line or the padding is not of that form. The rest is
    /// looked at when it is read.
    pub fn of(text: &'a [u8]) -> Option<Self> {
        let last = match text.len() % WHOLE_LINE {
            0 => &text[text.len().checked_sub(WHOLE_LINE)?..],
            rest => &text[text.len() - rest..],
        };
        let digits = last.strip_suffix(b"\r\n")?;
        let padding = digits
            .iter()
            .rev()
            .take_while(|octet| **octet == b'=')
            .count();
        let is_whole = !digits.is_empty() && digits.len().is_multiple_of(4) && padding <= 2;
        let before = (text.len() - last.len()) / WHOLE_LINE * GROUP;
        is_whole.then(|| Self {
            text,
            size: before + digits.len() / 4 * 3 - padding,
        })
    }

    /// Octets that it stands for.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Gives the octets of the range, which ends at [`Text::size`] at the latest, in pieces.
    /// `None` if the lines that hold them are not in the form.
    pub fn read(&self, range: Range<usize>, mut take: impl FnMut(&[u8])) -> Option<()> {
        let mut digits = [0; LINES * LINE];
        let mut octets = [0; LINES * GROUP];
        let mut at = range.start / GROUP * GROUP;
        while at < range.end {
            let size = (self.size - at).min(LINES * GROUP);
            let start = at / GROUP * WHOLE_LINE;
            let text = self.text.get(start..start + encoded_size(size))?;
            let mut length = 0;
            for line in text.chunks(WHOLE_LINE) {
                let line = line.strip_suffix(b"\r\n")?;
                digits[length..length + line.len()].copy_from_slice(line);
                length += line.len();
            }
            let octets = STANDARD
                .decode(&digits[..length], octets.as_mut_slice().as_out())
                .ok()
                .filter(|octets| octets.len() == size)?;
            let within = |position: usize| position.saturating_sub(at).min(size);
            take(&octets[within(range.start)..within(range.end)]);
            at += size;
        }
        Some(())
    }
}

/// The same base64 text in lines of 76 characters: what is not of its alphabet is dropped, as
/// RFC 2045 §6.8 has every reader do, so each reader decodes what it decoded before.
pub(crate) fn rewrap(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / LINE * 2 + 2);
    let mut column = 0;
    for &octet in encoded
        .iter()
        .filter(|octet| **octet == b'=' || sextet(**octet).is_some())
    {
        if column == LINE {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(octet);
        column += 1;
    }
    if column > 0 {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Undoes base64: other characters are skipped, and padding ends the data (RFC 2045 §6.8).
pub(crate) fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() / 4 * 3);
    let done = decode_even_lines(encoded, &mut out);
    decode_tolerantly(&encoded[done..], &mut out);
    out
}

/// Decodes from the start as long as the lines are like the first one, of whole groups of four
/// digits and nothing else. Gives the length of what was decoded.
fn decode_even_lines(encoded: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(line) = crate::line::Line::at(encoded, 0) else {
        return 0;
    };
    let (width, whole) = (line.text_end, line.end);
    if width == 0 || width > LINE * LINES || !width.is_multiple_of(4) || whole == width {
        return 0;
    }
    let mut digits = [0; LINES * LINE];
    let mut octets = [0; LINES * GROUP];
    let lines_at_a_time = digits.len() / width;
    let mut done = 0;
    for block in encoded.chunks_exact(whole * lines_at_a_time) {
        let lines = block.chunks_exact(whole);
        for (line, place) in lines.zip(digits.chunks_exact_mut(width)) {
            let (text, end) = line.split_at(width);
            if end != line_end(whole - width) {
                return done;
            }
            place.copy_from_slice(text);
        }
        let digits = &digits[..width * lines_at_a_time];
        let Ok(octets) = STANDARD_NO_PAD.decode(digits, octets.as_mut_slice().as_out()) else {
            return done;
        };
        out.extend_from_slice(octets);
        done += block.len();
    }
    done
}

fn line_end(length: usize) -> &'static [u8] {
    if length == 1 { b"\n" } else { b"\r\n" }
}

fn decode_tolerantly(encoded: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count, mut pads) = (0_u32, 0, 0);
    for &octet in encoded {
        if octet == b'=' {
            pads += 1;
            if count >= 2 && count + pads >= 4 {
                break;
            }
        } else if let Some(value) = sextet(octet) {
            (bits, count, pads) = (bits << 6 | u32::from(value), count + 1, 0);
            if count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
        }
    }
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
}

fn sextet(octet: u8) -> Option<u8> {
    Some(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn check_base64(encoded: &str, decoded: &str) {
        assert_eq!(decode(encoded.as_bytes()), decoded.as_bytes());
        assert_eq!(decode(&rewrap(encoded.as_bytes())), decoded.as_bytes());
    }

    #[test]
    fn tolerant_base64() {
        check_base64("", "");
        check_base64("YQ==", "a");
        check_base64("YWI=", "ab");
        check_base64("YWJj", "abc");
        check_base64("YW\r\n Jj\0ZA", "abcd");
        check_base64("YQ==YWJj", "a");
        check_base64("=YWJj", "abc");
        check_base64("Y", "");
    }

    #[test]
    fn base64_has_lines_of_76() {
        let lines = base64_lines(&[0; 58]);
        assert_eq!(lines, [&[b'A'; 76][..], b"\r\nAA==\r\n"].concat());
        assert_eq!(
            rewrap(&[b'A'; 152]),
            [&[b'A'; 76][..], b"\r\n", &[b'A'; 76], b"\r\n"].concat()
        );
    }

    /// Line by line, with another encoder.
    fn simple_lines(octets: &[u8]) -> Vec<u8> {
        use ::base64::Engine as _;
        let engine = ::base64::engine::general_purpose::STANDARD;
        let lines = octets.chunks(57);
        lines
            .flat_map(|line| [engine.encode(line).into_bytes(), b"\r\n".to_vec()].concat())
            .collect()
    }

    fn decoded_simply(encoded: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        decode_tolerantly(encoded, &mut out);
        out
    }

    /// Sizes around the ends of lines and of blocks.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let size = prop_oneof![0..300_usize, 3640..3660_usize, 7200..7400_usize];
        (size, any::<[u8; 7]>())
            .prop_map(|(size, seed)| seed.into_iter().cycle().take(size).collect())
    }

    /// A text whose lines have some width and end, with something odd in it, perhaps.
    fn encoded() -> impl Strategy<Value = Vec<u8>> {
        let odd = proptest::option::of((any::<prop::sample::Index>(), any::<u8>()));
        let width = prop_oneof![Just(76_usize), Just(64), Just(4), Just(75), 1..200_usize];
        let end = prop::sample::select(vec!["\r\n", "\n", "", " \r\n"]);
        (octets(), width, end, odd).prop_map(|(octets, width, end, odd)| {
            let mut digits = simple_lines(&octets);
            digits.retain(|octet| !b"\r\n".contains(octet));
            let lines = digits.chunks(width);
            let mut text: Vec<u8> = lines
                .flat_map(|line| [line, end.as_bytes()].concat())
                .collect();
            if let Some((at, octet)) = odd.filter(|_| !text.is_empty()) {
                let at = at.index(text.len());
                text[at] = octet;
            }
            text
        })
    }

    proptest! {
        #[test]
        fn encodes_as_line_by_line(octets in octets()) {
            let lines = base64_lines(&octets);
            prop_assert_eq!(lines.len(), encoded_size(octets.len()));
            prop_assert_eq!(lines, simple_lines(&octets));
        }

        #[test]
        fn encodes_in_place(head: Vec<u8>, before in octets(), content in octets(), after: Vec<u8>) {
            let whole = [&before[..], &content, &after].concat();
            let expected = [head.clone(), simple_lines(&whole)].concat();
            prop_assert_eq!(encode_in_place(content, &head, &before, &after), expected);
        }

        #[test]
        fn decodes_even_lines_as_any_others(text in encoded()) {
            prop_assert_eq!(decode(&text), decoded_simply(&text));
        }

        #[test]
        fn reads_any_range_back(octets in octets(), one: prop::sample::Index, other: prop::sample::Index) {
            let lines = base64_lines(&octets);
            let Some(text) = Text::of(&lines) else {
                prop_assert!(octets.is_empty());
                return Ok(());
            };
            prop_assert_eq!(text.size(), octets.len());
            let (one, other) = (one.index(octets.len() + 1), other.index(octets.len() + 1));
            let range = one.min(other)..one.max(other);
            let mut read = Vec::new();
            prop_assert!(text.read(range.clone(), |piece| read.extend_from_slice(piece)).is_some());
            prop_assert_eq!(&read[..], &octets[range]);
        }

        /// Whatever is read was written so.
        #[test]
        fn reads_only_what_was_written(text in prop_oneof![encoded(), vec(any::<u8>(), 0..100)]) {
            let mut read = Vec::new();
            let whole = Text::of(&text)
                .and_then(|text| text.read(0..text.size(), |piece| read.extend_from_slice(piece)));
            if whole.is_some() {
                prop_assert_eq!(base64_lines(&read), text);
            }
        }
    }
}
