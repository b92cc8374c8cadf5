//! Rule 7: what was written is read again, from the octets as they will leave, before it may.
//!
//! The structures are decoded by the `cms` crate here, which did not write them, and the
//! signature is verified with the certificate that travels along, not with the private key.
//! Any difference is [`Error::ReadBack`], and nothing leaves.

use crate::Context;
use crate::algorithm::DigestAlgorithm;
use crate::asn1::joined;
use crate::certificate::Certificate;
use crate::cms_object::{Cms, read_cms};
use crate::enveloped_data::Envelope;
use crate::error::Error;
use crate::identity::Identity;
use crate::scheme::signature_scheme;
use crate::signed_data::{SignedData, SignerInfo};
use cms::enveloped_data::{
    KeyAgreeRecipientIdentifier, RecipientIdentifier, RecipientInfo, RecipientInfos,
};
use const_oid::db::rfc5911;
use der::Decode;
use std::collections::BTreeSet;
use waxseal_message::Message;

const MALFORMED: Error = Error::ReadBack("the message written does not parse");

/// The one signature verifies over the content as written, and the content is what was meant.
pub(crate) fn signed(
    message: &Message,
    entity: &[u8],
    signer: &Identity,
    context: &Context<'_>,
) -> Result<(), Error> {
    let root = message.root();
    if root.media_type() == "multipart/signed" {
        let (Some(content), Some(signature)) = (root.child(0), root.child(1)) else {
            return Err(MALFORMED);
        };
        if root.child_count() != 2 || content.raw() != entity {
            return Err(Error::ReadBack(
                "the signed part is not the entity that was signed",
            ));
        }
        let octets = signature.decoded();
        let signed_data = signed_data(&octets)?;
        if signed_data.content.is_some() {
            return Err(Error::ReadBack("a detached signature has content"));
        }
        return verify(&signed_data, content.raw(), signer, context);
    }
    let octets = root.decoded();
    let signed_data = signed_data(&octets)?;
    let content = joined(signed_data.content.as_deref().ok_or(MALFORMED)?);
    if *content != *entity {
        return Err(Error::ReadBack(
            "the content is not the entity that was signed",
        ));
    }
    verify(&signed_data, &content, signer, context)
}

fn signed_data(octets: &[u8]) -> Result<SignedData<'_>, Error> {
    match read_cms(octets) {
        Ok(Cms::Signed(signed_data)) => Ok(signed_data),
        _ => Err(MALFORMED),
    }
}

/// RFC 5652 §5.4, §5.6.
fn verify(
    signed_data: &SignedData<'_>,
    content: &[u8],
    signer: &Identity,
    context: &Context<'_>,
) -> Result<(), Error> {
    let [info] = signed_data.signers.as_slice() else {
        return Err(Error::ReadBack("not exactly one signer"));
    };
    let certificate = embedded_certificate(signed_data, info, signer)?;
    cms::signed_data::SignerInfo::from_der(info.raw).map_err(|_| MALFORMED)?;
    let digest = DigestAlgorithm::from_oid(info.digest).ok_or(MALFORMED)?;
    let expected = context.provider.digest(digest, content);
    let stated = info
        .attribute(rfc5911::ID_MESSAGE_DIGEST)
        .map(|value| value.value.to_vec());
    if stated != Some(expected) {
        return Err(Error::ReadBack("the message digest is not the content's"));
    }
    let content_type = info
        .attribute(rfc5911::ID_CONTENT_TYPE)
        .map(|value| value.value);
    if content_type != Some(rfc5911::ID_DATA.as_bytes()) {
        return Err(Error::ReadBack("the content type attribute is not id-data"));
    }
    let scheme = signature_scheme(info.algorithm, &certificate.key_algorithm(), Some(digest));
    // Rule 11: nothing weak is ever written.
    let scheme = scheme.filter(|scheme| !scheme.is_weak()).ok_or(MALFORMED)?;
    let attributes = info.signed_attributes().ok_or(MALFORMED)?;
    let key = certificate.public_key_info();
    context
        .provider
        .verify(key, scheme, &attributes, &info.signature)
        .map_err(|_| Error::ReadBack("the signature does not verify"))
}

