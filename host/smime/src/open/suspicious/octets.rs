//! Octets that have no place where they stand.

use waxseal_message::{Part, TransferEncoding};

/// Every octet of the part is one that may stand there: its header sections, what stands between
/// its parts, and the bodies by their transfer encodings (RFC 2045 §2.7, §2.8, §6).
pub(super) fn are_allowed(part: &Part<'_>) -> bool {
    let (raw, body) = (part.raw(), part.raw_body());
    let head = raw.len().checked_sub(body.len());
    let head = head.and_then(|size| raw.get(..size)).unwrap_or(raw);
    is_text(head) && (part.is_leaf() && is_body(part, body) || is_between(part, body))
}

/// A multipart, or a message in a message: its parts, and what stands around them.
fn is_between(part: &Part<'_>, body: &[u8]) -> bool {
    if part.is_leaf() {
        return false;
    }
    let mut rest = body;
    for child in part.children() {
        let raw = child.raw();
        let start = (raw.as_ptr() as usize).checked_sub(rest.as_ptr() as usize);
        let around = start.and_then(|start| rest.get(..start));
        let after = start.and_then(|start| rest.get(start.checked_add(raw.len())?..));
        let (Some(around), Some(after)) = (around, after) else {
            return false;
        };
        if !is_text(around) || !are_allowed(&child) {
            return false;
        }
        rest = after;
    }
    is_text(rest)
}

fn is_body(part: &Part<'_>, body: &[u8]) -> bool {
    match part.transfer_encoding() {
        TransferEncoding::Base64 => all(body, |octet| {
            octet.is_ascii_alphanumeric()
                | matches!(octet, b'+' | b'/' | b'=' | b'\r' | b'\n' | b' ' | b'\t')
        }),
        TransferEncoding::QuotedPrintable => body.is_ascii() && is_plain(body),
        TransferEncoding::SevenBit if part.first("Content-Transfer-Encoding").is_some() => {
            body.is_ascii() && is_plain(body)
        }
        // Nobody said 7bit, and UTF-8 comes like this from careless senders.
        TransferEncoding::SevenBit | TransferEncoding::Unknown => is_text(body),
        TransferEncoding::EightBit => is_plain(body) && (is_utf8(body) || !is_utf8_part(part)),
        TransferEncoding::Binary => true,
    }
}

/// UTF-8 without control characters.
fn is_text(octets: &[u8]) -> bool {
    is_utf8(octets) && is_plain(octets)
}

/// No control characters but those of text: tab, line ends, form feed, and the escape of
/// ISO 2022 charsets.
fn is_plain(octets: &[u8]) -> bool {
    all(
        octets,
        |octet| matches!(octet, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b | b' '..=b'~' | 0x80..),
    )
}

/// Whether the test holds for every octet. A block is looked at without branches, so that the
/// compiler takes many octets at once.
fn all(octets: &[u8], test: impl Fn(u8) -> bool) -> bool {
    let holds = |block: &[u8]| block.iter().fold(true, |holds, octet| holds & test(*octet));
    octets.chunks(4096).all(holds)
}

fn is_utf8(octets: &[u8]) -> bool {
    std::str::from_utf8(octets).is_ok()
}

fn is_utf8_part(part: &Part<'_>) -> bool {
    let charset = part.parameter("charset").unwrap_or_default();
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
}

/// A header field (RFC 5322 §2.2: printable ASCII without space, then a colon).
pub(super) fn begin_with_field(octets: &[u8]) -> bool {
    let end = octets
        .iter()
        .position(|octet| !matches!(octet, b'!'..=b'9' | b';'..=b'~'));
    end.is_some_and(|end| end > 0 && octets.get(end) == Some(&b':'))
}

/// UTF-8 text, as far as the first 64 octets say. Sixteen random octets are that once in a
/// million times.
pub(super) fn begin_as_text(octets: &[u8]) -> bool {
    let begin = octets.get(..64).unwrap_or(octets);
    let whole = match std::str::from_utf8(begin) {
        Ok(_) => begin.len(),
        // The cut may be inside a character.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    is_plain(begin.get(..whole).unwrap_or_default())
}
