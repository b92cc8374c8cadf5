//! Rule 7: what was written is read again, from the octets as they will leave, before it may.
//!
//! The structures are decoded by the `cms` crate here, which did not write them, and the
//! signature is verified with the certificate that travels along, not with the private key.
//! Any difference is [`Error::ReadBack`], and nothing leaves.
//!
//! A content of megabytes is not copied for that. Apart from its signature it is digested once more
//! where it stands in the message that leaves, and must be the very range that was written
//! ([`Written`]). Inside a SignedData it is decoded from the text, block by block, and digested. That
//! of an envelope is decoded for its size and its form alone, since nobody here has a key for it.
//! What stands around it is read whole ([`skeleton`]).

mod skeleton;

use crate::Context;
use crate::algorithm::DigestAlgorithm;
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
use skeleton::Skeleton;
use std::collections::BTreeSet;
use std::ops::Range;
use waxseal_message::base64::Text;
use waxseal_message::{Message, Part, TransferEncoding};

const MALFORMED: Error = Error::ReadBack("the message written does not parse");

/// What was signed.
pub(crate) struct Written {
    pub(crate) digest_algorithm: DigestAlgorithm,
    /// The digest that was signed.
    pub(crate) digest: Vec<u8>,
    pub(crate) place: Place,
}

/// Where it was written.
pub(crate) enum Place {
    /// Here, in the message that leaves.
    Apart(Range<usize>),
    /// Inside the SignedData, after so many octets of it.
    Inside { before: usize },
}

/// The one signature verifies over the content as written, and the content is what was meant.
pub(crate) fn signed(
    message: &Message,
    written: &Written,
    signer: &Identity,
    context: &Context<'_>,
) -> Result<(), Error> {
    let root = message.root();
    match &written.place {
        Place::Apart(range) => {
            let (Some(content), Some(signature)) = (root.child(0), root.child(1)) else {
                return Err(MALFORMED);
            };
            let digest = |octets| context.provider.digest(written.digest_algorithm, octets);
            if root.child_count() != 2
                || content.range() != *range
                || digest(content.raw()) != written.digest
            {
                return Err(Error::ReadBack(
                    "the signed part is not the entity that was signed",
                ));
            }
            let octets = signature.decoded();
            let signed_data = signed_data(&octets)?;
            if signed_data.content.is_some() {
                return Err(Error::ReadBack("a detached signature has content"));
            }
            verify(&signed_data, written, signer, context)
        }
        Place::Inside { before } => {
            let text = text(&root)?;
            let skeleton = Skeleton::read(&text, *before).map_err(|_| MALFORMED)?;
            let signed_data = signed_data(&skeleton.octets)?;
            let content = signed_data.content.as_deref().unwrap_or_default();
            if !skeleton.is_content(content) {
                return Err(MALFORMED);
            }
            let mut hasher = context.provider.hasher(written.digest_algorithm);
            text.read(skeleton.content.clone(), |piece| hasher.update(piece))
                .ok_or(MALFORMED)?;
            if hasher.finish() != written.digest {
                return Err(Error::ReadBack(
                    "the content is not the entity that was signed",
                ));
            }
            verify(&signed_data, written, signer, context)
        }
    }
}

/// The base64 text that the message is.
fn text<'a>(root: &Part<'a>) -> Result<Text<'a>, Error> {
    Some(root)
        .filter(|root| root.is_leaf() && root.transfer_encoding() == TransferEncoding::Base64)
        .and_then(|root| Text::of(root.raw_body()))
        .ok_or(MALFORMED)
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
    written: &Written,
    signer: &Identity,
    context: &Context<'_>,
) -> Result<(), Error> {
    let [info] = signed_data.signers.as_slice() else {
        return Err(Error::ReadBack("not exactly one signer"));
    };
    check_certificate(signed_data, info, signer)?;
    let certificate = &signer.certificate;
    cms::signed_data::SignerInfo::from_der(info.raw).map_err(|_| MALFORMED)?;
    let digest = DigestAlgorithm::from_oid(info.digest).ok_or(MALFORMED)?;
    let stated = info
        .attribute(rfc5911::ID_MESSAGE_DIGEST)
        .map(|value| value.value);
    if digest != written.digest_algorithm || stated != Some(&written.digest) {
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

/// The signer's certificate is in the message, octet for octet the identity's, and names the
/// signer.
fn check_certificate(
    signed_data: &SignedData<'_>,
    info: &SignerInfo<'_>,
    signer: &Identity,
) -> Result<(), Error> {
    let own = signer.certificate.to_der();
    if !signed_data.certificates.contains(&own) {
        return Err(Error::ReadBack("the signer's certificate is missing"));
    }
    if !info.is_by(&signer.certificate) {
        return Err(Error::ReadBack(
            "the signer is not named by its certificate",
        ));
    }
    Ok(())
}

/// The recipients are exactly the intended ones, each once, and there is content: at least of this
/// size, after so many octets of the CMS object.
pub(crate) fn enveloped(
    message: &Message,
    recipients: &[Certificate],
    before: usize,
    content_size: usize,
) -> Result<(), Error> {
    let text = text(&message.root())?;
    let skeleton = Skeleton::read(&text, before).map_err(|_| MALFORMED)?;
    let (Ok(Cms::Enveloped(envelope)) | Ok(Cms::AuthEnveloped(envelope))) =
        read_cms(&skeleton.octets)
    else {
        return Err(MALFORMED);
    };
    if !skeleton.is_content(&envelope.content.pieces) {
        return Err(MALFORMED);
    }
    let content = skeleton.content.clone();
    let size = content.len();
    text.read(content, |_| ()).ok_or(MALFORMED)?;
    if !envelope.is_within_floor() || size < content_size {
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

    /// Octets before the encrypted content.
    fn before(message: &Message) -> usize {
        let octets = message.root().decoded();
        let Ok(Cms::Enveloped(envelope)) = read_cms(&octets) else {
            panic!("no EnvelopedData");
        };
        envelope.content.pieces[0].as_ptr().addr() - octets.as_ptr().addr()
    }

    /// The message is for `one.der`: any other intention must be noticed.
    fn check(intended: &[&[u8]], content_size: usize, expected: Option<&str>) {
        let message = Message::parse(FOR_ONE, &Limits::default()).unwrap();
        let certificates = intended
            .iter()
            .map(|der| Certificate::from_der(der).unwrap());
        let certificates: Vec<_> = certificates.collect();
        let result = enveloped(&message, &certificates, before(&message), content_size);
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