/// The signer's certificate out of the message, octet for octet the identity's.
fn embedded_certificate(
    signed_data: &SignedData<'_>,
    info: &SignerInfo<'_>,
    signer: &Identity,
) -> Result<Certificate, Error> {
    let mut all = signed_data.certificates.iter();
    let own = all.find(|der| **der == signer.certificate.to_der());
    let own = own.ok_or(Error::ReadBack("the signer's certificate is missing"))?;
    let certificate = Certificate::from_der(own)?;
    if !info.is_by(&certificate) {
        return Err(Error::ReadBack(
            "the signer is not named by its certificate",
        ));
    }
    Ok(certificate)
}

/// The recipients are exactly the intended ones, each once, and there is content.
pub(crate) fn enveloped(
    message: &Message,
    recipients: &[Certificate],
    content_size: usize,
) -> Result<(), Error> {
    let root = message.root();
    let octets = root.decoded();
    let (Ok(Cms::Enveloped(envelope)) | Ok(Cms::AuthEnveloped(envelope))) = read_cms(&octets)
    else {
        return Err(MALFORMED);
    };
    if !envelope.is_within_floor() || envelope.content_size() < content_size {
        return Err(Error::ReadBack("the encrypted content is incomplete"));
    }
    let found = recipient_names(&envelope)?;
    let intended: BTreeSet<Vec<u8>> = recipients
        .iter()
        .map(crate::signed_data::issuer_and_serial)
        .collect();
    let once: BTreeSet<Vec<u8>> = found.iter().cloned().collect();
    if once.len() != found.len() || once != intended {
        return Err(Error::ReadBack(
            "the recipients are not exactly the intended ones",
        ));
    }
    Ok(())
}

/// IssuerAndSerialNumber of each recipient, by the `cms` crate's reading.
fn recipient_names(envelope: &Envelope<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let infos = RecipientInfos::from_der(envelope.recipient_infos.raw).map_err(|_| MALFORMED)?;
    let mut names = Vec::new();
    for info in infos.0.iter() {
        match info {
            RecipientInfo::Ktri(info) => match &info.rid {
                RecipientIdentifier::IssuerAndSerialNumber(name) => names.push(name.clone()),
                RecipientIdentifier::SubjectKeyIdentifier(_) => return Err(MALFORMED),
            },
            RecipientInfo::Kari(info) => {
                for key in &info.recipient_enc_keys {
                    match &key.rid {
                        KeyAgreeRecipientIdentifier::IssuerAndSerialNumber(name) => {
                            names.push(name.clone());
                        }
                        KeyAgreeRecipientIdentifier::RKeyId(_) => return Err(MALFORMED),
                    }
                }
            }
            _ => return Err(MALFORMED),
        }
    }
    names
        .iter()
        .map(|name| der::Encode::to_der(name).map_err(Error::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_message::Limits;

    const ONE: &[u8] = include_bytes!("../fixtures/one.der");
    const TWO: &[u8] = include_bytes!("../fixtures/two.der");
    const FOR_ONE: &[u8] = include_bytes!("../fixtures/for-one.eml");

    /// The message is for `one.der`: any other intention must be noticed.
    fn check(intended: &[&[u8]], content_size: usize, expected: Option<&str>) {
        let message = Message::parse(FOR_ONE, &Limits::default()).unwrap();
        let certificates = intended
            .iter()
            .map(|der| Certificate::from_der(der).unwrap());
        let certificates: Vec<_> = certificates.collect();
        let result = enveloped(&message, &certificates, content_size);
        assert_eq!(
            result.err().map(|error| error.to_string()).as_deref(),
            expected
        );
    }

    #[test]
    fn rule_07_recipients_are_exactly_the_intended_ones() {
        let other = Some("read-back failed: the recipients are not exactly the intended ones");
        check(&[ONE], 7, None);
        check(&[TWO], 7, other);
        check(&[ONE, TWO], 7, other);
        check(&[], 7, other);
    }

    #[test]
    fn rule_07_the_content_is_all_there() {
        let short = Some("read-back failed: the encrypted content is incomplete");
        check(&[ONE], 10_000, short);
    }
}
