//! Views of MIME parts.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::field::Fields;
use crate::parameter::Structured;
use crate::tree::Node;
use crate::{Field, Message, TransferEncoding, base64, charset, quoted_printable};

/// A part of the MIME tree: the root, a part of a multipart, or the content of a message
/// that is inside a message/rfc822 part.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    message: &'a Message,
    index: usize,
}

impl<'a> Part<'a> {
    pub(crate) fn new(message: &'a Message, index: usize) -> Self {
        Self { message, index }
    }

    pub(crate) fn node(&self) -> &'a Node {
        &self.message.nodes()[self.index]
    }

    /// What the offsets of [`Node`] are into.
    pub(crate) fn body_octets(&self) -> &'a [u8] {
        self.message.body()
    }

    fn is_root(&self) -> bool {
        self.index == 0
    }

    /// Path in the tree: "1" is the root, "1.2" its second child.
    pub fn id(&self) -> String {
        let nodes = self.message.nodes();
        let mut steps = Vec::new();
        let mut index = self.index;
        while let Some(parent) = nodes[index].parent {
            // Children are numbered as they begin, so their list is sorted.
            let position = nodes[parent].children.binary_search(&index).unwrap_or(0);
            steps.push((position + 1).to_string());
            index = parent;
        }
        steps.push("1".to_owned());
        steps.reverse();
        steps.join(".")
    }

    /// "type/subtype" in lower case; what the defaults say when the header does not
    /// (RFC 2045 §5.2, RFC 2046 §5.1.5).
    pub fn media_type(&self) -> String {
        self.node().media.name.clone()
    }

    /// A parameter of the Content-Type field, decoded (RFC 2231).
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.structured("Content-Type")?
            .text(&name.to_ascii_lowercase())
    }

    fn structured(&self, name: &str) -> Option<Structured> {
        self.first(name)
            .map(|field| Structured::parse(field.raw_value()))
    }

    /// The part's header fields, from the top; of the root, the message's.
    pub fn fields(&self) -> Fields<'a> {
        if self.is_root() {
            self.message.fields()
        } else {
            Fields::new(self.message.body(), &self.node().fields)
        }
    }

    /// The first field of this name; case does not matter.
    pub fn first(&self, name: &str) -> Option<Field<'a>> {
        self.fields().named(name).next()
    }

    /// The disposition type in lower case: "attachment", "inline" (RFC 2183).
    pub fn disposition(&self) -> Option<String> {
        self.structured("Content-Disposition")
            .map(|disposition| disposition.value)
            .filter(|value| !value.is_empty())
    }

    /// The name that its sender gave it. It is what the mail says: it may contain path
    /// separators.
    pub fn filename(&self) -> Option<String> {
        let disposition = self.structured("Content-Disposition");
        let name = disposition.and_then(|disposition| disposition.text("filename"));
        name.or_else(|| self.parameter("name"))
            .filter(|name| !name.is_empty())
    }

    /// Whether readers offer it as a file: so disposed, or a leaf with a file name that is not
    /// shown inline.
    pub fn is_attachment(&self) -> bool {
        match self.disposition().as_deref() {
            Some("attachment") => true,
            Some("inline") => false,
            _ => self.is_leaf() && self.filename().is_some(),
        }
    }

    /// Octets of its body as encoded.
    pub fn encoded_size(&self) -> usize {
        self.raw_body().len()
    }

    /// The parts inside it.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Part<'a>> + use<'a> {
        let message = self.message;
        self.node()
            .children
            .iter()
            .map(move |&index| Part { message, index })
    }

    /// How many parts are inside it.
    pub fn child_count(&self) -> usize {
        self.node().children.len()
    }

    /// The part inside it at a position, from 0.
    pub fn child(&self, position: usize) -> Option<Part<'a>> {
        let index = *self.node().children.get(position)?;
        Some(Part {
            message: self.message,
            index,
        })
    }

    /// Whether it is a multipart whose parts were found.
    pub fn is_multipart(&self) -> bool {
        self.node().is_multipart()
    }

    /// Whether nothing is inside it. A multipart without usable boundary is a leaf.
    pub fn is_leaf(&self) -> bool {
        self.node().children.is_empty()
    }

    /// The part as it stands: header section and body. Of the root, the whole message.
    pub fn raw(&self) -> &'a [u8] {
        if self.is_root() {
            self.message.whole()
        } else {
            &self.message.body()[self.node().raw.clone()]
        }
    }

    /// Where [`Part::raw`] lies in the message.
    pub fn range(&self) -> Range<usize> {
        if self.is_root() {
            return 0..self.message.size();
        }
        let (head, raw) = (self.message.head().len(), &self.node().raw);
        head + raw.start..head + raw.end
    }

    /// Its body as it stands.
    pub fn raw_body(&self) -> &'a [u8] {
        &self.message.body()[self.node().body.clone()]
    }

    /// How its body is encoded.
    pub fn transfer_encoding(&self) -> TransferEncoding {
        self.node().encoding
    }

    /// Its body with the transfer encoding undone. What is not a leaf, and what has an unknown
    /// encoding, comes as it stands (RFC 2045 §6.4).
    pub fn decoded(&self) -> Cow<'a, [u8]> {
        let body = self.raw_body();
        match self.transfer_encoding() {
            _ if !self.is_leaf() => Cow::Borrowed(body),
            TransferEncoding::QuotedPrintable => Cow::Owned(quoted_printable::decode(body)),
            TransferEncoding::Base64 => Cow::Owned(base64::decode(body)),
            _ => Cow::Borrowed(body),
        }
    }

    /// The text of a text/* leaf, transfer encoding and charset undone.
    pub fn text(&self) -> Option<String> {
        let is_text = self.is_leaf() && self.node().media.name.starts_with("text/");
        is_text.then(|| charset::decode(self.parameter("charset").as_deref(), &self.decoded()))
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("id", &self.id())
            .field("type", &self.node().media.name)
            .finish_non_exhaustive()
    }
}
