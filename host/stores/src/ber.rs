//! The little ASN.1 that the container formats need: a reader that takes BER, since files from
//! macOS, Windows and Java hold indefinite lengths and strings in pieces (X.690 §8.1.3.6,
//! §8.7.3), and a writer that makes DER.
//!
//! It knows tags and lengths, not types: certificates and keys pass through it as they stand.
//! Depth is limited, so that a hostile file cannot exhaust the stack.

use crate::error::Defect;
use const_oid::ObjectIdentifier;
use std::borrow::Cow;
use zeroize::Zeroizing;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;

const CONSTRUCTED: u8 = 0x20;
const MAX_DEPTH: u8 = 32;

/// One element: identifier, content, and the whole as it stands.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    identifier: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
    depth: u8,
}

/// Reads elements one after the other.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            depth: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, Defect> {
        let span = scan(self.rest, self.depth)?;
        let (raw, rest) = self.rest.split_at(span.whole);
        self.rest = rest;
        let content = &raw[span.header..span.header + span.content];
        Ok(Element {
            identifier: raw[0],
            content,
            raw,
            depth: self.depth,
        })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, Defect> {
        self.optional(tag)?.ok_or(Defect::Damaged(what))
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Defect> {
        let mut ahead = self.clone();
        if ahead.is_empty() {
            return Ok(None);
        }
        let element = ahead.next()?;
        if !element.is(tag) {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    pub(crate) fn oid(&mut self, what: &'static str) -> Result<ObjectIdentifier, Defect> {
        let element = self.expect(OID, what)?;
        ObjectIdentifier::from_bytes(element.content).map_err(|_| Defect::Damaged(what))
    }

    /// A non-negative number below 2⁶⁴.
    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, Defect> {
        self.expect(INTEGER, what)?.number(what)
    }

    pub(crate) fn octets(&mut self, what: &'static str) -> Result<Cow<'a, [u8]>, Defect> {
        self.expect(OCTET_STRING, what)?.octets()
    }
}

impl<'a> Element<'a> {
    /// Compares class and number; whether a string comes in pieces does not matter.
    pub(crate) fn is(&self, tag: u8) -> bool {
        self.identifier & !CONSTRUCTED == tag & !CONSTRUCTED
    }

    pub(crate) fn is_constructed(&self) -> bool {
        self.identifier & CONSTRUCTED != 0
    }

    /// Reads what is inside.
    pub(crate) fn inside(&self) -> Reader<'a> {
        Reader {
            rest: self.content,
            depth: self.depth.saturating_add(1),
        }
    }

    /// The octets of a string, its pieces joined (X.690 §8.7.3).
    pub(crate) fn octets(&self) -> Result<Cow<'a, [u8]>, Defect> {
        if !self.is_constructed() {
            return Ok(Cow::Borrowed(self.content));
        }
        let mut joined = Vec::new();
        let mut pieces = self.inside();
        while !pieces.is_empty() {
            joined.extend_from_slice(&pieces.next()?.octets()?);
        }
        Ok(Cow::Owned(joined))
    }

    pub(crate) fn number(&self, what: &'static str) -> Result<u64, Defect> {
        let digits = match self.content {
            [] => return Err(Defect::Damaged(what)),
            [first, ..] if first & 0x80 != 0 => return Err(Defect::Damaged(what)),
            [0, rest @ ..] => rest,
            all => all,
        };
        if digits.len() > 8 {
            return Err(Defect::Damaged(what));
        }
        Ok(digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | u64::from(*digit)))
    }
}

struct Span {
    header: usize,
    content: usize,
    whole: usize,
}

const TRUNCATED: Defect = Defect::Damaged("an ASN.1 element does not end inside it");

fn scan(octets: &[u8], depth: u8) -> Result<Span, Defect> {
    if depth > MAX_DEPTH {
        return Err(Defect::Damaged("ASN.1 nested too deeply"));
    }
    let (&identifier, &first) = octets.first().zip(octets.get(1)).ok_or(TRUNCATED)?;
    if identifier & 0x1f == 0x1f {
        return Err(Defect::Damaged(
            "a tag number that these formats do not use",
        ));
    }
    match first {
        0x80 if identifier & CONSTRUCTED != 0 => scan_indefinite(octets, depth),
        0x80 => Err(Defect::Damaged(
            "an indefinite length on a primitive element",
        )),
        short if short < 0x80 => definite(octets, 2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let digits = octets.get(2..2 + count).ok_or(TRUNCATED)?;
            let size = digits.iter().try_fold(0usize, |sum, digit| {
                sum.checked_mul(256)?.checked_add(usize::from(*digit))
            });
            definite(octets, 2 + count, size.ok_or(TRUNCATED)?)
        }
    }
}

fn definite(octets: &[u8], header: usize, content: usize) -> Result<Span, Defect> {
    let whole = header.checked_add(content).ok_or(TRUNCATED)?;
    if whole > octets.len() {
        return Err(TRUNCATED);
    }
    Ok(Span {
        header,
        content,
        whole,
    })
}

