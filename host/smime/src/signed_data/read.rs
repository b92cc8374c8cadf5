//! Reads any SignedData in place: every version, BER and DER.

use crate::asn1::{Element, Malformed, Octets, Reader, joined, tag, tlv};
use crate::certificate::Certificate;
use const_oid::ObjectIdentifier;
use std::borrow::Cow;

/// id-ri-ocsp-response (RFC 5940 §2.1).
const OCSP_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.16.2");

/// Any SignedData, in place.
pub(crate) struct SignedData<'a> {
    /// The digests that it says its signers use (RFC 5652 §5.1).
    pub(crate) digest_algorithms: Vec<ObjectIdentifier>,
    /// eContentType.
    pub(crate) content_type: ObjectIdentifier,
    /// The pieces of an embedded content.
    pub(crate) content: Option<Vec<&'a [u8]>>,
    /// DER of each X.509 certificate.
    pub(crate) certificates: Vec<&'a [u8]>,
    /// DER of each CertificateList.
    pub(crate) crls: Vec<&'a [u8]>,
    /// DER of each OCSPResponse.
    pub(crate) ocsp_responses: Vec<&'a [u8]>,
    pub(crate) signers: Vec<SignerInfo<'a>>,
}

/// Who signed, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignerId<'a> {
    /// The Name, and the contents of the serial number's INTEGER.
    IssuerAndSerial {
        issuer: &'a [u8],
        serial: &'a [u8],
    },
    KeyIdentifier(Cow<'a, [u8]>),
}

/// Any SignerInfo, in place.
pub(crate) struct SignerInfo<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) id: SignerId<'a>,
    /// The digest algorithm.
    pub(crate) digest: ObjectIdentifier,
    /// The fields of its AlgorithmIdentifier.
    pub(crate) digest_fields: &'a [u8],
    /// `[0]` with the signed attributes.
    pub(crate) attributes: Option<Element<'a>>,
    /// AlgorithmIdentifier of the signature.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: Cow<'a, [u8]>,
    /// `[1]` with the unsigned attributes.
    pub(crate) unsigned: Option<Element<'a>>,
}

/// An Attribute (RFC 5652 §5.3), signed or not.
pub(crate) struct Attribute<'a> {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) values: Vec<Element<'a>>,
}

impl<'a> SignedData<'a> {
    /// Reads the content of a ContentInfo.
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag != tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.children();
        fields.expect(tag::INTEGER)?;
        let digests = fields.expect(tag::SET)?.children().elements()?;
        let digest_algorithms = digests
            .iter()
            .map(|algorithm| algorithm.children().object_identifier())
            .collect::<Result<_, _>>()?;
        let (content_type, content) = encapsulated(fields.sequence()?)?;
        let certificates = match fields.optional(tag::context(0))? {
            Some(set) => sequences(set.children().elements()?.iter()),
            None => Vec::new(),
        };
        let revocation = match fields.optional(tag::context(1))? {
            Some(set) => set.children().elements()?,
            None => Vec::new(),
        };
        let signers = fields.expect(tag::SET)?.children().elements()?;
        let signers = signers
            .into_iter()
            .map(SignerInfo::read)
            .collect::<Result<_, _>>()?;
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            digest_algorithms,
            content_type,
            content,
            certificates,
            crls: sequences(revocation.iter()),
            ocsp_responses: revocation.iter().filter_map(ocsp_response).collect(),
            signers,
        })
    }
}

/// EncapsulatedContentInfo: its type, and the octets that are digested.
fn encapsulated(
    mut fields: Reader<'_>,
) -> Result<(ObjectIdentifier, Option<Octets<'_>>), Malformed> {
    let content_type = fields.object_identifier()?;
    let Some(explicit) = fields.optional(tag::context(0))? else {
        return Ok((content_type, None));
    };
    let content = Element::only(explicit.value)?;
    let pieces = match content.tag & !tag::CONSTRUCTED {
        tag::OCTET_STRING => content.octets(tag::OCTET_STRING)?,
        // RFC 5652 §5.2.1: PKCS #7 had content of any type, digested without tag and length.
        _ => vec![content.value],
    };
    Ok((content_type, Some(pieces)))
}

