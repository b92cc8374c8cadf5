//! Views of header fields.

use std::fmt;

use crate::encoded_word;
use crate::head::FieldSpan;

/// One header field, as it stands in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    octets: &'a [u8],
    span: &'a FieldSpan,
    index: usize,
}

impl<'a> Field<'a> {
    /// Its name, as written.
    pub fn name(&self) -> &'a str {
        // A name is printable US-ASCII, or it would not be a field.
        std::str::from_utf8(&self.octets[self.span.name.clone()]).unwrap_or_default()
    }

    /// Whether it has this name; case does not matter (RFC 5322 §1.2.2).
    pub fn is_named(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// Whether it belongs to the content: `Content-*` or `MIME-Version` (RFC 2045 §3, §9).
    pub fn is_content(&self) -> bool {
        is_content_name(self.name())
    }

    /// The whole field: name, colon, folded value, line end.
    pub fn raw(&self) -> &'a [u8] {
        &self.octets[self.span.whole()]
    }

    /// What follows the colon, folding and line end included.
    pub fn raw_value(&self) -> &'a [u8] {
        &self.octets[self.span.value.clone()]
    }

    /// The value as text: unfolded, outer white space removed, encoded words (RFC 2047) and
    /// raw UTF-8 (RFC 6532) decoded, U+FFFD for what is neither.
    pub fn value(&self) -> String {
        encoded_word::decode(&unfold(self.raw_value()))
    }

    /// Position in its header section, from 0 at the top.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({:?})", String::from_utf8_lossy(self.raw()))
    }
}

/// The fields of one header section, from the top.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    octets: &'a [u8],
    spans: &'a [FieldSpan],
    next: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(octets: &'a [u8], spans: &'a [FieldSpan]) -> Self {
        Self {
            octets,
            spans,
            next: 0,
        }
    }

    /// The field at a position.
    pub(crate) fn at(&self, index: usize) -> Option<Field<'a>> {
        self.spans.get(index).map(|span| Field {
            octets: self.octets,
            span,
            index,
        })
    }

    /// Those of this name.
    pub(crate) fn named<'n>(self, name: &'n str) -> impl Iterator<Item = Field<'a>> + use<'a, 'n> {
        self.filter(move |field| field.is_named(name))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let field = self.at(self.next)?;
        self.next += 1;
        Some(field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.spans.len() - self.next.min(self.spans.len());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

pub(crate) fn is_content_name(name: &str) -> bool {
    let is_prefixed = name
        .get(..8)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("content-"));
    is_prefixed || name.eq_ignore_ascii_case("mime-version")
}

/// RFC 5322 §2.2.3: line ends before white space go; outer white space too.
pub(crate) fn unfold(raw: &[u8]) -> Vec<u8> {
    let mut unfolded = Vec::with_capacity(raw.len());
    for line in crate::line::lines(raw) {
        unfolded.extend_from_slice(line.text(raw));
    }
    unfolded.trim_ascii().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(encoded_word::decode(&unfold(raw.as_bytes())), expected);
    }

    #[test]
    fn values() {
        check(" a\r\n b\r\n", "a b");
        check(" a\n\tb\n", "a\tb");
        check(" =?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n", "ab");
        check("\r\n", "");
        check("a\rb", "a\rb");
    }

    #[test]
    fn content_names() {
        assert!(
            is_content_name("content-TYPE")
                && is_content_name("Mime-Version")
                && is_content_name("Content-")
        );
        assert!(!is_content_name("Content") && !is_content_name("Subject"));
    }
}
