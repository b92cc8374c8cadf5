//! Expands CompressedData (RFC 3274).
//!
//! What comes out is bounded by the limit on a message's size and by a ratio to what went in:
//! zlib makes a thousand octets of one, mail does not. Beyond either it is `compressed.limit`,
//! and nothing is given out.

use super::{Layer, LayerKind, Opening, Problem, State};
use crate::plain_data::CompressedData;
use const_oid::ObjectIdentifier;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

/// id-alg-zlibCompress (RFC 3274 §2).
const ZLIB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.8");
/// Text compresses to a tenth, a table of zeros to a hundredth.
const MAX_RATIO: usize = 200;
/// So much is always allowed, whatever the ratio.
const SMALL: usize = 1 << 20;

/// The content, expanded.
pub(super) fn expand(data: &CompressedData<'_>, opening: &Opening<'_>) -> (Layer, Option<Vec<u8>>) {
    match expanded(data, opening) {
        Ok(content) => {
            let layer = Layer::new(LayerKind::Compressed, State::Expanded);
            (layer, Some(content))
        }
        Err((state, problem)) => {
            let mut layer = Layer::new(LayerKind::Compressed, state);
            layer.problem = Some(problem);
            (layer, None)
        }
    }
}

fn expanded(data: &CompressedData<'_>, opening: &Opening<'_>) -> Result<Vec<u8>, (State, Problem)> {
    let problem = |code, message: String| Problem { code, message };
    if data.algorithm != ZLIB {
        let message = format!("compression not supported here: {}", data.algorithm);
        return Err((
            State::Unsupported,
            problem("compressed.unsupported", message),
        ));
    }
    let malformed = |message: &str| {
        (
            State::Malformed,
            problem("compressed.malformed", message.into()),
        )
    };
    let pieces = data.content.pieces.as_deref();
    let compressed = pieces
        .ok_or_else(|| malformed("it has no content"))?
        .concat();
    let by_ratio = compressed.len().saturating_mul(MAX_RATIO).max(SMALL);
    let limit = by_ratio.min(opening.limits.octets);
    decompress_to_vec_zlib_with_limit(&compressed, limit).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => {
            let message = format!("it grows to more than {limit} octets");
            (State::Malformed, problem("compressed.limit", message))
        }
        _ => malformed("it is no zlib stream (RFC 1950)"),
    })
}
