//! Verifies SignedData (RFC 5652 §5.4, §5.6; RFC 8551; RFC 8550).
//!
//! Each SignerInfo is judged on its own ([`signer`]), and the layer's state follows from all of
//! them ([`agreement`]). What a signature says about its signer's program or keys is read, and
//! is no more than the signer's word.
//!
//! Nothing fails: what does not hold is a state with a reason. There is no state for "nearly":
//! a digest, attribute or structure that is not as RFC 5652 has it makes a signature bad, with
//! one exception. A digest algorithm that SignedData does not announce is tolerated (RFC 5652
//! §5.1 lets one choose) and reported, while no announced algorithm at all is refused, as
//! OpenSSL does.

mod agreement;
mod algorithms;
mod attributes;
mod claims;
mod digests;
mod signer;

use super::{Layer, LayerKind, Opening, Problem, State};
use crate::certificate::Certificate;
use crate::signed_data::SignedData;
use const_oid::db::rfc5911;
use signer::Judge;
use waxseal_message::Message;

/// Signers beyond these are not looked at, and the layer is not valid.
const MAX_SIGNERS: usize = 64;
/// Certificates, revocation lists and OCSP responses beyond these are not looked at.
const MAX_CERTIFICATES: usize = 100;

/// A state that is not good, and why.
#[derive(Debug, Clone)]
struct Flaw {
    state: State,
    problem: Problem,
}

impl Flaw {
    fn new(state: State, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            state,
            problem: Problem { code, message },
        }
    }
}

/// Judges every signature of a SignedData over its content. `authors` is the message whose From
/// and Sender the signers are compared with.
pub(super) fn verify(
    kind: LayerKind,
    signed: &SignedData<'_>,
    content: &[u8],
    authors: &Message,
    opening: &Opening<'_>,
) -> Layer {
    let mut layer = Layer::new(kind, State::Present);
    collect(signed, &mut layer);
    if signed.signers.is_empty() {
        return without_signer(layer, signed);
    }
    let mut judge = Judge::new(signed, content, &layer, authors, opening);
    let signers = signed.signers.iter().take(MAX_SIGNERS);
    let signatures: Vec<_> = signers.map(|info| judge.signature(info)).collect();
    (layer.state, layer.problem) = agreement::of(&signatures);
    for name in signatures.iter().flat_map(|signature| &signature.weak) {
        note(&mut layer.weak, name);
    }
    layer.signatures = signatures;
    for flaw in flaws(kind, signed) {
        if flaw.state > layer.state {
            (layer.state, layer.problem) = (flaw.state, Some(flaw.problem));
        } else if layer.problem.is_none() {
            layer.problem = Some(flaw.problem);
        }
    }
    layer
}

/// Adds a name that is not there yet.
fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// What the SignedData brings beside its signatures. What does not parse is left out.
fn collect(signed: &SignedData<'_>, layer: &mut Layer) {
    let all = signed.certificates.iter().take(MAX_CERTIFICATES);
    layer.certificates = all
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let owned = |all: &[&[u8]]| {
        let all = all.iter().take(MAX_CERTIFICATES);
        all.map(|der| der.to_vec()).collect()
    };
    layer.crls = owned(&signed.crls);
    layer.ocsp_responses = owned(&signed.ocsp_responses);
}

/// RFC 8551 §3.8: certificates and lists, and no content, which nobody would have signed.
fn without_signer(mut layer: Layer, signed: &SignedData<'_>) -> Layer {
    let has_content = signed
        .content
        .iter()
        .flatten()
        .any(|piece| !piece.is_empty());
    if has_content || layer.kind != LayerKind::CertificatesOnly {
        let message = "content without a signature";
        layer.state = State::Malformed;
        layer.problem = Some(Flaw::new(State::Malformed, "signature.none", message).problem);
    } else if signed.certificates.len() > MAX_CERTIFICATES {
        layer.problem = Some(too_many("certificates", MAX_CERTIFICATES, State::Present).problem);
    }
    layer
}

fn too_many(what: &str, limit: usize, state: State) -> Flaw {
    let message = format!("more {what} than are looked at: {limit}");
    Flaw::new(state, "signature.limit", message)
}

/// What is wrong with the SignedData as a whole, and what is to be reported of it.
fn flaws(kind: LayerKind, signed: &SignedData<'_>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let is_embedded = signed
        .content
        .iter()
        .flatten()
        .any(|piece| !piece.is_empty());
    if kind == LayerKind::SignedDetached && is_embedded {
        // Rule 9: readers would differ about what was signed.
        let message = "content inside a signature that has its content beside it";
        let state = State::AmbiguousContent;
        flaws.push(Flaw::new(state, "signature.two-contents", message));
    }
    if signed.signers.len() > MAX_SIGNERS {
        flaws.push(too_many("signers", MAX_SIGNERS, State::Unsupported));
    }
    if signed.certificates.len() > MAX_CERTIFICATES {
        flaws.push(too_many("certificates", MAX_CERTIFICATES, State::Valid));
    }
    if signed.content_type != rfc5911::ID_DATA {
        // RFC 8551 §2.4.2 wants id-data for MIME content.
        let message = format!("signed content is not id-data: {}", signed.content_type);
        flaws.push(Flaw::new(State::Valid, "signature.content-type", message));
    }
    flaws
}
