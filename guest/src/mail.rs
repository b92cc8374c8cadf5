//! The message: handles to what stays in the host.
//!
//! A [`Message`] never changes; an edit returns another one that shares the
//! octets. An edit is sent only when [`actions`](crate::actions) say so.

use crate::{Error, bindings::waxseal::filter::mail};

pub use mail::{Address, Header};

/// Octets asked for in one call.
const CHUNK: u32 = 64 * 1024;

/// An immutable message.
#[derive(Debug)]
pub struct Message(pub(crate) mail::Message);

impl Message {
    /// Octets.
    pub fn size(&self) -> u32 {
        self.0.size()
    }

    /// SHA-256 of the exact octets.
    pub fn digest(&self) -> Vec<u8> {
        self.0.digest()
    }

    /// The number of header fields.
    pub fn header_count(&self) -> u32 {
        self.0.header_count()
    }

    /// The first field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<Header> {
        self.0.header(name)
    }

    /// All fields of that name, from the top.
    pub fn headers(&self, name: &str) -> Vec<Header> {
        self.0.headers(name, u32::MAX)
    }

    /// A field's octets as received, folding included.
    pub fn header_raw(&self, index: u32) -> Option<Vec<u8>> {
        self.0.header_raw(index)
    }

    /// The subject, decoded and unfolded; empty when there is none.
    pub fn subject(&self) -> String {
        self.header("subject")
            .map_or_else(String::new, |field| field.value)
    }

    /// The addresses of an address field: `from`, `to`, `cc`, `reply-to`.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        self.0.addresses(name)
    }

    /// The root of the MIME tree.
    pub fn root(&self) -> Part {
        Part(self.0.root())
    }

    /// Every part of the MIME tree, depth first, the root included.
    pub fn parts(&self) -> Parts {
        Parts {
            first: Some(self.root()),
            above: vec![(self.root(), 0)],
        }
    }

    /// All octets. Costs memory in the filter; searching in the host does not.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        read_all(|offset| self.0.read(offset, CHUNK))
    }

    /// At most `max` octets from `offset`; none only at the end.
    pub fn read_at(&self, offset: u32, max: u32) -> Result<Vec<u8>, Error> {
        Ok(self.0.read(offset, max)?)
    }

    /// With a field on top of the others. The value is plain text.
    pub fn with_header_added(&self, name: &str, value: &str) -> Result<Message, Error> {
        Ok(Message(self.0.with_header_added(name, value)?))
    }

    /// With all fields of that name become one, where the first stood; added
    /// when there is none.
    pub fn with_header_replaced(&self, name: &str, value: &str) -> Result<Message, Error> {
        Ok(Message(self.0.with_header_replaced(name, value)?))
    }

    /// Without the field at that index.
    pub fn with_header_removed(&self, index: u32) -> Result<Message, Error> {
        Ok(Message(self.0.with_header_removed(index)?))
    }

    /// Without the fields of that name.
    pub fn with_headers_removed(&self, name: &str) -> Result<Message, Error> {
        Ok(Message(self.0.with_headers_removed(name)?))
    }
}

/// A part of the MIME tree.
#[derive(Debug)]
pub struct Part(mail::Part);

impl Part {
    /// The path in the tree: `1`, `1.2`.
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// Lower case, without parameters: `application/pdf`.
    pub fn media_type(&self) -> String {
        self.0.media_type()
    }

    /// A parameter of the Content-Type field, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.0.parameter(name)
    }

    /// The part's first header field of that name.
    pub fn header(&self, name: &str) -> Option<Header> {
        self.0.header(name)
    }

    /// `attachment`, `inline`.
    pub fn disposition(&self) -> Option<String> {
        self.0.disposition()
    }

    /// The file name that the sender gave.
    pub fn filename(&self) -> Option<String> {
        self.0.filename()
    }

    /// Would a mail program show it as an attachment?
    pub fn is_attachment(&self) -> bool {
        self.0.is_attachment()
    }

    /// Octets as they stand in the message.
    pub fn encoded_size(&self) -> u32 {
        self.0.encoded_size()
    }

    /// The parts directly below.
    pub fn children(&self) -> impl Iterator<Item = Part> + '_ {
        (0..self.0.child_count()).filter_map(|index| self.0.child(index).map(Part))
    }

    /// The content with its transfer encoding undone.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        read_all(|offset| self.0.read(offset, CHUNK))
    }

    /// The part's octets as they stand in the message.
    pub fn read_raw(&self) -> Result<Vec<u8>, Error> {
        read_all(|offset| self.0.read_raw(offset, CHUNK))
    }

    /// At most `max` octets of text, transfer encoding and charset undone.
    pub fn text(&self, max: u32) -> Result<String, Error> {
        Ok(self.0.text(max)?)
    }

    /// Does the content contain this text, in any case? Searched in the host.
    pub fn contains(&self, needle: &str) -> Result<bool, Error> {
        Ok(self.0.contains(needle, true)?)
    }

    /// The same with the case as written.
    pub fn contains_exactly(&self, needle: &str) -> Result<bool, Error> {
        Ok(self.0.contains(needle, false)?)
    }

    /// Does a term of the operator's dictionary match? Searched in the host.
    pub fn matches(&self, dictionary: &str) -> Result<bool, Error> {
        Ok(self.0.matches(dictionary)?)
    }
}

/// The parts of a message, depth first.
///
/// Holds handles for the parts above the current one and no others, so that a
/// mail of many thousand parts stays within the host's limit.
#[derive(Debug)]
pub struct Parts {
    first: Option<Part>,
    /// Each with the index of its next child.
    above: Vec<(Part, u32)>,
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        if let Some(root) = self.first.take() {
            return Some(root);
        }
        loop {
            let (parent, next) = self.above.last_mut()?;
            let index = *next;
            *next += 1;
            let Some(child) = parent.0.child(index).map(Part) else {
                self.above.pop();
                continue;
            };
            // The caller owns the child; its own children need another handle.
            if child.0.child_count() > 0
                && let Some(same) = parent.0.child(index).map(Part)
            {
                self.above.push((same, 0));
            }
            return Some(child);
        }
    }
}

fn read_all(mut read: impl FnMut(u32) -> Result<Vec<u8>, mail::Error>) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    loop {
        let offset = u32::try_from(all.len())
            .map_err(|_| Error::new("filter.too-large", "content beyond 4 GiB"))?;
        match read(offset)? {
            chunk if chunk.is_empty() => return Ok(all),
            chunk => all.extend(chunk),
        }
    }
}
