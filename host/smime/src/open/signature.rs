//! Verifies SignedData (RFC 5652 §5.4, §5.6; RFC 8551; RFC 8550).

use super::{Layer, LayerKind, Opening, State};
use crate::signed_data::SignedData;
use waxseal_message::Message;

/// Judges every signature of a SignedData over its content. `authors` is the message whose From
/// and Sender the signers are compared with.
pub(super) fn verify(
    kind: LayerKind,
    signed: &SignedData<'_>,
    content: &[u8],
    authors: &Message,
    opening: &Opening<'_>,
) -> Layer {
    let _ = (signed, content, authors, opening);
    Layer::new(kind, State::Unsupported)
}
