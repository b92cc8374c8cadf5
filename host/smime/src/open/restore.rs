//! Protected header fields replace the outer ones (RFC 9788 §4), in the form of that document
//! and in two older ones: a message/rfc822 around the content (RFC 8551 §3.1, RFC 9788 §4.10),
//! and the parameter `protected-headers="v1"` (draft-autocrypt-lamps-protected-headers).
//!
//! Fields of transport and marks of filters (Received, Authentication-Results, X-Spam-…) never
//! come from inside: a sender could write them there. A protected From that is not the outer
//! one counts only with a valid signature of that address (§4.4).
//!
//! Fields of a payload that is only signed count when every signature is valid.

mod legacy_display;

use super::{FromMatch, Layer, Problem, State, author};
use crate::classify::{Claim, claim};
use bytes::Bytes;
use waxseal_message::{Limits, Message, Part, entity};

/// What the payload says about the header.
#[derive(Default)]
pub(super) struct Restored {
    /// The outer fields with the protected ones in their places; `None` when nothing is
    /// protected.
    pub(super) fields: Option<Vec<Bytes>>,
    /// The payload without what stood in for protected fields in old readers, if that changes
    /// it.
    pub(super) body: Option<Message>,
    /// The message whose From and Sender count, when it is not the outer one.
    pub(super) authors: Option<Message>,
    /// Why a field does not count.
    pub(super) problem: Option<Problem>,
}

/// Fields that a sender's program writes and a reader's shows or uses (RFC 5322 §3.6, RFC 9788
/// §1.8): these may come from inside, and nothing else.
const LIFTED: [&str; 19] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
    "comments",
    "keywords",
    "followup-to",
    "mail-reply-to",
    "mail-followup-to",
    "importance",
    "priority",
    "sensitivity",
    "disposition-notification-to",
];

/// Of those, the ones that a message must have (RFC 5322 §3.6), or cannot be told apart without.
const NEEDED: [&str; 5] = ["from", "to", "cc", "date", "message-id"];

/// How the payload has the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `hp`: all fields are inside, and what is only outside is not the sender's (§2, §4.2).
    Hp,
    /// The payload is a message as a whole.
    Wrapped,
    /// `protected-headers="v1"`.
    V1,
}

/// The message with its protected fields. `layers` are those that were taken off around the
/// payload.
pub(super) fn restored(
    outer: &Message,
    payload: &Message,
    layers: &[&Layer],
    limits: &Limits,
) -> Restored {
    let is_encrypted = layers.iter().any(|layer| layer.kind.name() == "encrypted");
    let is_authentic = layers.iter().any(|layer| layer.state == State::Valid)
        && layers.iter().all(|layer| layer.state.is_good());
    if !is_encrypted && !is_authentic {
        return Restored::default();
    }
    let Some((form, source)) = protected(outer, payload, limits) else {
        return Restored::default();
    };
    let from = from(outer, &source, layers);
    let mut restored = Restored {
        problem: from.is_none().then(|| Problem {
            code: "header.from-mismatch",
            message: "the protected From is not the outer one, and no valid signature is by it; \
                      the outer one stays"
                .to_owned(),
        }),
        fields: Some(fields(outer, &source, form, from == Some(Author::Inner))),
        body: match form {
            Form::Wrapped => Some(source.clone()),
            _ if !is_encrypted => None,
            Form::Hp => legacy_display::without_elements(payload, limits),
            Form::V1 => legacy_display::without_part(payload, limits),
        },
        authors: None,
    };
    restored.authors = restored
        .fields
        .as_ref()
        .and_then(|fields| Message::parse(fields.concat(), limits).ok());
    restored
}

