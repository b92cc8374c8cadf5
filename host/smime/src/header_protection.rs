//! Header protection on the way out (RFC 9788): copies of header fields inside what is signed
//! or encrypted, and less of them outside.
//!
//! What is protected: every field that is not about the content and was not put there by
//! transport, as it stands. An entity that is S/MIME already, or says by `hp` that it has
//! protected fields, is not changed. Then the outer fields only lose what the payload surely
//! keeps: an encrypted message whose signed payload has no protected fields leaves with all its
//! outer ones.
//!
//! Not done: legacy display elements (RFC 9788 §2.1.2) and HCPs for replies. The opposite
//! direction, reading protected fields, is `open/restore.rs`. `shy` drops group names of To and Cc with the
//! display names.

use crate::algorithm::HeaderProtection;
use crate::asn1::joined;
use crate::classify::{Protected, classify};
use crate::cms_object::{Cms, read_cms};
use bytes::Bytes;
use waxseal_message::entity::{self, Entity};
use waxseal_message::{DateTime, Limits, Message, Part};

/// Whether the payload's fields are also hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Signed only.
    Clear,
    /// Encrypted, or about to be.
    Cipher,
}

/// What is to be protected, and what stays outside.
pub(crate) struct Payload {
    pub(crate) entity: Entity,
    pub(crate) outer: Vec<Bytes>,
    pub(crate) transport_safe: bool,
    /// Whether the entity has the fields inside, so that the outer ones may be hidden.
    has_fields_to_hide: bool,
}

/// Prepares a message (rule 1) and puts its fields inside as the setting asks.
///
/// With [`Protection::Cipher`] the outer fields are left as they are: they change when the
/// message is encrypted, by
/// [`Payload::outer_when_encrypted`].
pub(crate) fn payload(
    message: &Message,
    setting: HeaderProtection,
    protection: Protection,
) -> Payload {
    let prepared = entity::prepare(message);
    let mut payload = Payload {
        entity: prepared.entity,
        outer: prepared.outer,
        transport_safe: prepared.transport_safe,
        has_fields_to_hide: false,
    };
    if setting == HeaderProtection::Off {
        return payload;
    }
    if is_fixed(message) {
        payload.has_fields_to_hide = hp_of(message).as_deref() == Some("cipher");
        return payload;
    }
    payload.has_fields_to_hide = protection == Protection::Cipher;
    let fields = protected_fields(&payload.outer, setting, protection);
    payload.transport_safe &= fields.is_ascii();
    let head = with_fields(payload.entity.head(), &fields, protection);
    payload.entity = payload.entity.with_head(head);
    payload
}

impl Payload {
    /// The outer fields once the payload is encrypted: fewer if it has them inside, the same
    /// otherwise.
    pub(crate) fn outer_when_encrypted(&self, setting: HeaderProtection) -> Vec<Bytes> {
        let outer = self.outer.iter().cloned();
        if self.has_fields_to_hide {
            outer
                .filter_map(|field| confidential(field, setting))
                .collect()
        } else {
            outer.collect()
        }
    }
}

/// Whether the entity may not be changed, or has protected fields already.
fn is_fixed(message: &Message) -> bool {
    classify(message) != Protected::No || message.root().parameter("hp").is_some()
}

/// The `hp` parameter of the cryptographic payload: of the message itself, or of what its
/// signatures hold.
fn hp_of(message: &Message) -> Option<String> {
    let root = message.root();
    match root.media_type().as_str() {
        "multipart/signed" => root.child(0).and_then(|part| part.parameter("hp")),
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => hp_of_opaque(&root),
        _ => root.parameter("hp"),
    }
}

fn hp_of_opaque(root: &Part<'_>) -> Option<String> {
    let octets = root.decoded();
    let Ok(Cms::Signed(signed_data)) = read_cms(&octets) else {
        return None;
    };
    let content = signed_data.content?;
    let content = joined(&content);
    let end = content
        .windows(4)
        .position(|window| window == b"\r\n\r\n")?;
    // The header section alone, since nothing else is asked for.
    let inner = Message::parse(content.get(..end + 4)?.to_vec(), &Limits::default()).ok()?;
    inner.root().parameter("hp")
}

