//! From the outside in: which layer the root entity is, what is inside, and the message that is
//! left when layers come off.

use super::{Layer, LayerKind, Opened, Opening, State, envelope, signature};
use crate::asn1::joined;
use crate::classify::{Claim, claim};
use crate::cms_object::{Cms, read_cms};
use bytes::Bytes;
use waxseal_message::{Message, Part, entity};

/// Layers within layers are read no further than this.
const MAX_LAYERS: usize = 16;

/// Opens all layers, as far as the keys reach.
pub fn open(message: &Message, opening: &Opening<'_>) -> Opened {
    walk(message, opening, |_| false).0
}

/// A message with some layers off.
pub struct Unwrapped {
    /// The layers that were taken off, outermost first.
    pub taken: Vec<Layer>,
    /// The message without them, as [`Opened::message`].
    pub message: Message,
    /// The layers that it still has, judged on the octets as they were inside.
    pub inside: Vec<Layer>,
}

/// Takes off the outermost layer, when it is a signature; whatever its state. `None` when it is
/// none.
pub fn unwrap_signature(message: &Message, opening: &Opening<'_>) -> Option<Unwrapped> {
    unwrap(message, opening, |layer| layer.kind.name() == "signed")
}

/// Takes off everything up to and with the outermost encrypted layer. The error is that layer
/// (closed, without a key, damaged), or `None` when there is no such layer.
pub fn decrypt(message: &Message, opening: &Opening<'_>) -> Result<Unwrapped, Option<Layer>> {
    let (opened, _) = walk(message, opening, |layer| layer.kind.name() == "encrypted");
    let last = opened.layers.last().cloned();
    let encrypted = last.filter(|layer| layer.kind.name() == "encrypted");
    match encrypted {
        Some(layer) if !layer.state.is_good() => Err(Some(layer)),
        Some(_) => unwrap(message, opening, |layer| layer.kind.name() == "encrypted").ok_or(None),
        None => Err(None),
    }
}

fn unwrap(
    message: &Message,
    opening: &Opening<'_>,
    last: impl Fn(&Layer) -> bool,
) -> Option<Unwrapped> {
    let (opened, inside) = walk(message, opening, &last);
    let taken = opened.layers;
    if !taken.last().is_some_and(&last) {
        return None;
    }
    let inside = inside.map(|entity| walk(&entity, opening, |_| false).0.layers);
    Some(Unwrapped {
        taken,
        message: opened.message?,
        inside: inside.unwrap_or_default(),
    })
}

/// The octets are no CMS object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a CMS object (ContentInfo in BER or DER)")]
pub struct NotCms;

/// Opens a bare CMS object, and the layers inside it. `detached` is the content of a signature
/// that came apart.
pub fn open_cms(
    octets: &[u8],
    detached: Option<&[u8]>,
    opening: &Opening<'_>,
) -> Result<Opened, NotCms> {
    let authors = Message::parse(Bytes::new(), opening.limits).map_err(|_| NotCms)?;
    let (layer, content) = cms(octets, detached, &authors, opening).ok_or(NotCms)?;
    let mut opened = Opened {
        layers: vec![layer],
        content: content.map(Bytes::from),
        message: None,
    };
    let entity = opened.content.clone();
    let entity = entity.and_then(|octets| Message::parse(octets, opening.limits).ok());
    if let Some(entity) = entity {
        let inside = walk(&entity, opening, |_| false).0;
        opened.layers.extend(inside.layers);
        opened.content = inside.content.or(opened.content);
    }
    Ok(opened)
}

/// Takes layers off until one is `last`, or none comes off. Also gives what is left, as an
/// entity with the octets that were inside.
fn walk(
    message: &Message,
    opening: &Opening<'_>,
    last: impl Fn(&Layer) -> bool,
) -> (Opened, Option<Message>) {
    let mut layers = Vec::new();
    let mut content: Option<Bytes> = None;
    let mut next = Some(message.clone());
    while let Some(entity) = next.take().filter(|_| layers.len() < MAX_LAYERS) {
        let Some((layer, inside)) = layer(&entity.root(), message, opening) else {
            next = Some(entity);
            break;
        };
        let stop = last(&layer);
        layers.push(layer);
        if let Some(inside) = inside {
            content = Some(inside.clone().into());
            next = Message::parse(inside, opening.limits).ok();
        }
        if stop {
            break;
        }
    }
    let left = content.as_ref().and_then(|_| next);
    let message = match &left {
        None => message.clone(),
        Some(entity) => assemble(message, entity, opening),
    };
    let opened = Opened {
        layers,
        content,
        message: Some(message),
    };
    (opened, left)
}

fn assemble(outer: &Message, inner: &Message, opening: &Opening<'_>) -> Message {
    let prepared = entity::prepare(inner);
    let outer = entity::prepare(outer).outer;
    let mut octets = entity::assemble(&outer, &[], b"").to_vec();
    octets.truncate(octets.len().saturating_sub(2));
    octets.extend_from_slice(&prepared.entity);
    Message::parse(octets, opening.limits).unwrap_or_else(|_| inner.clone())
}

/// The layer that a part is, and the entity inside it if it came off.
fn layer(
    part: &Part<'_>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<(Layer, Option<Vec<u8>>)> {
    let malformed = || Some((Layer::new(LayerKind::Malformed, State::Malformed), None));
    match claim(part) {
        Claim::None => None,
        Claim::Detached => detached(part, authors, opening).or_else(malformed),
        Claim::Opaque => opaque(part, authors, opening).or_else(malformed),
        Claim::PerhapsOpaque => opaque(part, authors, opening),
    }
}

fn detached(
    part: &Part<'_>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<(Layer, Option<Vec<u8>>)> {
    let (content, signature) = (part.child(0)?, part.child(1)?);
    let octets = signature.decoded();
    let Ok(Cms::Signed(signed)) = read_cms(&octets) else {
        return None;
    };
    let kind = LayerKind::SignedDetached;
    let layer = signature::verify(kind, &signed, content.raw(), authors, opening);
    Some((layer, Some(content.raw().to_vec())))
}

fn opaque(
    part: &Part<'_>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<(Layer, Option<Vec<u8>>)> {
    cms(&part.decoded(), None, authors, opening)
}

fn cms(
    octets: &[u8],
    detached: Option<&[u8]>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<(Layer, Option<Vec<u8>>)> {
    match read_cms(octets).ok()? {
        Cms::Signed(signed) => {
            let kind = if signed.signers.is_empty() {
                LayerKind::CertificatesOnly
            } else {
                LayerKind::SignedOpaque
            };
            let content = signed.content.as_ref();
            let content = content.map(|content| joined(content).into_owned());
            let content = content.or_else(|| detached.map(<[u8]>::to_vec));
            let over = content.as_deref().unwrap_or_default();
            let layer = signature::verify(kind, &signed, over, authors, opening);
            Some((layer, content))
        }
        Cms::Enveloped(envelope) => {
            Some(envelope::decrypt(LayerKind::Enveloped, &envelope, opening))
        }
        Cms::AuthEnveloped(envelope) => Some(envelope::decrypt(
            LayerKind::AuthEnveloped,
            &envelope,
            opening,
        )),
        Cms::Compressed => Some((Layer::new(LayerKind::Compressed, State::Closed), None)),
    }
}
