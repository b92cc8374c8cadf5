//! SignedData (RFC 5652 §5): writes one with one signer, and reads any.

use crate::Context;
use crate::algorithm::{DigestAlgorithm, SignatureScheme};
use crate::asn1::{
    Element, Malformed, Reader, algorithm, context, header, integer, object_identifier,
    octet_string, sequence, set_of, tag, tlv,
};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::identity::Identity;
use crate::scheme::{digest_identifier, signer_info_identifier};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc6211};

/// What the holder of our signing keys can read, most preferred first (RFC 8551 §2.5.2). It
/// lists no AES-GCM: nothing here decrypts yet, and what reads in its place may not know it.
const CAPABILITIES: [ObjectIdentifier; 3] = [
    rfc5911::ID_AES_256_CBC,
    rfc5911::ID_AES_192_CBC,
    rfc5911::ID_AES_128_CBC,
];

/// A ContentInfo around SignedData, with a gap for the content.
pub(crate) struct Written {
    /// What comes before the content; everything, when the content is detached.
    pub(crate) head: Vec<u8>,
    /// What comes after it.
    pub(crate) tail: Vec<u8>,
}

/// What is signed: its digest, and whether it stays outside.
pub(crate) struct Content<'a> {
    pub(crate) digest_algorithm: DigestAlgorithm,
    pub(crate) digest: &'a [u8],
    /// Octets of an opaque content; `None` when it is detached.
    pub(crate) embedded: Option<usize>,
}

/// Signs the digest of a content.
pub(crate) fn write(
    content: &Content<'_>,
    signer: &Identity,
    scheme: SignatureScheme,
    around: &Context<'_>,
) -> Result<Written, Error> {
    let attributes = signed_attributes(content, signer, scheme, around)?;
    let signer_info = signer_info(content, signer, scheme, &attributes)?;
    let digest_algorithms = set_of(tag::SET, vec![digest_identifier(content.digest_algorithm)]);
    let version = integer(1);
    let certificates = certificates(signer);
    let signer_infos = set_of(tag::SET, vec![signer_info]);
    let tail = [certificates, signer_infos].concat();

    // encapContentInfo, and around it SignedData, [0] and ContentInfo, from the inside out.
    let content_type = object_identifier(rfc5911::ID_DATA);
    let content_head = content.embedded.map_or_else(Vec::new, |size| {
        let string = header(tag::OCTET_STRING, size);
        [header(tag::context(0), string.len() + size), string].concat()
    });
    let embedded = content.embedded.unwrap_or(0);
    let encapsulated = content_type.len() + content_head.len() + embedded;
    let encapsulated_head = header(tag::SEQUENCE, encapsulated);
    let signed_data = version.len()
        + digest_algorithms.len()
        + encapsulated_head.len()
        + encapsulated
        + tail.len();
    let signed_data_head = header(tag::SEQUENCE, signed_data);
    let explicit_head = header(tag::context(0), signed_data_head.len() + signed_data);
    let outer_type = object_identifier(rfc5911::ID_SIGNED_DATA);
    let total = outer_type.len() + explicit_head.len() + signed_data_head.len() + signed_data;
    let mut head = header(tag::SEQUENCE, total);
    for piece in [
        outer_type,
        explicit_head,
        signed_data_head,
        version,
        digest_algorithms,
        encapsulated_head,
        content_type,
        content_head,
    ] {
        head.extend_from_slice(&piece);
    }
    Ok(match content.embedded {
        Some(_) => Written { head, tail },
        None => Written {
            head: [head, tail].concat(),
            tail: Vec::new(),
        },
    })
}

/// RFC 5652 §5.3. Version 1 goes with issuerAndSerialNumber.
fn signer_info(
    content: &Content<'_>,
    signer: &Identity,
    scheme: SignatureScheme,
    attributes: &[u8],
) -> Result<Vec<u8>, Error> {
    // RFC 5652 §5.4: what is signed is the explicit SET OF, not the [0].
    let signature = signer.key.sign(scheme, attributes)?;
    let mut implicit = attributes.to_vec();
    if let Some(identifier) = implicit.first_mut() {
        *identifier = tag::context(0);
    }
    Ok(sequence(&[
        &integer(1),
        &issuer_and_serial(&signer.certificate),
        &digest_identifier(content.digest_algorithm),
        &implicit,
        &signer_info_identifier(scheme),
        &octet_string(&signature),
    ]))
}

