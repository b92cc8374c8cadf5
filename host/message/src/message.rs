//! A message: its head and its body, parsed once.
//!
//! Immutable and cheap to clone. Head and body are two segments, so that an edit of header
//! fields copies the head alone and every version of a message shares one body and one tree.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::field::Fields;
use crate::head::{self, Head};
use crate::tree::{self, Node};
use crate::{Error, Field, Limits, LineEnds, Mailbox, Part, address, line};

/// RFC 5322 octets, with their header fields and MIME tree found.
#[derive(Clone)]
pub struct Message {
    inner: Arc<Inner>,
}

struct Inner {
    head: Bytes,
    body: Bytes,
    /// The whole, as received; made when first asked for in an edited message.
    whole: OnceLock<Bytes>,
    fields: Head,
    tree: Arc<[Node]>,
    /// Looked for when first asked for: it takes a pass over the whole.
    line_ends: OnceLock<LineEnds>,
}

impl Message {
    /// Reads a message. Odd mail is no error; only exceeding one of `limits` is.
    pub fn parse(octets: impl Into<Bytes>, limits: &Limits) -> Result<Self, Error> {
        let whole: Bytes = octets.into();
        if whole.len() > limits.octets {
            return Err(Error::TooLarge {
                size: whole.len(),
                limit: limits.octets,
            });
        }
        let fields = head::scan(&whole, limits)?;
        let (head, body) = (whole.slice(..fields.length), whole.slice(fields.length..));
        let value = |name| {
            Fields::new(&head, &fields.fields)
                .named(name)
                .next()
                .map(|field| field.raw_value())
        };
        let root = tree::Root {
            content_type: value("Content-Type"),
            transfer_encoding: value("Content-Transfer-Encoding"),
        };
        let tree = tree::build(&root, &body, limits)?.into();
        let inner = Inner {
            head,
            body,
            whole: OnceLock::from(whole),
            fields,
            tree,
            line_ends: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The same body below another header section, with its empty line, whose content fields are
    /// the same: the MIME tree is shared. The limits were those of the message.
    #[must_use]
    pub fn with_head(&self, head: impl Into<Bytes>) -> Self {
        let head = head.into();
        let fields = match head::scan(&head, &Limits::UNLIMITED) {
            Ok(fields) => fields,
            // Without limits nothing fails.
            Err(_) => Head {
                fields: Vec::new(),
                length: head.len(),
                empty_line: 0,
            },
        };
        let tree = Arc::clone(&self.inner.tree);
        let inner = Inner {
            head,
            body: self.inner.body.clone(),
            whole: OnceLock::new(),
            fields,
            tree,
            line_ends: OnceLock::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Octets in all.
    pub fn size(&self) -> usize {
        self.inner.head.len() + self.inner.body.len()
    }

    /// The header section with the empty line that ends it, which broken mail may lack.
    pub fn head(&self) -> &Bytes {
        &self.inner.head
    }

    /// What follows the header section.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// Head and body. Of an unedited message these are the octets that were parsed.
    pub fn to_bytes(&self) -> Bytes {
        self.whole().clone()
    }

    pub(crate) fn whole(&self) -> &Bytes {
        self.inner.whole.get_or_init(|| {
            let mut octets = Vec::with_capacity(self.size());
            self.write_to(&mut octets);
            octets.into()
        })
    }

    /// Appends head and body to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        out.extend_from_slice(self.head());
        out.extend_from_slice(self.body());
    }

    /// How its lines end.
    pub fn line_ends(&self) -> LineEnds {
        let segments: [&[u8]; 2] = [self.head(), self.body()];
        *self.inner.line_ends.get_or_init(|| LineEnds::of(&segments))
    }

    /// Whether every line ends with LF alone. Most messages are told by their first line, without
    /// a pass over the whole.
    pub(crate) fn is_lf_file(&self) -> bool {
        let first = line::Line::at(self.head(), 0).map(|line| line.ending(self.head()));
        first != Some(b"\r\n") && self.line_ends() == LineEnds::Lf
    }

    /// The header fields, from the top.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.inner.head, &self.inner.fields.fields)
    }

    /// The header field at a position, from 0 at the top.
    pub fn field(&self, index: usize) -> Option<Field<'_>> {
        self.fields().at(index)
    }

    /// How many header fields there are.
    pub fn field_count(&self) -> usize {
        self.inner.fields.fields.len()
    }

    /// The first field of this name; case does not matter.
    pub fn first(&self, name: &str) -> Option<Field<'_>> {
        self.fields().named(name).next()
    }

    /// All fields of this name, from the top.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Field<'a>> {
        self.fields().named(name)
    }

    /// The addresses in all fields of this name; groups are flattened, what is no address is
    /// left out.
    pub fn addresses(&self, name: &str) -> Vec<Mailbox> {
        self.all(name)
            .flat_map(|field| address::parse_mailboxes(field.raw_value()))
            .collect()
    }

    /// The whole content.
    pub fn root(&self) -> Part<'_> {
        Part::new(self, 0)
    }

    /// The part with this id: "1" is the root, "1.2" its second child.
    pub fn part(&self, id: &str) -> Option<Part<'_>> {
        let mut steps = id.split('.');
        let mut part = (steps.next()? == "1").then(|| self.root())?;
        for step in steps {
            // "1.02" and "1.+2" are not ids.
            let number = step
                .parse::<usize>()
                .ok()
                .filter(|number| number.to_string() == step)?;
            part = part.child(number.checked_sub(1)?)?;
        }
        Some(part)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.inner.tree
    }

    pub(crate) fn head_spans(&self) -> &Head {
        &self.inner.fields
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No content: messages end up in logs.
        f.debug_struct("Message")
            .field("size", &self.size())
            .field("fields", &self.field_count())
            .field("parts", &self.nodes().len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Message {
    /// Equal octets.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.size() == other.size() && self.whole() == other.whole())
    }
}

impl Eq for Message {}
