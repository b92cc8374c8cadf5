//! `inspect.layers`, as far as structure goes: nothing is verified and nothing decrypted
//! before the inbound side is built, and the states say so.

use std::sync::Arc;

use waxseal_message::Message;
use waxseal_policy::capabilities::{CallError, ErrorKind, Layer, Signature};
use waxseal_smime::{LayerKind, LayerSigner};

use crate::certificates::view;
use crate::signer::author;

/// The layers that can be seen without a key, outermost first.
pub(crate) fn layers(message: &Message) -> Vec<Layer> {
    waxseal_smime::layers(message)
        .iter()
        .map(|layer| of(layer, message))
        .collect()
}

fn of(layer: &waxseal_smime::Layer, message: &Message) -> Layer {
    let (kind, state) = match layer.kind {
        LayerKind::SignedDetached | LayerKind::SignedOpaque => ("signed", "not-verified"),
        LayerKind::Enveloped | LayerKind::AuthEnveloped => ("encrypted", "closed"),
        LayerKind::Compressed => ("compressed", "closed"),
        LayerKind::CertificatesOnly => ("certificates", "present"),
        LayerKind::Malformed => ("malformed", "damaged"),
    };
    let verified = kind != "signed";
    Layer {
        kind: kind.to_owned(),
        state: state.to_owned(),
        problem: (!verified).then(not_verified),
        signatures: layer
            .signers
            .iter()
            .map(|signer| signature(signer, message))
            .collect(),
    }
}

fn signature(signer: &LayerSigner, message: &Message) -> Signature {
    let author = author(message).ok();
    let matches_from = signer
        .certificate
        .as_ref()
        .zip(author)
        .is_some_and(|(own, author)| {
            own.addresses()
                .iter()
                .any(|address| address.matches_folded(&author))
        });
    Signature {
        signer: signer
            .certificate
            .as_ref()
            .map(|own| Arc::new(view(own, "message"))),
        state: "not-verified".to_owned(),
        problem: Some(not_verified()),
        digest_algorithm: signer.digest.clone(),
        signature_algorithm: signer.signature.clone(),
        signing_time: None,
        matches_from,
    }
}

fn not_verified() -> CallError {
    CallError::new(
        ErrorKind::Failed,
        "host.not-built",
        "signatures of received mail are not verified yet",
    )
}
