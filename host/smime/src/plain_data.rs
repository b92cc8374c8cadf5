//! DigestedData (RFC 5652 §7) and CompressedData (RFC 3274): content that no key protects.

use crate::asn1::{Element, Malformed, Reader, joined, tag};
use const_oid::ObjectIdentifier;
use std::borrow::Cow;

/// EncapsulatedContentInfo (RFC 5652 §5.2).
pub(crate) struct Encapsulated<'a> {
    /// The pieces of the content; `None` when it is elsewhere.
    pub(crate) pieces: Option<Vec<&'a [u8]>>,
}

impl<'a> Encapsulated<'a> {
    fn read(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        fields.object_identifier()?;
        let explicit = fields.optional(tag::context(0))?;
        let pieces = explicit
            .map(|explicit| Element::only(explicit.value)?.octets(tag::OCTET_STRING))
            .transpose()?;
        fields.end()?;
        Ok(Self { pieces })
    }
}

/// Any DigestedData.
pub(crate) struct DigestedData<'a> {
    /// The digest algorithm.
    pub(crate) algorithm: ObjectIdentifier,
    pub(crate) content: Encapsulated<'a>,
    pub(crate) digest: Cow<'a, [u8]>,
}

impl<'a> DigestedData<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.fields()?;
        fields.expect(tag::INTEGER)?;
        let algorithm = fields.sequence()?.object_identifier()?;
        let content = Encapsulated::read(fields.sequence()?)?;
        let digest = fields.any()?.octets(tag::OCTET_STRING)?;
        fields.end()?;
        Ok(Self {
            algorithm,
            content,
            digest: joined(&digest),
        })
    }
}

/// Any CompressedData.
pub(crate) struct CompressedData<'a> {
    /// The compression algorithm; RFC 3274 §2 knows zlib.
    pub(crate) algorithm: ObjectIdentifier,
    pub(crate) content: Encapsulated<'a>,
}

impl<'a> CompressedData<'a> {
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.fields()?;
        fields.expect(tag::INTEGER)?;
        let algorithm = fields.sequence()?.object_identifier()?;
        let content = Encapsulated::read(fields.sequence()?)?;
        fields.end()?;
        Ok(Self { algorithm, content })
    }
}