/// Fields of transport, which change on the way, and the one that must not be seen.
fn is_left_outside(name: &str) -> bool {
    const LEFT: [&str; 15] = [
        "received",
        "return-path",
        "delivered-to",
        "x-original-to",
        "dkim-signature",
        "domainkey-signature",
        "authentication-results",
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "received-spf",
        "bcc",
        "resent-bcc",
        "mime-version",
        "hp-outer",
    ];
    LEFT.contains(&name.to_ascii_lowercase().as_str())
}

/// The copies, and with encryption HP-Outer for each outer field that will show (RFC 9788 §2.2).
fn protected_fields(outer: &[Bytes], setting: HeaderProtection, protection: Protection) -> Vec<u8> {
    let copied = outer
        .iter()
        .filter(|field| !is_left_outside(name_of(field)));
    let mut out = Vec::new();
    for field in copied.clone() {
        out.extend_from_slice(&without_trailing_blanks(field));
    }
    if protection == Protection::Cipher {
        for field in copied.filter_map(|field| confidential(field.clone(), setting)) {
            out.extend_from_slice(b"HP-Outer: ");
            out.extend_from_slice(&without_trailing_blanks(&field));
        }
    }
    out
}

fn name_of(field: &[u8]) -> &str {
    let end = field.iter().position(|octet| *octet == b':').unwrap_or(0);
    std::str::from_utf8(field.get(..end).unwrap_or_default())
        .unwrap_or_default()
        .trim_end()
}

/// Transport may remove white space at a line's end, which would break a signature.
fn without_trailing_blanks(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    for line in field.split(|octet| *octet == b'\n') {
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// The header confidentiality policy (RFC 9788 §3.2): the field as it shows outside, or `None`
/// if it does not.
fn confidential(field: Bytes, setting: HeaderProtection) -> Option<Bytes> {
    let name = name_of(&field).to_ascii_lowercase();
    match (setting, name.as_str()) {
        (HeaderProtection::Off | HeaderProtection::NoConfidentiality, _) => Some(field),
        (_, "subject") => Some(Bytes::from_static(b"Subject: [...]\r\n")),
        (_, "keywords" | "comments") => None,
        (HeaderProtection::Shy, "from" | "to" | "cc") => Some(addresses_only(&field)),
        (HeaderProtection::Shy, "date") => Some(in_utc(&field)),
        _ => Some(field),
    }
}

/// The field with addr-specs only; as it stands if no address is in it.
fn addresses_only(field: &Bytes) -> Bytes {
    let name = name_of(field);
    let Ok(message) = Message::parse(field.clone(), &Limits::default()) else {
        return field.clone();
    };
    let addresses: Vec<String> = message
        .addresses(name)
        .iter()
        .map(|mailbox| mailbox.address.to_string())
        .collect();
    if addresses.is_empty() {
        return field.clone();
    }
    format!("{name}: {}\r\n", addresses.join(",\r\n ")).into()
}

/// The Date field in UTC; as it stands if it is no date of RFC 5322 §3.3.
fn in_utc(field: &Bytes) -> Bytes {
    let value = field.get(name_of(field).len() + 1..).unwrap_or_default();
    let text = String::from_utf8_lossy(value);
    match DateTime::from_rfc5322(&text) {
        Some(date) => format!("Date: {}\r\n", date.to_rfc5322()).into(),
        None => field.clone(),
    }
}

/// The head of an entity with the fields on top and `hp` in its Content-Type (RFC 9788 §2.1.1).
fn with_fields(head: &[u8], fields: &[u8], protection: Protection) -> Vec<u8> {
    let value = match protection {
        Protection::Clear => "clear",
        Protection::Cipher => "cipher",
    };
    let parameter = format!(";\r\n hp=\"{value}\"\r\n");
    let end = content_type_end(head);
    let content_type = head.get(..end).unwrap_or_default().trim_ascii_end();
    let content_type = content_type.strip_suffix(b";").unwrap_or(content_type);
    let rest = head.get(end..).unwrap_or_default();
    [fields, content_type, parameter.as_bytes(), rest].concat()
}

/// Where the Content-Type field ends in the head of a prepared entity. It always has one.
fn content_type_end(head: &[u8]) -> usize {
    let mut at = 0;
    let mut inside = false;
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        let continues = matches!(line.first(), Some(b' ' | b'\t'));
        if inside && !continues {
            break;
        }
        if !continues {
            inside = name_of(line).eq_ignore_ascii_case("content-type");
        }
        at += line.len();
    }
    at
}
