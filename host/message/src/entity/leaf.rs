//! Leaves: whether one is safe for transport, and how it is encoded if it is not.

use crate::TransferEncoding;
use crate::base64::{base64_lines, rewrap};
use crate::quoted_printable::{self, count_codes};
use crate::tree::Node;

use super::fault::Faults;

/// A body made safe for transport.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// Its transfer encoding, if it is another than before.
    pub(crate) name: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

/// The leaf's body encoded so that transport changes nothing, its content the same; or `None`
/// if it is safe as it stands, or may not be encoded.
pub(crate) fn encode(node: &Node, body: &[u8]) -> Option<Encoded> {
    let faults = Faults::of(body);
    if faults.is_clean() || is_fixed(node) {
        return None;
    }
    let (name, body) = match node.encoding {
        // Its content is known to its maker alone.
        TransferEncoding::Unknown => return None,
        TransferEncoding::Base64 => (None, rewrap(body)),
        TransferEncoding::QuotedPrintable => (None, quoted_printable::repair(body)),
        _ if suits_quoted_printable(node, body, faults) => {
            (Some("quoted-printable"), quoted_printable::encode(body))
        }
        _ => (Some("base64"), base64_lines(body)),
    };
    Some(Encoded { name, body })
}

/// Types whose body may not be encoded: messages (RFC 2046 §5.2) and what claims to be a
/// multipart (RFC 2045 §6.4).
fn is_fixed(node: &Node) -> bool {
    node.media.name.starts_with("message/") || node.media.name.starts_with("multipart/")
}

/// Text whose line ends are CR LF, since others do not survive as quoted-printable lines in
/// every reader, and which stays readable: what needs a code for most octets is shorter in
/// base64.
fn suits_quoted_printable(node: &Node, content: &[u8], faults: Faults) -> bool {
    let is_text = node.media.name.starts_with("text/");
    is_text && !faults.bare_lf && count_codes(content) * 2 <= content.len()
}
