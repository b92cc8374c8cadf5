//! Leaves: whether one is safe for transport, and how it is encoded if it is not.

use std::borrow::Cow;

use crate::TransferEncoding;
use crate::transfer::{
    base64_lines, count_codes, decode_quoted_printable, quoted_printable, rewrap_base64,
};
use crate::tree::Node;

use super::fault::Faults;

/// A body in another encoding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) name: &'static str,
    pub(crate) body: Vec<u8>,
}

/// The leaf's body encoded anew so that transport changes nothing, its content the same; or
/// `None` if it is safe as it stands, or may not be encoded.
pub(crate) fn encode(node: &Node, body: &[u8]) -> Option<Encoded> {
    if Faults::of(body).is_clean() || is_fixed(node) {
        return None;
    }
    match node.encoding {
        // Its content is known to its maker alone.
        TransferEncoding::Unknown => None,
        TransferEncoding::Base64 => Some(Encoded {
            name: "base64",
            body: rewrap_base64(body),
        }),
        TransferEncoding::QuotedPrintable => {
            Some(encode_content(node, decode_quoted_printable(body).into()))
        }
        _ => Some(encode_content(node, body.into())),
    }
}

/// Types whose body may not be encoded: messages (RFC 2046 §5.2) and what claims to be a
/// multipart (RFC 2045 §6.4).
fn is_fixed(node: &Node) -> bool {
    node.media.name.starts_with("message/") || node.media.name.starts_with("multipart/")
}

fn encode_content(node: &Node, content: Cow<'_, [u8]>) -> Encoded {
    let is_text = node.media.name.starts_with("text/");
    // Line ends that are not CR LF do not survive as quoted-printable lines in every reader;
    // and what needs a code for most octets is shorter in base64.
    if is_text && !Faults::of(&content).bare_lf && count_codes(&content) * 2 <= content.len() {
        Encoded {
            name: "quoted-printable",
            body: quoted_printable(&content),
        }
    } else {
        Encoded {
            name: "base64",
            body: base64_lines(&content),
        }
    }
}
