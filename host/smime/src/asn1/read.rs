//! Reads BER elements in place. Definite and indefinite lengths, long lengths that DER would
//! write shorter, and strings in pieces are all understood (RFC 5652 allows BER for everything
//! but what is signed).

use super::{MAX_DEPTH, tag};
use const_oid::ObjectIdentifier;
use std::borrow::Cow;

/// The octets are no well-formed BER, or not the element that belongs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed ASN.1")]
pub struct Malformed;

/// One element: identifier, contents, and the whole of it as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// Contents without the end-of-contents octets.
    pub value: &'a [u8],
    /// Identifier, length and contents.
    pub raw: &'a [u8],
}

/// A string that BER may have cut into pieces.
pub type Octets<'a> = Vec<&'a [u8]>;

/// Walks over elements that stand one after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Over these octets.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The identifier of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let (element, rest) = split(self.rest, MAX_DEPTH)?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, if it has this identifier.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// The next element if it has this identifier; otherwise nothing is consumed.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.peek() == Some(tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader over the contents of the SEQUENCE that comes next.
    pub fn sequence(&mut self) -> Result<Reader<'a>, Malformed> {
        self.expect(tag::SEQUENCE).map(|element| element.children())
    }

    /// The OBJECT IDENTIFIER that comes next.
    pub fn object_identifier(&mut self) -> Result<ObjectIdentifier, Malformed> {
        let element = self.expect(tag::OBJECT_IDENTIFIER)?;
        ObjectIdentifier::from_bytes(element.value).map_err(|_| Malformed)
    }

    /// Nothing follows.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// All elements to the end.
    pub fn elements(mut self) -> Result<Vec<Element<'a>>, Malformed> {
        let mut all = Vec::new();
        while !self.is_empty() {
            all.push(self.any()?);
        }
        Ok(all)
    }
}

impl<'a> Element<'a> {
    /// The one element that these octets hold, and nothing after it.
    pub fn only(octets: &'a [u8]) -> Result<Self, Malformed> {
        match split(octets, MAX_DEPTH)? {
            (element, []) => Ok(element),
            _ => Err(Malformed),
        }
    }

    /// A reader over the contents.
    pub fn children(&self) -> Reader<'a> {
        Reader::new(self.value)
    }

    /// A reader over the contents, if this is a SEQUENCE.
    pub(crate) fn fields(&self) -> Result<Reader<'a>, Malformed> {
        if self.tag == tag::SEQUENCE {
            Ok(self.children())
        } else {
            Err(Malformed)
        }
    }

    /// The octets of a string type in its pieces. `primitive` is the identifier of the whole
    /// form; the constructed form holds OCTET STRINGs (X.690 §8.7.3), also under an implicit tag.
    pub fn octets(&self, primitive: u8) -> Result<Octets<'a>, Malformed> {
        let mut pieces = Vec::new();
        if self.tag == primitive {
            pieces.push(self.value);
        } else if self.tag == primitive | tag::CONSTRUCTED {
            collect_octets(self.value, MAX_DEPTH, &mut pieces)?;
        } else {
            return Err(Malformed);
        }
        Ok(pieces)
    }
}

/// The pieces as one, without a copy when there is one.
pub fn joined<'a>(pieces: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match pieces {
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.concat()),
    }
}

fn collect_octets<'a>(
    octets: &'a [u8],
    depth: usize,
    pieces: &mut Octets<'a>,
) -> Result<(), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let mut reader = Reader::new(octets);
    while !reader.is_empty() {
        let piece = reader.any()?;
        if piece.tag == tag::OCTET_STRING {
            pieces.push(piece.value);
        } else if piece.tag == tag::OCTET_STRING | tag::CONSTRUCTED {
            collect_octets(piece.value, depth, pieces)?;
        } else {
            return Err(Malformed);
        }
    }
    Ok(())
}

/// What the length octets say.
enum Length {
    Definite(usize),
    Indefinite,
}

/// The first element, and what follows it.
fn split(octets: &[u8], depth: usize) -> Result<(Element<'_>, &[u8]), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let (tag, after_tag) = octets.split_first().ok_or(Malformed)?;
    // Neither CMS nor X.509 has tag numbers above 30.
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    let (length, contents) = split_length(after_tag)?;
    let header_size = octets.len() - contents.len();
    let (size, end_size) = match length {
        Length::Definite(size) => (size, 0),
        Length::Indefinite if tag & tag::CONSTRUCTED == 0 => return Err(Malformed),
        Length::Indefinite => (indefinite_size(contents, depth)?, 2),
    };
    let value = contents.get(..size).ok_or(Malformed)?;
    let raw = octets
        .get(..header_size + size + end_size)
        .ok_or(Malformed)?;
    let rest = octets.get(raw.len()..).ok_or(Malformed)?;
    Ok((
        Element {
            tag: *tag,
            value,
            raw,
        },
        rest,
    ))
}

