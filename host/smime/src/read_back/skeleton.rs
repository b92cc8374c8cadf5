//! A CMS object as it was written in base64, without the megabytes of its content, which are
//! neither kept nor decoded twice.
//!
//! The lengths of everything around the content must add up to the whole text exactly. What is
//! left is an object of the same structure, with the first octets of a long content only, that the
//! ordinary readers take.

use crate::asn1::{MAX_DEPTH, Malformed, definite, header, tag};
use std::ops::Range;
use waxseal_message::base64::Text;

/// Octets of a longer content that are kept, beside those that make no whole block of a cipher.
const KEPT: usize = 4096;
/// Octets of a block.
const BLOCK: usize = 16;
/// More does not follow a content.
const MAX_TAIL: usize = 1 << 20;

/// The object without most of its content.
pub(super) struct Skeleton {
    /// The object with a content of [`KEPT`] octets or little more.
    pub(super) octets: Vec<u8>,
    /// Where the content lies in the object as written.
    pub(super) content: Range<usize>,
    /// Where what is left of it lies in `octets`.
    kept: Range<usize>,
}

impl Skeleton {
    /// Reads it from its text. The content stands behind `before` octets.
    pub(super) fn read(text: &Text<'_>, before: usize) -> Result<Self, Malformed> {
        let begin = octets(text, 0..text.size().min(before + KEPT + BLOCK))?;
        let levels = path(&begin, before, text.size())?;
        let content = levels.last().ok_or(Malformed)?.contents.clone();
        if text.size() - content.end > MAX_TAIL {
            return Err(Malformed);
        }
        let tail = octets(text, content.end..text.size())?;
        let (octets, kept) = shortened(&begin, &tail, &levels, &content)?;
        Ok(Self {
            octets,
            content,
            kept,
        })
    }

    /// Whether these pieces of `octets`, which a reader takes for the content, are that.
    pub(super) fn is_content(&self, pieces: &[&[u8]]) -> bool {
        let [piece] = pieces else { return false };
        let start = piece
            .as_ptr()
            .addr()
            .checked_sub(self.octets.as_ptr().addr());
        start == Some(self.kept.start) && piece.len() == self.kept.len()
    }
}

fn octets(text: &Text<'_>, range: Range<usize>) -> Result<Vec<u8>, Malformed> {
    let mut octets = Vec::with_capacity(range.len());
    text.read(range, |piece| octets.extend_from_slice(piece))
        .ok_or(Malformed)?;
    Ok(octets)
}

/// An element around the content, or the content itself, as positions in the whole object.
struct Level {
    tag: u8,
    start: usize,
    contents: Range<usize>,
}

/// The elements around the contents that begin after `before` octets, from the outside in, that
/// element last. `total` octets are in the whole object.
fn path(begin: &[u8], before: usize, total: usize) -> Result<Vec<Level>, Malformed> {
    let mut levels: Vec<Level> = Vec::new();
    let mut start = 0;
    while levels.len() <= MAX_DEPTH {
        let (tag, header, size) = definite(begin.get(start..).ok_or(Malformed)?)?;
        let from = start + header;
        let contents = from..from.checked_add(size).ok_or(Malformed)?;
        let around = levels.last().map_or(total, |level| level.contents.end);
        if contents.end > around || levels.is_empty() && contents.end != total {
            return Err(Malformed);
        }
        let level = Level {
            tag,
            start,
            contents,
        };
        if from == before {
            levels.push(level);
            return Ok(levels);
        }
        if level.contents.end <= before {
            start = level.contents.end;
        } else if tag & tag::CONSTRUCTED != 0 {
            levels.push(level);
            start = from;
        } else {
            return Err(Malformed);
        }
    }
    Err(Malformed)
}

/// The same elements around a shorter content, and where in them that is.
fn shortened(
    begin: &[u8],
    tail: &[u8],
    levels: &[Level],
    content: &Range<usize>,
) -> Result<(Vec<u8>, Range<usize>), Malformed> {
    // The size of a ciphertext is still one that its cipher gives.
    let size = match content.len() {
        size if size <= KEPT => size,
        size => KEPT + size % BLOCK,
    };
    let kept = begin.get(content.start..content.start + size);
    let mut object = kept.ok_or(Malformed)?.to_vec();
    let mut start = 0;
    let mut child = content.clone();
    for level in levels.iter().rev() {
        let before = begin.get(level.contents.start..child.start);
        let after = tail.get(child.end - content.end..level.contents.end - content.end);
        let (Some(before), Some(after)) = (before, after) else {
            return Err(Malformed);
        };
        let header = header(level.tag, before.len() + object.len() + after.len());
        start += header.len() + before.len();
        object = [&header, before, &object, after].concat();
        child = level.start..level.contents.end;
    }
    Ok((object, start..start + size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::{Element, context, context_primitive, integer, octet_string, sequence};
    use proptest::prelude::*;
    use waxseal_message::base64_lines;

    /// An object with elements before and after a content, and where the content begins.
    fn object(content: &[u8], tail: &[u8]) -> (Vec<u8>, usize) {
        let inner = sequence(&[&integer(2), &context_primitive(0, &[content])]);
        let middle = sequence(&[
            &integer(1),
            &octet_string(b"before"),
            &inner,
            &octet_string(tail),
        ]);
        let whole = sequence(&[&integer(0), &context(0, &[&middle])]);
        let size = whole.len();
        (whole, size - octet_string(tail).len() - content.len())
    }

    proptest! {
        #[test]
        fn keeps_everything_but_the_content(size in 0..20_000_usize, tail: Vec<u8>) {
            let content: Vec<u8> = (0..=255).cycle().take(size).collect();
            let (whole, before) = object(&content, &tail);
            let lines = base64_lines(&whole);
            let skeleton = Skeleton::read(&Text::of(&lines).unwrap(), before).unwrap();
            prop_assert_eq!(&whole[skeleton.content.clone()], &content[..]);
            // What it should be, made directly.
            let kept = if size <= KEPT { size } else { KEPT + size % 16 };
            prop_assert_eq!(&skeleton.octets, &object(&content[..kept], &tail).0);
            prop_assert_eq!(&skeleton.octets[skeleton.kept.clone()], &content[..kept]);
            prop_assert!(skeleton.is_content(&[&skeleton.octets[skeleton.kept.clone()]]));
            prop_assert!(!skeleton.is_content(&[&skeleton.octets]));
        }

        #[test]
        fn lengths_add_up(at: prop::sample::Index, octet: u8) {
            let (mut whole, before) = object(&[7; 9000], b"tail");
            let at = at.index(before);
            whole[at] = octet;
            let lines = base64_lines(&whole);
            if let Ok(skeleton) = Skeleton::read(&Text::of(&lines).unwrap(), before) {
                // The whole is one element, and so is its skeleton.
                prop_assert!(Element::only(&whole).is_ok());
                prop_assert!(Element::only(&skeleton.octets).is_ok());
            }
        }
    }
}