/// IssuerAndSerialNumber, from the certificate's own octets.
pub(crate) fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    sequence(&[certificate.issuer_der(), certificate.serial_der()])
}

/// RFC 5652 §5.1: the signer's certificate, its chain without the root, and the one that others
/// should encrypt for, as octets received.
fn certificates(signer: &Identity) -> Vec<u8> {
    let own = std::iter::once(&signer.certificate);
    let all = own
        .chain(&signer.chain)
        .chain(&signer.encryption_certificate);
    set_of(
        tag::context(0),
        all.map(|certificate| certificate.to_der().to_vec())
            .collect(),
    )
}

/// The SET OF signed attributes (rule 2).
fn signed_attributes(
    content: &Content<'_>,
    signer: &Identity,
    scheme: SignatureScheme,
    around: &Context<'_>,
) -> Result<Vec<u8>, Error> {
    let mut all = vec![
        // RFC 5652 §11.1 and §11.2.
        attribute(
            rfc5911::ID_CONTENT_TYPE,
            object_identifier(rfc5911::ID_DATA),
        ),
        attribute(rfc5911::ID_MESSAGE_DIGEST, octet_string(content.digest)),
        // RFC 5652 §11.3.
        attribute(rfc5911::ID_SIGNING_TIME, around.now.to_der()?),
        attribute(
            rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2,
            signing_certificate(&signer.certificate),
        ),
        attribute(rfc5911::SMIME_CAPABILITIES, capabilities()),
        attribute(
            rfc6211::ID_AA_CMS_ALGORITHM_PROTECTION,
            algorithm_protection(content.digest_algorithm, scheme),
        ),
    ];
    if let Some(certificate) = encryption_certificate(signer) {
        // RFC 8551 §2.5.3: [0] IMPLICIT IssuerAndSerialNumber.
        let pieces: [&[u8]; 2] = [certificate.issuer_der(), certificate.serial_der()];
        all.push(attribute(
            rfc5911::ID_AA_ENCRYP_KEY_PREF,
            context(0, &pieces),
        ));
    }
    Ok(set_of(tag::SET, all))
}

fn attribute(oid: ObjectIdentifier, value: Vec<u8>) -> Vec<u8> {
    sequence(&[&object_identifier(oid), &set_of(tag::SET, vec![value])])
}

/// The one that was named, or the signing certificate itself where one can encrypt to it.
fn encryption_certificate(signer: &Identity) -> Option<&Certificate> {
    let own = Some(&signer.certificate).filter(|own| own.can_encrypt());
    signer.encryption_certificate.as_ref().or(own)
}

/// SigningCertificateV2 (RFC 5035 §3, §4): the SHA-256 (the default, so absent) of the
/// certificate, and its issuer and serial number.
fn signing_certificate(certificate: &Certificate) -> Vec<u8> {
    let directory_name = context(4, &[certificate.issuer_der()]);
    let issuer_serial = sequence(&[&sequence(&[&directory_name]), certificate.serial_der()]);
    let id = sequence(&[&octet_string(&certificate.fingerprint()), &issuer_serial]);
    sequence(&[&sequence(&[&id])])
}

fn capabilities() -> Vec<u8> {
    let all = CAPABILITIES.map(|oid| algorithm(oid, &[]));
    sequence(&all.each_ref().map(Vec::as_slice))
}

/// CMSAlgorithmProtection (RFC 6211 §2, required by RFC 8933): signatureAlgorithm is [1]
/// IMPLICIT.
fn algorithm_protection(digest: DigestAlgorithm, scheme: SignatureScheme) -> Vec<u8> {
    let mut signature = signer_info_identifier(scheme);
    if let Some(identifier) = signature.first_mut() {
        *identifier = tag::context(1);
    }
    sequence(&[&digest_identifier(digest), &signature])
}

/// Any SignedData, in place.
pub(crate) struct SignedData<'a> {
    /// The pieces of an embedded content.
    pub(crate) content: Option<Vec<&'a [u8]>>,
    /// DER of each X.509 certificate.
    pub(crate) certificates: Vec<&'a [u8]>,
    pub(crate) signers: Vec<SignerInfo<'a>>,
}

