//! What a signer says of its certificate, its program and its keys.

use super::Flaw;
use crate::algorithm::{ContentCipher, DigestAlgorithm};
use crate::asn1::{Element, Malformed, Reader, sequence, tag};
use crate::certificate::Certificate;
use crate::open::State;
use crate::provider::Provider;
use crate::recipient_info::oaep_parameters;
use crate::scheme::{digest_in_rsa, mask_generation};
use crate::signed_data::SignerId;
use crate::source::Capabilities;
use const_oid::db::rfc5912;
use std::borrow::Cow;

/// The two versions of the attribute (RFC 5035 §5.4.1, §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// The first certificate that SigningCertificate or SigningCertificateV2 names is the signer's
/// (RFC 5035 §5.4). It stops who swaps one certificate of a key for another.
pub(super) fn check_signing_certificate(
    value: Element<'_>,
    version: Version,
    certificate: &Certificate,
    provider: &dyn Provider,
) -> Result<(), Flaw> {
    match names(value, version, certificate, provider) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Flaw::new(
            State::Invalid,
            "signature.signing-certificate",
            "the signer names another certificate as the one it signed with",
        )),
        Err(Malformed) => Err(Flaw::new(
            State::Malformed,
            "signature.attribute-malformed",
            "signingCertificate",
        )),
    }
}

fn names(
    value: Element<'_>,
    version: Version,
    certificate: &Certificate,
    provider: &dyn Provider,
) -> Result<bool, Malformed> {
    let mut all = Reader::new(value.raw).sequence()?.sequence()?;
    let mut id = all.sequence()?;
    let algorithm = match version {
        Version::One => Some(DigestAlgorithm::Sha1),
        Version::Two => match id.optional(tag::SEQUENCE)? {
            Some(algorithm) => DigestAlgorithm::readable(algorithm.children().object_identifier()?),
            None => Some(DigestAlgorithm::Sha256),
        },
    };
    let stated = id.expect(tag::OCTET_STRING)?.value;
    let digest = algorithm.map(|algorithm| provider.digest(algorithm, certificate.to_der()));
    let same_name = match id.optional(tag::SEQUENCE)? {
        Some(issuer_serial) => is_issuer_serial(issuer_serial, certificate)?,
        None => true,
    };
    Ok(same_name && digest.as_deref() == Some(stated))
}

/// IssuerSerial: GeneralNames with one directoryName, and the serial number.
fn is_issuer_serial(value: Element<'_>, certificate: &Certificate) -> Result<bool, Malformed> {
    let mut fields = value.children();
    let names = fields.sequence()?.elements()?;
    let serial = fields.expect(tag::INTEGER)?.raw;
    let is_issuer =
        |name: &Element<'_>| name.tag == tag::context(4) && name.value == certificate.issuer_der();
    Ok(names.iter().any(is_issuer) && serial == certificate.serial_der())
}

/// SMIMECapabilities, as far as they bear on what we may send (rule 11): the rest is passed
/// over. `None` for what does not parse.
pub(super) fn capabilities(value: Element<'_>) -> Option<Capabilities> {
    let mut found = Capabilities::default();
    for capability in Reader::new(value.raw).sequence().ok()?.elements().ok()? {
        let mut fields = capability.children();
        let oid = fields.object_identifier().ok()?;
        if let Some(cipher) = ContentCipher::from_oid(oid)
            && !found.ciphers.contains(&cipher)
        {
            found.ciphers.push(cipher);
        }
        found.oaep |= oid == rfc5912::ID_RSAES_OAEP && is_our_oaep(fields);
    }
    Some(found)
}

/// OAEP with SHA-256, the one that we write. RFC 3560 §5 prints its parameters without the tags
/// that its own syntax has, so both are understood.
fn is_our_oaep(mut parameters: Reader<'_>) -> bool {
    let digest = DigestAlgorithm::Sha256;
    let untagged = sequence(&[&digest_in_rsa(digest), &mask_generation(digest)]);
    let stated = parameters.any();
    stated.is_ok_and(|stated| *stated.raw == *oaep_parameters() || *stated.raw == *untagged)
}

/// The certificate that SMIMEEncryptionKeyPreference names, among these.
pub(super) fn preferred(value: Element<'_>, among: &[Certificate]) -> Option<Certificate> {
    let id = match value.tag {
        // issuerAndSerialNumber.
        tag if tag == tag::context(0) => SignerId::issuer_and_serial(value.children()).ok()?,
        // receipentKeyId: RecipientKeyIdentifier begins with the subjectKeyIdentifier.
        tag if tag == tag::context(1) => {
            let identifier = value.children().expect(tag::OCTET_STRING).ok()?.value;
            SignerId::KeyIdentifier(Cow::Borrowed(identifier))
        }
        // subjectAltKeyIdentifier.
        tag if tag == tag::context_primitive(2) => {
            SignerId::KeyIdentifier(Cow::Borrowed(value.value))
        }
        _ => return None,
    };
    among.iter().find(|each| id.names(each)).cloned()
}
