//! OCSP (RFC 6960) as octets: responses parsed, requests written.

use crate::extensions::list;
use crate::limits;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NONCE};
use waxseal_smime::asn1::{
    self, Element, Malformed, algorithm, context, octet_string, sequence, tag, time,
};
use waxseal_smime::{Certificate, DigestAlgorithm, Time};

/// A BasicOCSPResponse.
#[derive(Debug)]
pub(crate) struct Response {
    /// What is signed: tbsResponseData.
    pub(crate) signed: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) nonce: Option<Vec<u8>>,
    /// An extension is critical and not understood.
    pub(crate) not_understood: bool,
}

/// A SingleResponse.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: CertificateId,
    pub(crate) status: Status,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
}

/// CertID (RFC 6960 §4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateId {
    pub(crate) digest: ObjectIdentifier,
    pub(crate) issuer_name: Vec<u8>,
    pub(crate) issuer_key: Vec<u8>,
    /// Contents of the INTEGER.
    pub(crate) serial: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Good,
    /// When, and the CRLReason.
    Revoked(Time, u8),
    Unknown,
}

impl Response {
    /// Reads an OCSPResponse that is successful, or the BasicOCSPResponse alone.
    pub(crate) fn from_der(octets: &[u8]) -> Result<Self, Malformed> {
        if octets.len() > limits::OCSP_OCTETS {
            return Err(Malformed);
        }
        let whole = Element::only(octets)?;
        // ENUMERATED: an OCSPResponse; otherwise id-ri-ocsp-response held the basic one.
        match whole.children().peek() {
            Some(0x0a) => Self::basic(basic_of(whole)?),
            _ => Self::basic(whole),
        }
    }

    fn basic(whole: Element<'_>) -> Result<Self, Malformed> {
        let mut fields = whole.children();
        let signed = fields.expect(tag::SEQUENCE)?;
        let algorithm = fields.expect(tag::SEQUENCE)?;
        let signature = fields.expect(tag::BIT_STRING)?.value;
        let certificates = fields.optional(tag::context(0))?;
        let mut found = Self {
            signed: signed.raw.to_vec(),
            algorithm: algorithm.raw.to_vec(),
            signature: signature.strip_prefix(&[0]).ok_or(Malformed)?.to_vec(),
            answers: Vec::new(),
            certificates: certificates.map_or(Ok(Vec::new()), certificates_of)?,
            nonce: None,
            not_understood: false,
        };
        found.read(signed)?;
        Ok(found)
    }

    /// ResponseData.
    fn read(&mut self, signed: Element<'_>) -> Result<(), Malformed> {
        let mut fields = signed.children();
        fields.optional(tag::context(0))?;
        // responderID and producedAt: who signs shows in the signature, and when in each answer.
        fields.any()?;
        fields.expect(0x18)?;
        let answers = fields.sequence()?.elements()?;
        if answers.len() > limits::OCSP_ANSWERS {
            return Err(Malformed);
        }
        for element in answers {
            let answer = self.answer(element)?;
            self.answers.push(answer);
        }
        if let Some(extensions) = fields.optional(tag::context(1))? {
            for (oid, critical, value) in list(Element::only(extensions.value)?)? {
                match oid {
                    ID_PKIX_OCSP_NONCE => self.nonce = Some(Element::only(value)?.value.to_vec()),
                    _ => self.not_understood |= critical,
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, element: Element<'_>) -> Result<Answer, Malformed> {
        let mut fields = element.children();
        let id = CertificateId::of(fields.expect(tag::SEQUENCE)?)?;
        let status = status_of(fields.any()?)?;
        let this_update = time(fields.expect(0x18)?)?;
        let next = fields.optional(tag::context(0))?;
        let next = next.map(|next| Element::only(next.value).and_then(time));
        if let Some(extensions) = fields.optional(tag::context(1))? {
            let all = list(Element::only(extensions.value)?)?;
            self.not_understood |= all.iter().any(|(_, critical, _)| *critical);
        }
        Ok(Answer {
            id,
            status,
            this_update,
            next_update: next.transpose()?,
        })
    }
}

/// The BasicOCSPResponse within an OCSPResponse that is successful (RFC 6960 §4.2.1).
fn basic_of(whole: Element<'_>) -> Result<Element<'_>, Malformed> {
    let mut fields = whole.children();
    if fields.any()?.value != [0] {
        return Err(Malformed);
    }
    let octets = Element::only(fields.expect(tag::context(0))?.value)?;
    let mut octets = octets.children();
    if octets.object_identifier()? != ID_PKIX_OCSP_BASIC {
        return Err(Malformed);
    }
    Element::only(octets.expect(tag::OCTET_STRING)?.value)
}

fn certificates_of(wrapped: Element<'_>) -> Result<Vec<Certificate>, Malformed> {
    let elements = Element::only(wrapped.value)?.children().elements()?;
    let read = elements.into_iter().take(limits::INTERMEDIATES);
    Ok(read
        .filter_map(|element| Certificate::from_der(element.raw).ok())
        .collect())
}

fn status_of(element: Element<'_>) -> Result<Status, Malformed> {
    match element.tag {
        0x80 => Ok(Status::Good),
        0x82 => Ok(Status::Unknown),
        0xa1 => {
            let mut fields = element.children();
            let at = time(fields.expect(0x18)?)?;
            let reason = fields.optional(tag::context(0))?;
            let reason = reason.and_then(|reason| Element::only(reason.value).ok());
            let code = reason.and_then(|reason| reason.value.first().copied());
            Ok(Status::Revoked(at, code.unwrap_or(0)))
        }
        _ => Err(Malformed),
    }
}

impl CertificateId {
    fn of(element: Element<'_>) -> Result<Self, Malformed> {
        let mut fields = element.children();
        Ok(Self {
            digest: fields.sequence()?.object_identifier()?,
            issuer_name: fields.expect(tag::OCTET_STRING)?.value.to_vec(),
            issuer_key: fields.expect(tag::OCTET_STRING)?.value.to_vec(),
            serial: fields.expect(tag::INTEGER)?.value.to_vec(),
        })
    }

    fn to_der(&self) -> Vec<u8> {
        sequence(&[
            &algorithm(self.digest, &asn1::null()),
            &octet_string(&self.issuer_name),
            &octet_string(&self.issuer_key),
            &asn1::tlv(tag::INTEGER, &[&self.serial]),
        ])
    }
}

/// What certificates are named by in requests: SHA-1 is what every responder knows (RFC 5019
/// §2.1.1), and nothing depends on it here.
pub(crate) const REQUEST_DIGEST: DigestAlgorithm = DigestAlgorithm::Sha1;

/// An OCSPRequest for one certificate, with a nonce (RFC 6960 §4.1.1, §4.4.1).
pub(crate) fn request(id: &CertificateId, nonce: &[u8]) -> Vec<u8> {
    let requests = sequence(&[&sequence(&[&id.to_der()])]);
    let nonce = octet_string(&octet_string(nonce));
    let nonce = sequence(&[&asn1::object_identifier(ID_PKIX_OCSP_NONCE), &nonce]);
    sequence(&[&sequence(&[
        &requests,
        &context(2, &[&sequence(&[&nonce])]),
    ])])
}