/// Who signed, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignerId<'a> {
    IssuerAndSerial { issuer: &'a [u8], serial: &'a [u8] },
    KeyIdentifier(&'a [u8]),
}

/// Any SignerInfo, in place.
pub(crate) struct SignerInfo<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) id: SignerId<'a>,
    /// The digest algorithm.
    pub(crate) digest: ObjectIdentifier,
    /// `[0]` with the signed attributes.
    pub(crate) attributes: Option<Element<'a>>,
    /// AlgorithmIdentifier of the signature.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> SignedData<'a> {
    /// Reads the content of a ContentInfo.
    pub(crate) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag != tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.children();
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SET)?;
        let content = embedded_content(fields.sequence()?)?;
        let certificates = match fields.optional(tag::context(0))? {
            Some(set) => x509_certificates(set)?,
            None => Vec::new(),
        };
        fields.optional(tag::context(1))?;
        let signers = fields.expect(tag::SET)?.children().elements()?;
        let signers = signers
            .into_iter()
            .map(SignerInfo::read)
            .collect::<Result<_, _>>()?;
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            content,
            certificates,
            signers,
        })
    }
}

/// EncapsulatedContentInfo. Only id-data is MIME (RFC 8551 §2.4.1); PKCS #7 had content of any
/// type, which no S/MIME sends.
fn embedded_content(mut fields: Reader<'_>) -> Result<Option<Vec<&[u8]>>, Malformed> {
    fields.object_identifier()?;
    match fields.optional(tag::context(0))? {
        None => Ok(None),
        Some(explicit) => {
            let string = Element::only(explicit.value)?;
            string.octets(tag::OCTET_STRING).map(Some)
        }
    }
}

/// RFC 5652 §10.2.2: of the choices, only Certificate has the tag of SEQUENCE.
fn x509_certificates(set: Element<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let all = set.children().elements()?;
    Ok(all
        .iter()
        .filter(|each| each.tag == tag::SEQUENCE)
        .map(|each| each.raw)
        .collect())
}

impl<'a> SignerInfo<'a> {
    fn read(element: Element<'a>) -> Result<Self, Malformed> {
        if element.tag != tag::SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = element.children();
        fields.expect(tag::INTEGER)?;
        let id = fields.any()?;
        let id = match id.tag {
            tag::SEQUENCE => issuer_and_serial_of(id)?,
            other if other == tag::context_primitive(0) => SignerId::KeyIdentifier(id.value),
            _ => return Err(Malformed),
        };
        let digest = fields.sequence()?.object_identifier()?;
        let attributes = fields.optional(tag::context(0))?;
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let signature = fields.expect(tag::OCTET_STRING)?.value;
        fields.optional(tag::context(1))?;
        Ok(Self {
            raw: element.raw,
            id,
            digest,
            attributes,
            algorithm,
            signature,
        })
    }

    /// RFC 5652 §5.4: the attributes as they are signed, with the tag of SET.
    pub(crate) fn signed_attributes(&self) -> Option<Vec<u8>> {
        self.attributes
            .map(|attributes| tlv(tag::SET, &[attributes.value]))
    }

    /// The single value of the attribute, if it is there once with one value (RFC 5652 §11).
    pub(crate) fn attribute(&self, oid: ObjectIdentifier) -> Option<Element<'a>> {
        let all = self.attributes?.children().elements().ok()?;
        let mut values = all.iter().filter_map(|attribute| {
            let mut fields = attribute.children();
            (fields.object_identifier().ok()? == oid).then(|| fields.expect(tag::SET).ok())?
        });
        match (values.next(), values.next()) {
            (Some(values), None) => Element::only(values.value).ok(),
            _ => None,
        }
    }

    /// Whether this certificate is the one that the signer is named by.
    pub(crate) fn is_by(&self, certificate: &Certificate) -> bool {
        match self.id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == issuer && certificate.serial_der() == serial
            }
            SignerId::KeyIdentifier(identifier) => {
                certificate.key_identifier().as_deref() == Some(identifier)
            }
        }
    }
}

fn issuer_and_serial_of(element: Element<'_>) -> Result<SignerId<'_>, Malformed> {
    let mut fields = element.children();
    let issuer = fields.expect(tag::SEQUENCE)?.raw;
    let serial = fields.expect(tag::INTEGER)?.raw;
    Ok(SignerId::IssuerAndSerial { issuer, serial })
}
