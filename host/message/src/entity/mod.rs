//! The MIME entity that is signed or encrypted: canonical and safe for transport (RFC 8551
//! §3.1–3.1.3, RFC 1847 §2.1), and the message around a protected one.
//!
//! An entity that needs nothing keeps every octet. In another, only what needs it changes:
//! leaves get a transfer encoding, their content stays the same. What must not be encoded
//! (nested multipart/signed and multipart/encrypted, RFC 1847 §2; messages, RFC 2046 §5.2.1)
//! stays as it is, and [`Prepared::transport_safe`] says so when that leaves octets that
//! transport may change.
//!
//! Nothing here fails.

mod edits;
mod fault;
mod leaf;
mod outer;
mod structure;

use bytes::Bytes;

use crate::head::FieldSpan;
use crate::tree::Node;
use crate::{Field, Limits, Message, Part, TransferEncoding};
use edits::Edits;
use fault::Faults;

pub use outer::{assemble, content_head};

/// How far an entity could be made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// 7-bit throughout, nested leaves included: fit for a detached signature.
    SevenBit,
    /// Canonical as far as it may be changed, but with 8-bit octets, NUL, bare CR or LF, or
    /// long lines where nothing may be re-encoded: only fit inside an encoding of its own.
    Canonical,
}

/// A MIME entity in canonical form: `Content-*` fields, empty line, body; CR LF. Head and body are
/// apart, so that a body that needs no change is shared with the message that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    head: Bytes,
    body: Bytes,
}

impl Entity {
    /// The header section with its empty line.
    pub fn head(&self) -> &Bytes {
        &self.head
    }

    /// What follows it.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Octets in all.
    pub fn size(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The octets in order.
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.head, &self.body]
    }

    /// The octets in one piece.
    pub fn to_bytes(&self) -> Bytes {
        self.pieces().concat().into()
    }

    /// The same body below another header section, which ends with its empty line.
    #[must_use]
    pub fn with_head(&self, head: impl Into<Bytes>) -> Self {
        Self {
            head: head.into(),
            body: self.body.clone(),
        }
    }
}

/// What is protected, and what stays outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The MIME entity.
    pub entity: Entity,
    /// The other header fields in order, raw, each ended with CR LF.
    pub outer: Vec<Bytes>,
    /// Whether the entity differs from the message's own octets in more than the fields that
    /// moved outside.
    pub changed: bool,
    /// Whether [`Prepared::safety`] is [`Safety::SevenBit`]. If not, a detached signature
    /// would not survive transport.
    pub transport_safe: bool,
}

impl Prepared {
    /// How far the entity could be made safe.
    pub fn safety(&self) -> Safety {
        if self.transport_safe {
            Safety::SevenBit
        } else {
            Safety::Canonical
        }
    }
}

/// Makes the entity of a message canonical and safe for transport.
pub fn prepare(message: &Message) -> Prepared {
    let outer = outer_fields(message);
    let canonical = with_crlf(message);
    let is_converted = canonical.is_some();
    let message = canonical.as_ref().unwrap_or(message);

    let mut edits = Edits::default();
    let faults = Faults::of(message.body());
    let root = root(message, faults, &mut edits);
    let (body, faults) = if edits.is_empty() {
        (message.body().clone(), faults)
    } else {
        let mut body = Vec::new();
        edits.write(message.body(), &mut body);
        let faults = Faults::of(&body);
        (body.into(), faults)
    };
    let mut head = root.fields;
    head.extend_from_slice(b"\r\n");
    let has_empty_line = message.head_spans().empty_line > 0;
    let changed = is_converted || root.changed || !edits.is_empty() || !has_empty_line;
    let transport_safe = faults.is_seven_bit() && Faults::of(&head).is_seven_bit();
    Prepared {
        entity: Entity {
            head: head.into(),
            body,
        },
        outer,
        changed,
        transport_safe,
    }
}

/// The header fields that stay outside, as [`Prepared::outer`] has them.
pub fn outer_fields(message: &Message) -> Vec<Bytes> {
    let fields = message.fields();
    fields
        .filter_map(|field| outer::field(message.head(), &field))
        .collect()
}

/// Whether the octets are fit for 7-bit transport (RFC 2045 §2.7): ASCII, no NUL, lines of at most
/// 998 octets that end with CR LF.
pub fn is_seven_bit(octets: &[u8]) -> bool {
    Faults::of(octets).is_seven_bit()
}

/// Whether the octets are fit for transport but for those over 127 (RFC 2045 §2.8).
pub fn has_safe_lines(octets: &[u8]) -> bool {
    Faults {
        eight_bit: false,
        ..Faults::of(octets)
    }
    .is_seven_bit()
}

/// A file whose line ends are all LF is read as CR LF (RFC 8551 §3.1.1). Leaves whose LFs are
/// data, not line ends, keep them.
fn with_crlf(message: &Message) -> Option<Message> {
    if !message.is_lf_file() {
        return None;
    }
    let body = message.body();
    let mut out = Vec::with_capacity(message.size() + message.size() / 32);
    push_crlf(message.head(), &mut out);
    let mut done = 0;
    for node in message.nodes().iter().filter(|node| is_data(message, node)) {
        push_crlf(&body[done..node.body.start], &mut out);
        out.extend_from_slice(&body[node.body.clone()]);
        done = node.body.end;
    }
    push_crlf(&body[done..], &mut out);
    // Its octets were within limits, and its parts still are.
    Message::parse(out, &Limits::UNLIMITED).ok()
}

/// Appends `octets`, which hold no CR LF, with CR LF for LF.
fn push_crlf(octets: &[u8], out: &mut Vec<u8>) {
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
}

