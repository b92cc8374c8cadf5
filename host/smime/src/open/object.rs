//! One layer: which one an entity or a CMS object is, and what is inside it.
//!
//! What claims to be S/MIME and does not parse is a layer too, [`State::Malformed`]. Where two
//! programs could see different content (RFC 1847 with more than two parts, content inside a
//! detached signature, no content at all), the layer says so and is not valid.

use super::{Layer, LayerKind, Opening, Problem, State, compressed, digested, envelope, signature};
use crate::asn1::{Element, joined, object_identifier, sequence, tag, tlv};
use crate::classify::{Claim, claim, is_pkcs7_signature};
use crate::cms_object::{Cms, read_cms};
use crate::signed_data::SignedData;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;
use std::borrow::Cow;
use waxseal_message::{Message, Part};

/// What may be a layer.
#[derive(Clone)]
pub(super) enum Object {
    /// A MIME entity.
    Entity(Message),
    /// A CMS object without MIME around it.
    Cms(Bytes),
}

impl Object {
    pub(super) fn into_entity(self) -> Option<Message> {
        match self {
            Self::Entity(entity) => Some(entity),
            Self::Cms(_) => None,
        }
    }
}

/// A layer that was taken off.
pub(super) struct Taken {
    pub(super) layer: Layer,
    /// What was inside, if it came out.
    pub(super) content: Option<Bytes>,
}

/// What the content of a layer is: a CMS object again (RFC 5652 §5.2, §6.1: any content type),
/// or a MIME entity.
pub(super) fn object(octets: Bytes, opening: &Opening<'_>) -> Result<Object, Problem> {
    if let Some(info) = content_info(&octets) {
        return Ok(Object::Cms(match info {
            Cow::Borrowed(_) => octets,
            Cow::Owned(info) => info.into(),
        }));
    }
    let entity = Message::parse(octets, opening.limits).map_err(|error| Problem {
        code: "content.limits",
        message: error.to_string(),
    })?;
    Ok(Object::Entity(entity))
}

/// The octets as a ContentInfo: they are one, or the content of one without its type.
fn content_info(octets: &[u8]) -> Option<Cow<'_, [u8]>> {
    const TYPES: [ObjectIdentifier; 2] = [rfc5911::ID_SIGNED_DATA, rfc5911::ID_ENVELOPED_DATA];
    if octets.first() != Some(&tag::SEQUENCE) || Element::only(octets).is_err() {
        return None;
    }
    if read_cms(octets).is_ok() {
        return Some(Cow::Borrowed(octets));
    }
    TYPES.iter().find_map(|content_type| {
        let content = tlv(tag::context(0), &[octets]);
        let info = sequence(&[&object_identifier(*content_type), &content]);
        read_cms(&info).is_ok().then_some(Cow::Owned(info))
    })
}

