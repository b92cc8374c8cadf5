//! S/MIME below other parts (rule 9): reported, neither verified as the message's nor decrypted.

use super::object::{cms_octets, is_signature_part};
use super::{Layer, LayerKind, Problem, State};
use crate::classify::{Claim, claim};
use crate::cms_object::{Cms, read_cms};
use waxseal_message::{Message, Part};

/// More of them are not listed: one is enough to spoil a verdict.
const MAX_REPORTED: usize = 16;

/// The S/MIME parts below the root of an entity that is none itself. It makes no difference
/// whether that came out of an envelope: anybody can encrypt somebody else's ciphertext again.
pub(super) fn layers(entity: &Message) -> Vec<Layer> {
    let mut found = Vec::new();
    let mut pending: Vec<Part<'_>> = entity.root().children().collect();
    pending.reverse();
    while let Some(part) = pending.pop().filter(|_| found.len() < MAX_REPORTED) {
        match kind(&part) {
            Some(LayerKind::CertificatesOnly) => {}
            Some(kind) => found.push(layer(kind, &part)),
            None => {
                let children: Vec<_> = part.children().collect();
                pending.extend(children.into_iter().rev());
            }
        }
    }
    found
}

fn layer(kind: LayerKind, part: &Part<'_>) -> Layer {
    let (state, code, what) = if kind.name() == "encrypted" {
        // EFAIL: what surrounds it would go out with what is inside.
        (
            State::Suspicious,
            "layer.encrypted-below",
            "an encrypted part below other parts",
        )
    } else {
        (
            State::NotRoot,
            "layer.not-root",
            "an S/MIME part below other parts",
        )
    };
    let mut layer = Layer::new(kind, state);
    layer.problem = Some(Problem {
        code,
        message: format!("{what}: part {}", part.id()),
    });
    layer
}

/// What S/MIME it is, if it is any.
fn kind(part: &Part<'_>) -> Option<LayerKind> {
    match claim(part) {
        Claim::None => None,
        Claim::Detached => is_smime(part).then_some(LayerKind::SignedDetached),
        Claim::Opaque => Some(parsed_kind(part).unwrap_or(LayerKind::Malformed)),
        Claim::PerhapsOpaque => parsed_kind(part),
    }
}

/// Without protocol, a multipart/signed may be anybody's.
fn is_smime(part: &Part<'_>) -> bool {
    part.parameter("protocol").is_some() || part.child(1).is_some_and(|it| is_signature_part(&it))
}

fn parsed_kind(part: &Part<'_>) -> Option<LayerKind> {
    let octets = cms_octets(part)?;
    Some(match read_cms(&octets).ok()? {
        Cms::Signed(signed) if signed.signers.is_empty() => LayerKind::CertificatesOnly,
        Cms::Signed(signed) if signed.content.is_none() => LayerKind::SignedDetached,
        Cms::Signed(_) => LayerKind::SignedOpaque,
        Cms::Enveloped(_) => LayerKind::Enveloped,
        Cms::AuthEnveloped(_) => LayerKind::AuthEnveloped,
        Cms::Encrypted(_) => LayerKind::EncryptedData,
        Cms::Compressed(_) => LayerKind::Compressed,
        Cms::Digested(_) => LayerKind::Digested,
        Cms::Unsupported => LayerKind::Malformed,
    })
}