/// RFC 5652 §10.2.1, §10.2.2: of the choices, only Certificate and CertificateList have the tag
/// of SEQUENCE.
fn sequences<'a: 'b, 'b>(all: impl Iterator<Item = &'b Element<'a>>) -> Vec<&'a [u8]> {
    all.filter(|each| each.tag == tag::SEQUENCE)
        .map(|each| each.raw)
        .collect()
}

/// OtherRevocationInfoFormat (RFC 5652 §10.2.1) with an OCSPResponse (RFC 5940 §2.1).
fn ocsp_response<'a>(choice: &Element<'a>) -> Option<&'a [u8]> {
    let mut fields = choice.children();
    let is_ocsp =
        choice.tag == tag::context(1) && fields.object_identifier().ok()? == OCSP_RESPONSE;
    is_ocsp
        .then(|| fields.expect(tag::SEQUENCE).ok())?
        .map(|response| response.raw)
}

/// The attributes of a set, with whatever tag.
pub(crate) fn attributes(set: Element<'_>) -> Result<Vec<Attribute<'_>>, Malformed> {
    let all = set.children().elements()?;
    let read = |attribute: &Element<'_>| attribute.tag == tag::SEQUENCE;
    if !all.iter().all(read) {
        return Err(Malformed);
    }
    all.iter()
        .map(|attribute| {
            let mut fields = attribute.children();
            let oid = fields.object_identifier()?;
            let values = fields.expect(tag::SET)?.children().elements()?;
            let whole = fields.is_empty();
            whole.then_some(Attribute { oid, values }).ok_or(Malformed)
        })
        .collect()
}

impl<'a> SignerInfo<'a> {
    fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag != tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.children();
        fields.expect(tag::INTEGER)?;
        let id = SignerId::read(fields.any()?)?;
        let digest_algorithm = fields.expect(tag::SEQUENCE)?;
        let digest = digest_algorithm.children().object_identifier()?;
        let attributes = fields.optional(tag::context(0))?;
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let signature = string(fields.any()?, tag::OCTET_STRING)?;
        let unsigned = fields.optional(tag::context(1))?;
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            raw: element.raw,
            id,
            digest,
            digest_fields: digest_algorithm.value,
            attributes,
            algorithm,
            signature,
            unsigned,
        })
    }

    /// RFC 5652 §5.4: the attributes as they are signed, with the tag of SET.
    pub(crate) fn signed_attributes(&self) -> Option<Vec<u8>> {
        self.attributes
            .map(|attributes| tlv(tag::SET, &[attributes.value]))
    }

    /// The single value of the attribute, if it is there once with one value (RFC 5652 §11).
    pub(crate) fn attribute(&self, oid: ObjectIdentifier) -> Option<Element<'a>> {
        let all = attributes(self.attributes?).ok()?;
        let mut found = all.iter().filter(|attribute| attribute.oid == oid);
        match (found.next()?.values.as_slice(), found.next()) {
            ([value], None) => Some(*value),
            _ => None,
        }
    }

    /// Whether this certificate is the one that the signer is named by.
    pub(crate) fn is_by(&self, certificate: &Certificate) -> bool {
        self.id.names(certificate)
    }
}

impl<'a> SignerId<'a> {
    /// IssuerAndSerialNumber, or `[0]` with a key identifier.
    fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag == tag::SEQUENCE {
            return Self::issuer_and_serial(element.children());
        }
        string(element, tag::context_primitive(0)).map(SignerId::KeyIdentifier)
    }

    /// The fields of IssuerAndSerialNumber.
    pub(crate) fn issuer_and_serial(mut fields: Reader<'a>) -> Result<Self, Malformed> {
        let issuer = fields.expect(tag::SEQUENCE)?.raw;
        let serial = fields.expect(tag::INTEGER)?.value;
        Ok(SignerId::IssuerAndSerial { issuer, serial })
    }

    /// Whether it names this certificate.
    pub(crate) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            SignerId::IssuerAndSerial { issuer, serial } => {
                let own = Element::only(certificate.serial_der());
                certificate.issuer_der() == *issuer && own.is_ok_and(|own| own.value == *serial)
            }
            SignerId::KeyIdentifier(identifier) => {
                certificate.key_identifier().as_deref() == Some(identifier)
            }
        }
    }
}

fn string<'a>(element: Element<'a>, primitive: u8) -> Result<Cow<'a, [u8]>, Malformed> {
    element.octets(primitive).map(|pieces| joined(&pieces))
}