/// X.690 §8.1.3.
fn split_length(octets: &[u8]) -> Result<(Length, &[u8]), Malformed> {
    let (first, rest) = octets.split_first().ok_or(Malformed)?;
    match first {
        0x80 => Ok((Length::Indefinite, rest)),
        0x00..=0x7f => Ok((Length::Definite(usize::from(*first)), rest)),
        _ => {
            let count = usize::from(first & 0x7f);
            let digits = rest.get(..count).ok_or(Malformed)?;
            let size = digits.iter().try_fold(0usize, |size, digit| {
                size.checked_mul(256)?.checked_add(usize::from(*digit))
            });
            let rest = rest.get(count..).ok_or(Malformed)?;
            Ok((Length::Definite(size.ok_or(Malformed)?), rest))
        }
    }
}

/// Identifier of the element that comes next, size of its header, and size of its contents, which
/// need not be all there. The length is definite.
pub(crate) fn definite(octets: &[u8]) -> Result<(u8, usize, usize), Malformed> {
    let (tag, after_tag) = octets.split_first().ok_or(Malformed)?;
    match split_length(after_tag)? {
        (Length::Definite(size), contents) => Ok((*tag, octets.len() - contents.len(), size)),
        (Length::Indefinite, _) => Err(Malformed),
    }
}

/// Octets of contents before the end-of-contents octets (X.690 §8.1.5).
fn indefinite_size(contents: &[u8], depth: usize) -> Result<usize, Malformed> {
    let mut rest = contents;
    loop {
        if rest.starts_with(&[0, 0]) {
            return Ok(contents.len() - rest.len());
        }
        (_, rest) = split(rest, depth)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], expected: Result<&[u8], Malformed>) {
        assert_eq!(
            Element::only(octets).map(|element| element.value),
            expected,
            "{octets:02x?}"
        );
    }

    #[test]
    fn reads_every_form_of_length() {
        check(&[0x04, 0x02, 1, 2], Ok(&[1, 2]));
        check(&[0x04, 0x81, 0x02, 1, 2], Ok(&[1, 2]));
        check(&[0x04, 0x83, 0, 0, 2, 1, 2], Ok(&[1, 2]));
        check(&[0x30, 0x80, 0x05, 0, 0, 0], Ok(&[0x05, 0]));
        check(
            &[0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0],
            Ok(&[0x30, 0x80, 0, 0]),
        );
    }

    #[test]
    fn refuses_what_is_cut_short_or_too_long() {
        for octets in [
            &[][..],
            &[0x04],
            &[0x04, 0x02, 1],
            &[0x04, 0x02, 1, 2, 3],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x80, 0x05, 0, 0],
            &[0x04, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 0x81, 0x01, 0],
        ] {
            check(octets, Err(Malformed));
        }
    }

    #[test]
    fn depth_has_an_end() {
        let deep = [0x30, 0x80].repeat(10_000);
        check(&deep, Err(Malformed));
    }

    proptest::proptest! {
        #[test]
        fn reads_what_was_written(value: Vec<u8>, rest: Vec<u8>) {
            let octets = [super::super::octet_string(&value), rest.clone()].concat();
            let mut reader = Reader::new(&octets);
            proptest::prop_assert_eq!(reader.any().map(|element| element.value), Ok(&value[..]));
            proptest::prop_assert_eq!(reader.rest, rest);
        }

        #[test]
        fn takes_any_octets(octets: Vec<u8>) {
            let elements = Reader::new(&octets).elements().unwrap_or_default();
            for element in elements {
                let _ = element.children().elements();
                let _ = element.octets(tag::OCTET_STRING);
            }
        }
    }

    #[test]
    fn joins_pieces() {
        let element = Element::only(&[0x24, 0x80, 4, 1, 7, 0x24, 3, 4, 1, 8, 0, 0]).unwrap();
        let pieces = element.octets(tag::OCTET_STRING).unwrap();
        assert_eq!(joined(&pieces), &[7, 8][..]);
    }
}
