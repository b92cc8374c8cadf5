//! Names: directory names as RFC 5280 §7.1 compares them, and GeneralNames (§4.2.1.6).
//!
//! Of the string preparation of RFC 4518, case is folded and white space is trimmed and
//! compressed, in every string type, so that PrintableString and UTF8String are equal when their
//! text is. Unicode normalisation is not done: two spellings of one letter are two names, and a
//! path through them is not found.

use crate::limits;
use const_oid::ObjectIdentifier;
use std::fmt;
use waxseal_message::Address;
use waxseal_smime::asn1::{Element, Malformed, Reader, tag};

/// emailAddress (RFC 5280 §4.1.2.6).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
/// id-on-SmtpUTF8Mailbox (RFC 9598 §3).
const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");

/// A distinguished name, ready for comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Name(Vec<Relative>);

/// A RelativeDistinguishedName: attributes in an order of their own.
type Relative = Vec<Attribute>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Attribute {
    kind: ObjectIdentifier,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    /// Any string type, folded.
    Text(String),
    /// Anything else, octet for octet with its identifier.
    Octets(Vec<u8>),
}

impl Name {
    /// Reads a Name.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Malformed> {
        Self::of(Element::only(der)?)
    }

    pub(crate) fn of(element: Element<'_>) -> Result<Self, Malformed> {
        let sets = Reader::new(element.value).elements()?;
        if sets.len() > limits::NAME_PARTS {
            return Err(Malformed);
        }
        let relatives = sets.into_iter().map(|set| match set.tag {
            tag::SET => relative(set),
            _ => Err(Malformed),
        });
        relatives.collect::<Result<_, _>>().map(Self)
    }

    /// The name one step below, as nameRelativeToCRLIssuer means it (RFC 5280 §4.2.1.13).
    pub(crate) fn below(&self, relative_name: Element<'_>) -> Result<Self, Malformed> {
        let mut parts = self.0.clone();
        parts.push(relative(relative_name)?);
        Ok(Self(parts))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when it is the other name, or stands below it (RFC 5280 §4.2.1.10).
    pub(crate) fn is_within(&self, subtree: &Self) -> bool {
        self.0.starts_with(&subtree.0)
    }

    /// The mail addresses in it.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        let attributes = self.0.iter().flatten();
        attributes.filter_map(|attribute| match &attribute.value {
            Value::Text(text) if attribute.kind == EMAIL_ADDRESS => Some(text.as_str()),
            _ => None,
        })
    }
}

fn relative(set: Element<'_>) -> Result<Relative, Malformed> {
    let mut attributes = Vec::new();
    for attribute in set.children().elements()? {
        let mut fields = attribute.children();
        let kind = fields.object_identifier()?;
        let value = Value::of(fields.any()?);
        attributes.push(Attribute { kind, value });
        if attributes.len() > limits::NAME_PARTS {
            return Err(Malformed);
        }
    }
    attributes.sort();
    Ok(attributes)
}

impl Value {
    fn of(element: Element<'_>) -> Self {
        match text(element) {
            Some(text) => Self::Text(folded(&text)),
            None => Self::Octets(element.raw.to_vec()),
        }
    }
}

/// The text of a string type.
fn text(element: Element<'_>) -> Option<String> {
    let octets = element.value;
    match element.tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => std::str::from_utf8(octets).ok().map(str::to_owned),
        // TeletexString: everybody means Latin-1.
        0x14 => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        // UniversalString.
        0x1c => octets.chunks(4).map(char_of).collect(),
        // BMPString.
        0x1e => {
            let units = octets.chunks(2).map(|two| match two {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

fn char_of(four: &[u8]) -> Option<char> {
    let four: [u8; 4] = four.try_into().ok()?;
    char::from_u32(u32::from_be_bytes(four))
}

/// RFC 4518 §2.2 and §2.6.1: case folded, inner white space one space, none at the ends.
fn folded(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// A GeneralName, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GeneralName {
    /// rfc822Name, and SmtpUTF8Mailbox, which is one that ASCII cannot hold.
    Mail(String),
    /// dNSName.
    Dns(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// directoryName.
    Directory(Name),
    /// iPAddress: an address, or an address and a mask.
    Address(Vec<u8>),
    /// Any other, by the number of its tag.
    Other(u8),
}

impl GeneralName {
    pub(crate) fn of(element: Element<'_>) -> Result<Self, Malformed> {
        let ascii = || match std::str::from_utf8(element.value) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Malformed),
        };
        Ok(match element.tag {
            0x81 => Self::Mail(ascii()?),
            0x82 => Self::Dns(ascii()?),
            0x86 => Self::Uri(ascii()?),
            0x87 => Self::Address(element.value.to_vec()),
            0xa4 => Self::Directory(Name::parse(element.value)?),
            0xa0 => smtp_utf8_mailbox(element).map_or(Self::Other(0), Self::Mail),
            other => Self::Other(other & 0x1f),
        })
    }

    /// Every name of a GeneralNames.
    pub(crate) fn all(reader: Reader<'_>) -> Result<Vec<Self>, Malformed> {
        let elements = reader.elements()?;
        if elements.len() > limits::NAMES {
            return Err(Malformed);
        }
        elements.into_iter().map(Self::of).collect()
    }

    /// The number of its tag: the kind that name constraints speak about.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::Mail(_) => 1,
            Self::Dns(_) => 2,
            Self::Directory(_) => 4,
            Self::Uri(_) => 6,
            Self::Address(_) => 7,
            Self::Other(number) => *number,
        }
    }
}

fn smtp_utf8_mailbox(element: Element<'_>) -> Option<String> {
    let mut fields = element.children();
    if fields.object_identifier().ok()? != SMTP_UTF8_MAILBOX {
        return None;
    }
    let value = fields.expect(tag::context(0)).ok()?;
    let text = std::str::from_utf8(Element::only(value.value).ok()?.value).ok()?;
    // The domain in A-labels, as rfc822Name has it.
    let address = Address::parse(text).map(|address| address.to_string());
    Some(address.unwrap_or_else(|_| text.to_owned()))
}

impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(text) | Self::Dns(text) | Self::Uri(text) => f.write_str(text),
            Self::Directory(_) => f.write_str("directory name"),
            Self::Address(_) => f.write_str("network address"),
            Self::Other(number) => write!(f, "name of kind {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One RDN with a common name.
    fn name(tag: u8, text: &[u8]) -> Name {
        let mut value = vec![0x06, 3, 0x55, 4, 3, tag, text.len() as u8];
        value.extend_from_slice(text);
        let attribute = [&[0x30, value.len() as u8], &value[..]].concat();
        let set = [&[0x31, attribute.len() as u8], &attribute[..]].concat();
        Name::parse(&[&[0x30, set.len() as u8], &set[..]].concat()).unwrap()
    }

    #[test]
    fn names_are_compared_by_text() {
        let check = |other: Name, expected: bool| {
            assert_eq!(name(0x13, b"Anna Example") == other, expected, "{other:?}");
        };
        check(name(0x0c, b"Anna Example"), true);
        check(name(0x13, b"  anna   EXAMPLE "), true);
        check(name(0x1e, b"\0A\0n\0n\0a\0 \0E\0x\0a\0m\0p\0l\0e"), true);
        check(name(0x13, b"AnnaExample"), false);
        check(name(0x04, b"Anna Example"), false);
    }

    #[test]
    fn a_name_is_within_itself_and_what_is_above() {
        let whole = name(0x13, b"a");
        assert!(whole.is_within(&whole));
        assert!(whole.is_within(&Name::default()));
        assert!(!Name::default().is_within(&whole));
    }
}
