//! Checks DigestedData (RFC 5652 §7): a digest that anybody can make, so that it protects
//! against accidents only.

use super::{Layer, LayerKind, Opening, Problem, State};
use crate::algorithm::DigestAlgorithm;
use crate::plain_data::DigestedData;

/// The content, if its digest is right. SHA-1 is reported, and good enough for this: a digest
/// without a key proves nothing in any case.
pub(super) fn check(data: &DigestedData<'_>, opening: &Opening<'_>) -> (Layer, Option<Vec<u8>>) {
    let closed = |state, code, message: &str| {
        let mut layer = Layer::new(LayerKind::Digested, state);
        let message = message.into();
        layer.problem = Some(Problem { code, message });
        (layer, None)
    };
    let Some(algorithm) = DigestAlgorithm::readable(data.algorithm) else {
        let message = format!("digest algorithm not supported here: {}", data.algorithm);
        return closed(State::Unsupported, "digested.unsupported", &message);
    };
    let Some(pieces) = &data.content.pieces else {
        return closed(State::Malformed, "digested.malformed", "it has no content");
    };
    let content = pieces.concat();
    if opening.provider.digest(algorithm, &content) != *data.digest {
        return closed(
            State::Damaged,
            "digested.mismatch",
            "the digest is not that of the content",
        );
    }
    let mut layer = Layer::new(LayerKind::Digested, State::Expanded);
    if algorithm.is_weak() {
        layer.weak.push(algorithm.to_string());
    }
    (layer, Some(content))
}