/// The message that has the protected fields.
fn protected(outer: &Message, payload: &Message, limits: &Limits) -> Option<(Form, Message)> {
    let root = payload.root();
    // RFC 9788 §2.1.1.
    if root
        .parameter("hp")
        .is_some_and(|hp| matches!(hp.as_str(), "clear" | "cipher"))
    {
        return Some((Form::Hp, payload.clone()));
    }
    if root.parameter("protected-headers").as_deref() == Some("v1") {
        return Some((Form::V1, payload.clone()));
    }
    let wrapped = wrapped(outer, &root, limits)?;
    Some((Form::Wrapped, wrapped))
}

/// RFC 9788 §4.10.1: a message as the whole payload, itself without protection. A forwarded
/// message looks the same; so it must say `forwarded=no`, or be the very message that is
/// outside.
fn wrapped(outer: &Message, root: &Part<'_>, limits: &Limits) -> Option<Message> {
    if !matches!(
        root.media_type().as_str(),
        "message/rfc822" | "message/global"
    ) {
        return None;
    }
    let inner = Message::parse(root.child(0)?.raw().to_vec(), limits).ok()?;
    let is_protected =
        claim(&inner.root()) != Claim::None || inner.root().parameter("hp").is_some();
    let says_so = match root.parameter("forwarded") {
        Some(value) => value.eq_ignore_ascii_case("no"),
        None => same_author(outer, &inner) && same_id(outer, &inner),
    };
    (says_so && !is_protected).then_some(inner)
}

fn same_id(one: &Message, other: &Message) -> bool {
    let id = |message: &Message| message.first("Message-ID").map(|field| field.value());
    id(one).is_some() && id(one) == id(other)
}

/// RFC 9788 §4.4.1: addr-specs are compared, display names are not.
fn same_author(one: &Message, other: &Message) -> bool {
    let (one, other) = (one.addresses("From"), other.addresses("From"));
    !one.is_empty()
        && one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(one, other)| one.address.matches_folded(&other.address))
}

/// Whose From counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    Inner,
    Outer,
}

/// RFC 9788 §4.4.3: the protected From, if it is by the outer author or a valid signature is by
/// its author. `None` when it is there and does not count.
fn from(outer: &Message, source: &Message, layers: &[&Layer]) -> Option<Author> {
    if source.first("From").is_none() {
        return Some(Author::Outer);
    }
    let vouches = |layer: &&Layer| {
        let mut signatures = layer.signatures.iter();
        layer.state == State::Valid
            && signatures.all(|signature| {
                author::compared(signature.signer.as_ref(), source) == FromMatch::Matches
            })
    };
    let is_single = source.all("From").count() == 1;
    let counts = is_single && (same_author(outer, source) || layers.iter().any(vouches));
    counts.then_some(Author::Inner)
}

/// Outer fields that have no protected counterpart, then the protected ones.
fn fields(outer: &Message, source: &Message, form: Form, takes_from: bool) -> Vec<Bytes> {
    let is_taken = |name: &str| {
        let is_there = source.first(name).is_some();
        LIFTED.contains(&name) && is_there && (takes_from || !matches!(name, "from" | "sender"))
    };
    // RFC 9788 §4.2: what a reader would take for the sender's, and was added on the way.
    let is_added = |name: &str| {
        form == Form::Hp && LIFTED.contains(&name) && !NEEDED.contains(&name)
            // Without its From the payload's Sender does not count either.
            && (takes_from || name != "sender")
    };
    let mut all: Vec<Bytes> = entity::outer_fields(outer);
    all.retain(|field| {
        let name = name_of(field);
        !is_taken(&name) && !is_added(&name)
    });
    let mut seen: Vec<String> = Vec::new();
    for field in entity::outer_fields(source) {
        let name = name_of(&field);
        // RFC 5322 §3.6: none of them may be there twice.
        if is_taken(&name) && !seen.contains(&name) {
            seen.push(name);
            all.push(field);
        }
    }
    all
}

fn name_of(field: &[u8]) -> String {
    let name = field
        .split(|octet| *octet == b':')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(name)
        .trim_end()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
