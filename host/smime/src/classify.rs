//! Tells whether a message is S/MIME already (rule 6), by parsing it. A Content-Type or a file
//! name says where to look, never what is there.

use crate::algorithm::SignatureFormat;
use crate::cms_object::{Cms, read_cms};
use waxseal_message::{Message, Part, TransferEncoding};

/// What protects a message as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// Nothing, and it does not say so.
    No,
    /// It is signed. That the signature verifies is not looked at.
    Signed(SignatureFormat),
    /// It is encrypted: a complete structure with recipients and content.
    Encrypted {
        /// Rule 11: the content cipher is AES, and every recipient's key is protected by RSA of
        /// 2048 bits or more, or by ECDH, with SHA-2 where a digest is named.
        within_floor: bool,
    },
    /// SignedData without signer and content: certificates (RFC 8551 §3.8).
    CertificatesOnly,
    /// CompressedData (RFC 3274).
    Compressed,
    /// It says that it is S/MIME, but does not parse as that.
    Claimed,
}

/// What protects the root entity of a message.
pub fn classify(message: &Message) -> Protected {
    let root = message.root();
    match claim(&root) {
        Claim::None => Protected::No,
        Claim::Detached => detached(&root),
        Claim::Opaque => opaque(&root).unwrap_or(Protected::Claimed),
        Claim::PerhapsOpaque => opaque(&root).unwrap_or(Protected::No),
    }
}

/// What a part says that it is (RFC 8551 §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    None,
    Detached,
    Opaque,
    /// A plain file whose name or type S/MIME programs take for S/MIME, if it parses.
    PerhapsOpaque,
}

pub(crate) fn claim(part: &Part<'_>) -> Claim {
    match part.media_type().as_str() {
        "multipart/signed" => match part.parameter("protocol") {
            Some(protocol) if !is_pkcs7_signature(&protocol) => Claim::None,
            _ => Claim::Detached,
        },
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => Claim::Opaque,
        // A signature without what it signs.
        name if is_pkcs7_signature(name) => Claim::Opaque,
        "application/octet-stream" => match part.filename() {
            Some(name) if is_smime_name(&name) => Claim::Opaque,
            _ => Claim::PerhapsOpaque,
        },
        _ => Claim::None,
    }
}

/// RFC 8551 §3.2.1; case does not matter.
fn is_smime_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".p7m", ".p7s", ".p7c", ".p7z"]
        .iter()
        .any(|extension| name.ends_with(extension))
}

pub(crate) fn is_pkcs7_signature(media_type: &str) -> bool {
    let name = media_type.trim();
    [
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    ]
    .iter()
    .any(|known| name.eq_ignore_ascii_case(known))
}

/// RFC 8551 §3.5.3: two parts, the second a SignedData with a signer and without content.
fn detached(root: &Part<'_>) -> Protected {
    let signature = root.child(1).filter(|_| root.child_count() == 2);
    let Some(signature) = signature.filter(|part| is_pkcs7_signature(&part.media_type())) else {
        return Protected::Claimed;
    };
    let octets = signature.decoded();
    match read_cms(&octets) {
        Ok(Cms::Signed(signed)) if !signed.signers.is_empty() && signed.content.is_none() => {
            Protected::Signed(SignatureFormat::Detached)
        }
        _ => Protected::Claimed,
    }
}

/// Readers of base64 pass over what is none, and stop at the padding. Text that stands there
/// would leave in clear under the name of an envelope.
fn is_nothing_but_base64(root: &Part<'_>) -> bool {
    if root.transfer_encoding() != TransferEncoding::Base64 {
        return true;
    }
    let is_blank = |octet: &u8| octet.is_ascii_whitespace();
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let body = root.raw_body();
    let end = body
        .iter()
        .position(|octet| *octet == b'=')
        .unwrap_or(body.len());
    let (digits, padding) = body.split_at(end);
    // A block at once, without branches, so that the compiler takes many octets together.
    let is_text = |block: &[u8]| {
        let each = block.iter().map(|octet| is_digit(octet) | is_blank(octet));
        each.fold(true, |all, one| all & one)
    };
    digits.chunks(4096).all(is_text)
        && padding
            .iter()
            .all(|octet| *octet == b'=' || is_blank(octet))
}

fn opaque(root: &Part<'_>) -> Option<Protected> {
    if !is_nothing_but_base64(root) {
        return None;
    }
    let octets = root.decoded();
    match read_cms(&octets).ok()? {
        Cms::Signed(signed) => match (signed.signers.is_empty(), &signed.content) {
            (false, Some(_)) => Some(Protected::Signed(SignatureFormat::Opaque)),
            (true, None) => Some(Protected::CertificatesOnly),
            _ => None,
        },
        Cms::Enveloped(envelope) | Cms::AuthEnveloped(envelope) => {
            let within_floor = envelope.is_within_floor();
            envelope
                .is_plausible()
                .then_some(Protected::Encrypted { within_floor })
        }
        Cms::Compressed(_) => Some(Protected::Compressed),
        // No recipients, no signer: nothing that S/MIME sends.
        Cms::Encrypted(_) | Cms::Digested(_) | Cms::Unsupported => None,
    }
}
