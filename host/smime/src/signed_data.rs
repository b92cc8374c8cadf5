//! SignedData (RFC 5652 §5): writes one with one signer, and reads any.

mod read;

use crate::Context;
use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, SignatureScheme};
use crate::asn1::{
    algorithm, context, header, integer, object_identifier, octet_string, sequence, set_of, tag,
};
use crate::certificate::Certificate;
use crate::error::Error;
use crate::identity::Identity;
use crate::recipient_info::oaep_parameters;
use crate::scheme::{digest_identifier, signer_info_identifier};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912, rfc6211};

pub(crate) use read::{Attribute, SignedData, SignerId, SignerInfo, attributes};

/// Content ciphers that the holder of our signing keys can read, most preferred first (RFC 8551
/// §2.5.2).
const CAPABILITIES: [ObjectIdentifier; 5] = [
    rfc5911::ID_AES_256_GCM,
    rfc5911::ID_AES_128_GCM,
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

/// Octets of a SignedData by this signer without its content, at most: signature, attributes with
/// the certificate's issuer and serial number, and the certificates.
pub(crate) fn size(signer: &Identity) -> usize {
    let own = signer.certificate.to_der().len();
    let certificates: usize = embedded(signer).map(|each| each.to_der().len()).sum();
    certificates + 4 * own + 1024
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
    let all = embedded(signer).map(|certificate| certificate.to_der().to_vec());
    set_of(tag::context(0), all.collect())
}

fn embedded(signer: &Identity) -> impl Iterator<Item = &Certificate> {
    let own = std::iter::once(&signer.certificate);
    own.chain(&signer.chain)
        .chain(&signer.encryption_certificate)
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
        attribute(rfc5911::SMIME_CAPABILITIES, capabilities(signer)),
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

/// Algorithms of one kind stand together: content ciphers, then key transport, which RSA keys
/// alone have.
fn capabilities(signer: &Identity) -> Vec<u8> {
    let mut all = CAPABILITIES.map(|oid| algorithm(oid, &[])).to_vec();
    let encrypts_to = encryption_certificate(signer).map(Certificate::key_algorithm);
    if matches!(encrypts_to, Some(KeyAlgorithm::Rsa { .. })) {
        all.push(algorithm(rfc5912::ID_RSAES_OAEP, &oaep_parameters()));
    }
    sequence(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
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
