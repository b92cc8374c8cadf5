//! ContentInfo (RFC 5652 §3): which CMS object some octets are.

use crate::asn1::{Element, Malformed, tag};
use crate::enveloped_data::{EncryptedData, Envelope};
use crate::plain_data::{CompressedData, DigestedData};
use crate::signed_data::SignedData;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;

/// id-ct-compressedData (RFC 3274 §1.1).
const COMPRESSED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.9");
/// signedAndEnvelopedData (PKCS #7 v1.5, RFC 2315 §11), which CMS left out.
const SIGNED_AND_ENVELOPED_DATA: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.4");

/// A CMS object, read in place.
pub(crate) enum Cms<'a> {
    Signed(SignedData<'a>),
    Enveloped(Envelope<'a>),
    AuthEnveloped(Envelope<'a>),
    Encrypted(EncryptedData<'a>),
    Digested(DigestedData<'a>),
    Compressed(CompressedData<'a>),
    /// A content type that nobody here reads, such as SignedAndEnvelopedData of PKCS #7.
    Unsupported,
}

/// Reads one ContentInfo that fills the octets, in BER or DER.
pub(crate) fn read_cms(octets: &[u8]) -> Result<Cms<'_>, Malformed> {
    let outer = Element::only(octets)?;
    if outer.tag != tag::SEQUENCE {
        return Err(Malformed);
    }
    let mut fields = outer.children();
    let content_type = fields.object_identifier()?;
    let content = Element::only(fields.expect(tag::context(0))?.value)?;
    if !fields.is_empty() {
        return Err(Malformed);
    }
    match content_type {
        rfc5911::ID_SIGNED_DATA => SignedData::read(content).map(Cms::Signed),
        rfc5911::ID_ENVELOPED_DATA => Envelope::read(content).map(Cms::Enveloped),
        rfc5911::ID_CT_AUTH_ENVELOPED_DATA => {
            Envelope::read_authenticated(content).map(Cms::AuthEnveloped)
        }
        rfc5911::ID_ENCRYPTED_DATA => EncryptedData::read(content).map(Cms::Encrypted),
        rfc5911::ID_DIGESTED_DATA => DigestedData::read(content).map(Cms::Digested),
        COMPRESSED_DATA => CompressedData::read(content).map(Cms::Compressed),
        SIGNED_AND_ENVELOPED_DATA | rfc5911::ID_CT_AUTH_DATA if content.tag == tag::SEQUENCE => {
            Ok(Cms::Unsupported)
        }
        _ => Err(Malformed),
    }
}
