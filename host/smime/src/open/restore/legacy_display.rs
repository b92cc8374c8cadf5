//! Removes what stands in for hidden header fields in readers that know no protected ones.

use waxseal_message::{Limits, Message, Part, TransferEncoding, base64_lines};

/// RFC 9788 §4.5.3: without the elements in the main body parts that say that they have one.
/// `None` when there is none.
pub(super) fn without_elements(payload: &Message, limits: &Limits) -> Option<Message> {
    let mut message = payload.clone();
    let mut changed = false;
    for id in main_body_parts(payload) {
        let shorter = message
            .part(&id)
            .and_then(|part| without_element(&message, &part));
        if let Some(octets) = shorter {
            message = Message::parse(octets, limits).ok()?;
            changed = true;
        }
    }
    changed.then_some(message)
}

/// The ids of the parts that a reader shows first (RFC 9787 §1.1: main body part).
fn main_body_parts(message: &Message) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![message.root()];
    while let Some(part) = pending.pop() {
        match part.media_type().as_str() {
            "text/plain" | "text/html" if !part.is_attachment() => found.push(part.id()),
            "multipart/alternative" => pending.extend(part.children()),
            kind if kind.starts_with("multipart/") => pending.extend(part.child(0)),
            _ => {}
        }
    }
    found
}

/// The whole message with the part's element removed.
fn without_element(message: &Message, part: &Part<'_>) -> Option<Vec<u8>> {
    if part.parameter("hp-legacy-display").as_deref() != Some("1") {
        return None;
    }
    let body = part.decoded();
    let body = if part.media_type() == "text/plain" {
        without_lines(&body)?
    } else {
        without_div(&body)?
    };
    Some(with_body(message, part, &body))
}

/// RFC 9788 §4.5.3.2: the lines up to and with the first empty one.
fn without_lines(text: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            return text.get(at..).map(<[u8]>::to_vec);
        }
    }
    None
}

/// RFC 9788 §4.5.3.3: the first `div` of this class. It holds no other `div`.
fn without_div(html: &[u8]) -> Option<Vec<u8>> {
    const CLASS: &[u8] = b"header-protection-legacy-display";
    let lower = html.to_ascii_lowercase();
    let class = find(&lower, CLASS)?;
    let start = lower
        .get(..class)?
        .windows(4)
        .rposition(|window| window == b"<div")?;
    // The class is in that very tag.
    if lower.get(start..class)?.contains(&b'>') {
        return None;
    }
    let end = class + find(lower.get(class..)?, b"</div>")? + b"</div>".len();
    Some([html.get(..start)?, html.get(end..)?].concat())
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}

/// The message with another body of one part. What was quoted-printable becomes base64.
fn with_body(message: &Message, part: &Part<'_>, body: &[u8]) -> Vec<u8> {
    let encoding = part.transfer_encoding();
    let is_plain = encoding.is_identity();
    let mut header = Vec::new();
    for field in part.fields() {
        let is_encoding = field.is_named("Content-Transfer-Encoding");
        if is_plain || encoding == TransferEncoding::Base64 || !is_encoding {
            header.extend_from_slice(field.raw());
        }
    }
    if !is_plain && encoding != TransferEncoding::Base64 {
        header.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n");
    }
    header.extend_from_slice(b"\r\n");
    let body = if is_plain {
        body.to_vec()
    } else {
        base64_lines(body)
    };
    if part.id() == "1" {
        return [header, body].concat();
    }
    let (before, after) = around(message, part);
    [message.head(), before, &header, &body, after].concat()
}

/// What stands before and after a part that is not the root, in the message's body.
fn around<'a>(message: &'a Message, part: &Part<'_>) -> (&'a [u8], &'a [u8]) {
    let body = message.body();
    let part = body.slice_ref(part.raw());
    let start = (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    let end = start.saturating_add(part.len());
    (
        body.get(..start).unwrap_or_default(),
        body.get(end..).unwrap_or_default(),
    )
}

/// draft-autocrypt-lamps-protected-headers: the first part of a multipart/mixed payload, marked
/// like the payload itself. `None` when there is none.
pub(super) fn without_part(payload: &Message, limits: &Limits) -> Option<Message> {
    let root = payload.root();
    let (first, second) = (root.child(0)?, root.child(1)?);
    let is_marked = first.parameter("protected-headers").as_deref() == Some("v1");
    let is_text = matches!(
        first.media_type().as_str(),
        "text/plain" | "text/rfc822-headers"
    );
    if root.media_type() != "multipart/mixed" || !is_marked || !is_text {
        return None;
    }
    // From one delimiter to the next.
    let (before, _) = around(payload, &first);
    let (until, _) = around(payload, &second);
    let rest = payload.body().get(until.len()..)?;
    let octets = [payload.head(), before, rest].concat();
    Message::parse(octets, limits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        let text =
            |text: &str| without_lines(text.as_bytes()).map(|it| String::from_utf8(it).unwrap());
        assert_eq!(text("Subject: a\r\n\r\nHi\r\n").as_deref(), Some("Hi\r\n"));
        assert_eq!(text("Subject: a\r\n"), None);
        let html =
            |html: &str| without_div(html.as_bytes()).map(|it| String::from_utf8(it).unwrap());
        assert_eq!(
            html("<body><div class=\"header-protection-legacy-display\"><pre>Subject: a</pre></DIV><p>Hi</body>")
                .as_deref(),
            Some("<body><p>Hi</body>")
        );
        assert_eq!(
            html("<body><p>header-protection-legacy-display</body>"),
            None
        );
    }
}