/// A leaf that is not text and not encoded, and not made of lines.
fn is_data(message: &Message, node: &Node) -> bool {
    let is_raw = node.children.is_empty() && node.encoding.is_identity();
    let is_lines = ["text/", "message/", "multipart/"]
        .iter()
        .any(|kind| node.media.name.starts_with(kind));
    if !is_raw || is_lines || is_inside_protected(message, node) {
        return false;
    }
    let faults = Faults::of(&message.body()[node.body.clone()]);
    node.encoding == TransferEncoding::Binary || faults.eight_bit || faults.nul
}

fn is_inside_protected(message: &Message, node: &Node) -> bool {
    let nodes = message.nodes();
    std::iter::successors(node.parent, |&parent| nodes[parent].parent)
        .any(|parent| is_protected(&nodes[parent]))
}

/// Nothing inside may change: RFC 1847 §2, RFC 2046 §5.2.1.
fn is_protected(node: &Node) -> bool {
    matches!(
        node.media.name.as_str(),
        "multipart/signed" | "multipart/encrypted"
    ) || node.media.name.starts_with("message/")
}

/// The root's content fields.
struct Root {
    fields: Vec<u8>,
    changed: bool,
}

/// Prepares the whole tree; edits of the body go to `edits`. `faults` are those of the whole body.
fn root(message: &Message, faults: Faults, edits: &mut Edits) -> Root {
    let part = message.root();
    let encoding = part_body(&part, faults, edits);
    let content: Vec<Field<'_>> = message.fields().filter(outer::is_content).collect();
    let raw: Vec<&[u8]> = content.iter().map(Field::raw).collect();
    let original = raw.concat();
    let mut fields = Vec::with_capacity(original.len() + 80);
    if !content.iter().any(|field| field.is_named("Content-Type")) {
        // Without a Content-Type an entity is text/plain (RFC 2045 §5.2); inside another
        // message's envelope it says so.
        fields.extend_from_slice(b"Content-Type: text/plain");
        fields.extend_from_slice(charset_of(&part).as_bytes());
        fields.extend_from_slice(b"\r\n");
    }
    match encoding {
        Some(name) => {
            let spans = field_spans(&content, &original);
            fields.extend(structure::with_encoding(&original, &spans, name));
        }
        None => fields.extend(structure::header(&original)),
    }
    let changed = fields != original;
    Root { fields, changed }
}

/// The spans of fields that were put one after the other.
fn field_spans(fields: &[Field<'_>], octets: &[u8]) -> Vec<FieldSpan> {
    let mut at = 0;
    let mut spans = Vec::with_capacity(fields.len());
    for field in fields {
        let end = at + field.raw().len();
        let name = at..at + field.name().len();
        debug_assert_eq!(&octets[name.clone()], field.name().as_bytes());
        spans.push(FieldSpan {
            value: end - field.raw_value().len()..end,
            name,
        });
        at = end;
    }
    spans
}

/// The charset parameter for text that names none.
fn charset_of(part: &Part<'_>) -> &'static str {
    let content = part.decoded();
    match std::str::from_utf8(&content) {
        // Escape sequences switch charsets: the reader must go on guessing which (RFC 1468).
        _ if content.contains(&0x1b) => "",
        _ if content.is_ascii() => "; charset=us-ascii",
        Ok(_) => "; charset=utf-8",
        // RFC 1428 §3: there is something, and nobody said what.
        Err(_) => "; charset=unknown-8bit",
    }
}

/// Prepares the body of a part. Returns the transfer encoding that its header must name, if
/// that changes.
fn part_body(part: &Part<'_>, faults: Faults, edits: &mut Edits) -> Option<&'static str> {
    let node = part.node();
    if is_protected(node) {
        return None;
    }
    if !part.is_leaf() {
        multipart(part, faults, edits);
        // RFC 2045 §6.4: a composite type is not encoded, whatever its header says.
        return (!node.encoding.is_identity()).then_some("7bit");
    }
    if faults.is_clean() {
        // A leaf consists of whole lines of the body.
        return None;
    }
    let encoded = leaf::encode(node, part.raw_body())?;
    edits.replace(node.body.clone(), encoded.body);
    encoded.name
}

/// Prepares what is between the parts of a multipart, and the parts. The depth is limited by
/// the parser.
fn multipart(part: &Part<'_>, faults: Faults, edits: &mut Edits) {
    let node = part.node();
    let body = part.body_octets();
    let boundary = node.media.boundary.as_deref().unwrap_or_default();
    let mut done = node.body.start;
    for child in part.children() {
        let raw = child.node().raw.clone();
        edits.set(
            body,
            done..raw.start,
            structure::between(&body[done..raw.start], boundary),
        );
        done = raw.end;
        child_part(&child, faults, edits);
    }
    edits.set(
        body,
        done..node.body.end,
        structure::between(&body[done..node.body.end], boundary),
    );
}

/// Prepares a part that is not the root: its header section, then its body.
fn child_part(part: &Part<'_>, faults: Faults, edits: &mut Edits) {
    let node = part.node();
    let octets = part.body_octets();
    let mut inside = Edits::default();
    let encoding = part_body(part, faults, &mut inside);
    let fields = node.raw.start..node.body.start - node.empty_line;
    let mut header = match encoding {
        Some(name) => structure::with_encoding(octets, &node.fields, name),
        None => structure::header(&octets[fields.clone()]),
    };
    if !node.body.is_empty() || node.empty_line > 0 {
        header.extend_from_slice(b"\r\n");
    } else if !octets[fields].ends_with(b"\n") {
        // The delimiter ended the section, and the last line end is the delimiter's.
        header.truncate(header.len().saturating_sub(2));
    }
    edits.set(octets, node.raw.start..node.body.start, header);
    edits.append(inside);
}

#[cfg(test)]
mod tests;