/// X.690 §8.1.3.6: the content ends with two octets of zero.
fn scan_indefinite(octets: &[u8], depth: u8) -> Result<Span, Defect> {
    let mut at = 2;
    loop {
        let rest = octets.get(at..).ok_or(TRUNCATED)?;
        if rest.starts_with(&[0, 0]) {
            return Ok(Span {
                header: 2,
                content: at - 2,
                whole: at + 2,
            });
        }
        at += scan(rest, depth + 1)?.whole;
    }
}

/// Whether the octets are exactly one SEQUENCE: what decrypting with a wrong key hardly makes.
pub(crate) fn is_one_sequence(octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    matches!(reader.next(), Ok(element) if element.is(SEQUENCE)) && reader.is_empty()
}

/// The same element with definite lengths and its strings in one piece; DER as far as the
/// lengths go. For what a stricter parser reads next.
pub(crate) fn to_definite(element: &Element<'_>) -> Result<Zeroizing<Vec<u8>>, Defect> {
    const UNIVERSAL: u8 = 0xc0;
    let structured = element.is(SEQUENCE) || element.is(SET);
    if !element.is_constructed() {
        return Ok(tlv(element.identifier, element.content));
    }
    if element.identifier & UNIVERSAL == 0 && !structured {
        return Ok(tlv(element.identifier & !CONSTRUCTED, &element.octets()?));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(2 * element.content.len()));
    let mut inside = element.inside();
    while !inside.is_empty() {
        content.extend_from_slice(&to_definite(&inside.next()?)?);
    }
    Ok(tlv(element.identifier, &content))
}

/// One DER element.
pub(crate) fn tlv(identifier: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(content.len() + 6));
    out.push(identifier);
    let size = content.len();
    if size < 0x80 {
        out.push(size as u8);
    } else {
        let digits = size.to_be_bytes();
        let skip = digits.iter().take_while(|digit| **digit == 0).count();
        out.push(0x80 | (digits.len() - skip) as u8);
        out.extend_from_slice(&digits[skip..]);
    }
    out.extend_from_slice(content);
    out
}

/// One DER element around others, in order.
pub(crate) fn around(identifier: u8, elements: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let content = Zeroizing::new(elements.concat());
    tlv(identifier, &content)
}

pub(crate) fn sequence(elements: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    around(SEQUENCE, elements)
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Zeroizing<Vec<u8>> {
    tlv(OID, oid.as_bytes())
}

pub(crate) fn number(value: u32) -> Zeroizing<Vec<u8>> {
    let digits = value.to_be_bytes();
    let skip = digits
        .iter()
        .take_while(|digit| **digit == 0)
        .count()
        .min(3);
    let sign: &[u8] = if digits[skip] & 0x80 == 0 { &[] } else { &[0] };
    around(INTEGER, &[sign, &digits[skip..]])
}

pub(crate) const NULL: &[u8] = &[0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], expected: Result<&[u8], ()>) {
        let read = Reader::new(octets)
            .next()
            .and_then(|element| Ok(element.octets()?.into_owned()));
        assert_eq!(
            read.map_err(drop),
            expected.map(<[u8]>::to_vec),
            "{octets:02x?}"
        );
    }

    #[test]
    fn strings_in_one_piece_and_in_several() {
        check(&[0x04, 2, 7, 8], Ok(&[7, 8]));
        check(&[0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0], Ok(&[7, 8]));
        check(&[0x24, 6, 4, 1, 7, 4, 1, 8], Ok(&[7, 8]));
        check(&[0x04, 0x82, 0, 1, 7], Ok(&[7]));
    }

    #[test]
    fn what_does_not_end_is_refused() {
        check(&[], Err(()));
        check(&[0x04], Err(()));
        check(&[0x04, 3, 7, 8], Err(()));
        check(&[0x24, 0x80, 4, 1, 7], Err(()));
        check(&[0x04, 0x80, 4, 1, 7, 0, 0], Err(()));
        check(&[0x04, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1], Err(()));
        check(&[0x1f, 0x81, 1, 0], Err(()));
        check(&[0x24, 0x80].repeat(20_000), Err(()));
    }

    #[test]
    fn written_numbers_read_back() {
        for value in [0, 1, 127, 128, 255, 256, 600_000, u32::MAX] {
            let written = number(value);
            assert_eq!(
                Reader::new(&written).number("").ok(),
                Some(u64::from(value))
            );
        }
        assert!(Reader::new(&[2, 1, 0xff]).number("").is_err());
        assert!(
            Reader::new(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0])
                .number("")
                .is_err()
        );
    }

    #[test]
    fn lengths_become_definite() {
        let ber = [
            0x30, 0x80, 0x24, 0x80, 4, 1, 7, 4, 1, 8, 0, 0, 0xa0, 0x80, 2, 1, 5, 0, 0, 0, 0,
        ];
        let element = Reader::new(&ber).next().unwrap();
        assert_eq!(
            to_definite(&element).unwrap()[..],
            [0x30, 9, 4, 2, 7, 8, 0xa0, 3, 2, 1, 5]
        );
    }
}
