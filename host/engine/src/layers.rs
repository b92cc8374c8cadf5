//! What opening a message found, as filters see it.

use std::collections::BTreeSet;
use std::sync::Arc;

use waxseal_policy::capabilities::{CallError, ErrorKind, Layer, Signature};
use waxseal_smime::open::{self, FromMatch, Problem};

use crate::certificates::view;

/// The layers, outermost first.
pub(crate) fn views(layers: &[open::Layer]) -> Vec<Layer> {
    layers.iter().map(of).collect()
}

fn of(layer: &open::Layer) -> Layer {
    Layer {
        kind: layer.kind.name().to_owned(),
        form: layer.kind.form().to_owned(),
        state: layer.state.name().to_owned(),
        problem: layer.problem.as_ref().map(problem),
        signatures: layer.signatures.iter().map(signature).collect(),
        weak: weak(layer),
    }
}

/// Each thing once.
fn weak(layer: &open::Layer) -> Vec<String> {
    let signatures = layer.signatures.iter().flat_map(|own| &own.weak);
    let all = layer.weak.iter().chain(signatures);
    let once: BTreeSet<&String> = all.collect();
    once.into_iter().cloned().collect()
}

fn signature(signature: &open::Signature) -> Signature {
    Signature {
        signer: signature
            .signer
            .as_ref()
            .map(|own| Arc::new(view(own, "message"))),
        state: signature.state.name().to_owned(),
        problem: signature.problem.as_ref().map(problem),
        digest_algorithm: signature.digest.clone(),
        signature_algorithm: signature.algorithm.clone(),
        signing_time: signature.signing_time.map(|time| time.unix()),
        matches_from: signature.from == FromMatch::Matches,
    }
}

fn problem(problem: &Problem) -> CallError {
    CallError::new(ErrorKind::Failed, problem.code, problem.message.clone())
}
