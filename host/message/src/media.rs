//! Media types and transfer encodings as they are named in a part's header.

use crate::parameter::Structured;

/// How a body is encoded for transport (RFC 2045 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// `7bit`, or no field: the octets are the content.
    SevenBit,
    /// `8bit`: the octets are the content.
    EightBit,
    /// `binary`: the octets are the content.
    Binary,
    /// `quoted-printable` (RFC 2045 §6.7).
    QuotedPrintable,
    /// `base64` (RFC 2045 §6.8).
    Base64,
    /// Something else, such as `x-uuencode`: nobody but its maker knows the content.
    Unknown,
}

impl TransferEncoding {
    /// Whether the octets of the body are the content itself.
    pub fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }

    /// Reads the value of a Content-Transfer-Encoding field.
    pub(crate) fn parse(raw: &[u8]) -> Self {
        match Structured::parse(raw).value.as_str() {
            "" | "7bit" | "7-bit" | "7 bit" | "7bits" => Self::SevenBit,
            "8bit" | "8-bit" | "8 bit" | "8bits" => Self::EightBit,
            "binary" => Self::Binary,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }
}

/// What a part is when its header does not say (RFC 2045 §5.2, RFC 2046 §5.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultType {
    Text,
    /// In a multipart/digest.
    Message,
}

/// The media type of a part and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Media {
    /// "type/subtype" in lower case.
    pub(crate) name: String,
    pub(crate) boundary: Option<Vec<u8>>,
}

impl Media {
    /// From the value of the Content-Type field, if there is one.
    pub(crate) fn of(content_type: Option<&[u8]>, default: DefaultType) -> Self {
        let Some(raw) = content_type else {
            let name = match default {
                DefaultType::Text => "text/plain",
                DefaultType::Message => "message/rfc822",
            };
            return Self {
                name: name.to_owned(),
                boundary: None,
            };
        };
        let structured = Structured::parse(raw);
        // RFC 2045 §5.2: what is not a media type is read as text/plain.
        let name = media_type(&structured.value)
            .unwrap_or("text/plain")
            .to_owned();
        let boundary = name
            .starts_with("multipart/")
            .then(|| boundary(&structured))
            .flatten();
        Self { name, boundary }
    }

    /// A whole message is inside (RFC 2046 §5.2.1, RFC 6532 §3.7).
    pub(crate) fn is_message(&self) -> bool {
        matches!(
            self.name.as_str(),
            "message/rfc822" | "message/global" | "message/news"
        )
    }

    pub(crate) fn children_default(&self) -> DefaultType {
        if self.name == "multipart/digest" {
            DefaultType::Message
        } else {
            DefaultType::Text
        }
    }
}

/// The type/subtype that a value begins with.
fn media_type(value: &str) -> Option<&str> {
    let name = value.split_ascii_whitespace().next()?;
    let (kind, subtype) = name.split_once('/')?;
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
    };
    (is_token(kind) && is_token(subtype)).then_some(name)
}

/// RFC 2046 §5.1.1: a boundary does not end with white space, and is not empty.
fn boundary(structured: &Structured) -> Option<Vec<u8>> {
    let octets = structured.octets("boundary")?;
    let kept = octets.trim_ascii_end();
    (!kept.is_empty()).then(|| kept.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, name: &str, boundary: Option<&str>) {
        let media = Media::of(Some(raw.as_bytes()), DefaultType::Text);
        assert_eq!(
            (media.name.as_str(), media.boundary.as_deref()),
            (name, boundary.map(str::as_bytes))
        );
    }

    #[test]
    fn media_types() {
        check("Text/HTML; charset=x", "text/html", None);
        check(
            "multipart/mixed; boundary=\"a b \"",
            "multipart/mixed",
            Some("a b"),
        );
        check(
            "multipart/mixed; boundary*=\"us-ascii''a%20b\"",
            "multipart/mixed",
            Some("a b"),
        );
        check("multipart/mixed; boundary=\"\"", "multipart/mixed", None);
        check("multipart/mixed", "multipart/mixed", None);
        check("text/plain; boundary=x", "text/plain", None);
        check("application-x-gzip; name=x", "text/plain", None);
        check("text", "text/plain", None);
        check("a/b/c", "text/plain", None);
        check("text/plain charset=us-ascii", "text/plain", None);
        check("", "text/plain", None);
    }

    #[test]
    fn transfer_encodings() {
        let check = |raw: &str, expected| {
            assert_eq!(TransferEncoding::parse(raw.as_bytes()), expected, "{raw}")
        };
        check(" BASE64 \r\n", TransferEncoding::Base64);
        check(
            "quoted-printable (comment)",
            TransferEncoding::QuotedPrintable,
        );
        check("8-bit", TransferEncoding::EightBit);
        check("x-uuencode", TransferEncoding::Unknown);
        check("", TransferEncoding::SevenBit);
    }
}