/// Takes a layer off, if the object is one. `detached` is the content of a bare signature that
/// came apart.
pub(super) fn take(
    object: &Object,
    detached: Option<&[u8]>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<Taken> {
    match object {
        Object::Entity(entity) => entity_layer(entity, authors, opening),
        Object::Cms(octets) => cms(octets, detached, authors, opening),
    }
}

/// The layer that the root of an entity is.
fn entity_layer(entity: &Message, authors: &Message, opening: &Opening<'_>) -> Option<Taken> {
    let root = entity.root();
    let claim = claim(&root);
    if claim == Claim::None {
        return None;
    }
    if claim != Claim::PerhapsOpaque && is_doubled(entity) {
        return Some(closed(
            State::AmbiguousContent,
            "entity.fields-doubled",
            "Content-Type or Content-Transfer-Encoding is there more than once",
        ));
    }
    match claim {
        Claim::None => None,
        Claim::Detached => multipart(entity, &root, authors, opening),
        Claim::Opaque => Some(opaque(&root, authors, opening).unwrap_or_else(|| {
            closed(
                State::Malformed,
                "layer.malformed",
                "it says that it is S/MIME and does not parse",
            )
        })),
        Claim::PerhapsOpaque => opaque(&root, authors, opening),
    }
}

/// Rule 9: programs differ in which of several fields counts.
fn is_doubled(entity: &Message) -> bool {
    let several = |name| entity.all(name).count() > 1;
    several("Content-Type") || several("Content-Transfer-Encoding")
}

/// A layer that is not looked into.
fn closed(state: State, code: &'static str, message: &str) -> Taken {
    let mut layer = Layer::new(LayerKind::Malformed, state);
    layer.problem = Some(Problem {
        code,
        message: message.to_owned(),
    });
    Taken {
        layer,
        content: None,
    }
}

/// multipart/signed (RFC 1847 §2.1, RFC 8551 §3.5.3).
fn multipart(
    entity: &Message,
    root: &Part<'_>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<Taken> {
    let malformed = |message| Some(closed(State::Malformed, "multipart.malformed", message));
    let (Some(content), Some(signature)) = (root.child(0), root.child(1)) else {
        return malformed("multipart/signed without two parts");
    };
    if !is_signature_part(&signature) {
        let says = root.parameter("protocol").is_some();
        // Without protocol it may be anybody's, PGP's for example.
        return says
            .then(|| malformed("the second part is not of the protocol that is named"))
            .flatten();
    }
    if root.child_count() != 2 {
        return malformed("multipart/signed with more than two parts");
    }
    let Some(octets) = cms_octets(&signature) else {
        return malformed("the signature does not parse");
    };
    let Ok(Cms::Signed(signed)) = read_cms(&octets) else {
        return malformed("the second part is no SignedData");
    };
    let kind = LayerKind::SignedDetached;
    let layer = signature::verify(kind, &signed, content.raw(), authors, opening);
    let content = entity.body().slice_ref(content.raw());
    Some(Taken {
        layer,
        content: Some(content),
    })
}

/// The second part of multipart/signed, also as programs write it that know no better.
pub(super) fn is_signature_part(part: &Part<'_>) -> bool {
    is_pkcs7_signature(&part.media_type())
        || matches!(claim(part), Claim::Opaque | Claim::PerhapsOpaque)
}

/// A layer that is not in order, whatever its signatures are.
fn spoil(layer: &mut Layer, state: State, code: &'static str, message: &str) {
    if layer.state < state {
        layer.state = state;
        layer.problem = Some(Problem {
            code,
            message: message.to_owned(),
        });
    }
    for signature in &mut layer.signatures {
        signature.state = signature.state.max(state);
    }
}

/// application/pkcs7-mime and what goes by other names (RFC 8551 §3.2, §3.9).
fn opaque(part: &Part<'_>, authors: &Message, opening: &Opening<'_>) -> Option<Taken> {
    let octets = match cms_octets(part)? {
        Cow::Borrowed(octets) => Bytes::copy_from_slice(octets),
        Cow::Owned(octets) => octets.into(),
    };
    cms(&octets, None, authors, opening)
}

/// The octets of a CMS object in a part: as its transfer encoding says; where it says none,
/// perhaps base64 all the same, or with a line end after it.
pub(super) fn cms_octets<'a>(part: &Part<'a>) -> Option<Cow<'a, [u8]>> {
    let reads = |octets: &[u8]| read_cms(octets).is_ok();
    let decoded = part.decoded();
    if reads(&decoded) {
        return Some(decoded);
    }
    let body = part.raw_body();
    if !part.transfer_encoding().is_identity() {
        return None;
    }
    let trimmed = body.trim_ascii_end();
    if reads(trimmed) {
        return Some(Cow::Borrowed(trimmed));
    }
    let digits: Vec<u8> = body
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let octets = GeneralPurpose::new(&STANDARD, config).decode(digits).ok()?;
    reads(&octets).then_some(Cow::Owned(octets))
}

/// The layer that a CMS object is.
fn cms(
    octets: &Bytes,
    detached: Option<&[u8]>,
    authors: &Message,
    opening: &Opening<'_>,
) -> Option<Taken> {
    let (layer, content) = match read_cms(octets).ok()? {
        Cms::Signed(signed) => {
            let (layer, content) = signed_layer(&signed, detached, authors, opening);
            let content = content.map(|content| match content {
                // A slice of the object, unless it was in pieces or elsewhere.
                Cow::Borrowed(content) if detached.is_none() => octets.slice_ref(content),
                content => content.into_owned().into(),
            });
            return Some(Taken { layer, content });
        }
        Cms::Enveloped(envelope) => envelope::decrypt(LayerKind::Enveloped, &envelope, opening),
        Cms::AuthEnveloped(envelope) => {
            envelope::decrypt(LayerKind::AuthEnveloped, &envelope, opening)
        }
        Cms::Encrypted(data) => envelope::decrypt_data(&data, opening),
        Cms::Compressed(data) => compressed::expand(&data, opening),
        Cms::Digested(data) => digested::check(&data, opening),
        Cms::Unsupported => {
            let message = "a CMS content type that is not supported here";
            return Some(closed(State::Unsupported, "layer.unsupported", message));
        }
    };
    Some(Taken {
        layer,
        content: content.map(Bytes::from),
    })
}

/// SignedData with its content inside, or apart, or with certificates only.
fn signed_layer<'a>(
    signed: &SignedData<'a>,
    detached: Option<&'a [u8]>,
    authors: &Message,
    opening: &Opening<'_>,
) -> (Layer, Option<Cow<'a, [u8]>>) {
    let inside = signed.content.as_ref().map(|content| joined(content));
    let content = inside.as_deref().or(detached);
    let kind = match (signed.signers.is_empty(), &inside, detached) {
        (true, ..) => LayerKind::CertificatesOnly,
        (false, None, Some(_)) => LayerKind::SignedDetached,
        (false, ..) => LayerKind::SignedOpaque,
    };
    let over = content.unwrap_or_default();
    let mut layer = signature::verify(kind, signed, over, authors, opening);
    if kind == LayerKind::CertificatesOnly {
        return (layer, None);
    }
    if inside.is_some() && detached.is_some() {
        let message = "content inside a signature that has its content beside it";
        spoil(
            &mut layer,
            State::AmbiguousContent,
            "signature.two-contents",
            message,
        );
    } else if content.is_none() {
        let message = "a signature without the content that it is about";
        spoil(
            &mut layer,
            State::AmbiguousContent,
            "signature.no-content",
            message,
        );
    }
    (layer, inside.or(detached.map(Cow::Borrowed)))
}
