//! The signed attributes of a SignerInfo: which of them must be there, which only once, and
//! what they hold (RFC 5652 §5.3, §11).

use super::Flaw;
use crate::asn1::{Element, Malformed, Reader, tag, time};
use crate::open::State;
use crate::signed_data::{Attribute, SignerInfo, attributes};
use crate::time::Time;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc6211};

/// The attributes that mean something here.
pub(super) struct SignedAttributes<'a> {
    pub(super) content_type: Element<'a>,
    pub(super) message_digest: Element<'a>,
    pub(super) signing_time: Option<Time>,
    /// CMSAlgorithmProtection (RFC 6211).
    pub(super) protection: Option<Element<'a>>,
    /// SigningCertificate (RFC 5035 §5.4.1).
    pub(super) signing_certificate: Option<Element<'a>>,
    /// SigningCertificateV2 (RFC 5035 §3).
    pub(super) signing_certificate_v2: Option<Element<'a>>,
    /// SMIMECapabilities (RFC 8551 §2.5.2).
    pub(super) capabilities: Option<Element<'a>>,
    /// SMIMEEncryptionKeyPreference (RFC 8551 §2.5.3).
    pub(super) preference: Option<Element<'a>>,
}

/// Attributes of which there is one, with one value, and which only count when signed: RFC 5652
/// §11.1 to §11.3, RFC 5035 §3 and §5.4.1, RFC 6211 §2, RFC 8551 §2.5.2 and §2.5.3.
const SINGLE: [(ObjectIdentifier, &str); 8] = [
    (rfc5911::ID_CONTENT_TYPE, "contentType"),
    (rfc5911::ID_MESSAGE_DIGEST, "messageDigest"),
    (rfc5911::ID_SIGNING_TIME, "signingTime"),
    (rfc5911::ID_AA_SIGNING_CERTIFICATE, "signingCertificate"),
    (
        rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2,
        "signingCertificateV2",
    ),
    (
        rfc6211::ID_AA_CMS_ALGORITHM_PROTECTION,
        "CMSAlgorithmProtection",
    ),
    (rfc5911::SMIME_CAPABILITIES, "sMIMECapabilities"),
    (rfc5911::ID_AA_ENCRYP_KEY_PREF, "encrypKeyPref"),
];

fn malformed(message: &str) -> Flaw {
    Flaw::new(State::Malformed, "signature.attribute-malformed", message)
}

impl<'a> SignedAttributes<'a> {
    /// Reads and checks them. `None`: the signature has none.
    pub(super) fn read(info: &SignerInfo<'a>) -> Result<Option<Self>, Flaw> {
        refuse_unsigned(info)?;
        let Some(set) = info.attributes else {
            return Ok(None);
        };
        let all = attributes(set).map_err(|_| malformed("signed attributes do not parse"))?;
        for (oid, name) in SINGLE {
            single(&all, oid, name)?;
        }
        let value = |wanted: ObjectIdentifier| {
            let found = all.iter().find(|attribute| attribute.oid == wanted);
            found.and_then(|attribute| attribute.values.first().copied())
        };
        let required = |oid: ObjectIdentifier, tag: u8, name: &str| {
            let missing =
                || Flaw::new(State::MissingAttribute, "signature.attribute-missing", name);
            let value = value(oid).ok_or_else(missing)?;
            let has_type = value.tag == tag;
            has_type.then_some(value).ok_or_else(|| malformed(name))
        };
        let signing_time = match value(rfc5911::ID_SIGNING_TIME) {
            // RFC 5652 §11.3.
            Some(value) => Some(time(value).map_err(|_| malformed("signingTime"))?),
            None => None,
        };
        Ok(Some(Self {
            content_type: required(
                rfc5911::ID_CONTENT_TYPE,
                tag::OBJECT_IDENTIFIER,
                "contentType",
            )?,
            message_digest: required(
                rfc5911::ID_MESSAGE_DIGEST,
                tag::OCTET_STRING,
                "messageDigest",
            )?,
            signing_time,
            protection: value(rfc6211::ID_AA_CMS_ALGORITHM_PROTECTION),
            signing_certificate: value(rfc5911::ID_AA_SIGNING_CERTIFICATE),
            signing_certificate_v2: value(rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2),
            capabilities: value(rfc5911::SMIME_CAPABILITIES),
            preference: value(rfc5911::ID_AA_ENCRYP_KEY_PREF),
        }))
    }
}

/// RFC 5652 §11: these attributes must be signed ones. A reader that looks for them among the
/// others would take an outsider's word.
fn refuse_unsigned(info: &SignerInfo<'_>) -> Result<(), Flaw> {
    let Some(set) = info.unsigned else {
        return Ok(());
    };
    let all = attributes(set).map_err(|_| malformed("unsigned attributes do not parse"))?;
    let found = SINGLE
        .into_iter()
        .find(|(oid, _)| all.iter().any(|attribute| attribute.oid == *oid));
    match found {
        Some((_, name)) => Err(malformed(&format!("not a signed attribute: {name}"))),
        None => Ok(()),
    }
}

fn single(all: &[Attribute<'_>], oid: ObjectIdentifier, name: &str) -> Result<(), Flaw> {
    let duplicate = || {
        Flaw::new(
            State::DuplicateAttribute,
            "signature.attribute-duplicate",
            name,
        )
    };
    let mut found = all.iter().filter(|attribute| attribute.oid == oid);
    match (found.next(), found.next()) {
        (None, _) => Ok(()),
        (Some(one), None) => match one.values.len() {
            0 => Err(malformed(name)),
            1 => Ok(()),
            _ => Err(duplicate()),
        },
        (Some(_), Some(_)) => Err(duplicate()),
    }
}

/// CMSAlgorithmProtection (RFC 6211 §2) names the algorithms of its SignerInfo.
pub(super) fn check_protection(value: Element<'_>, info: &SignerInfo<'_>) -> Result<(), Flaw> {
    let is_same = || -> Result<bool, Malformed> {
        let mut fields = value.children();
        let digest = fields.sequence()?;
        let signature = fields.expect(tag::context(1))?.children();
        let own = Element::only(info.algorithm)?.children();
        // A macAlgorithm belongs to AuthenticatedData.
        Ok(fields.is_empty()
            && same_algorithm(digest, Reader::new(info.digest_fields))?
            && same_algorithm(signature, own)?)
    };
    match is_same() {
        Ok(true) if value.tag == tag::SEQUENCE => Ok(()),
        Ok(_) => Err(Flaw::new(
            State::Invalid,
            "signature.algorithm-protection",
            "the algorithms are not those that the signer protected",
        )),
        Err(Malformed) => Err(malformed("CMSAlgorithmProtection")),
    }
}

/// The fields of two AlgorithmIdentifiers; NULL parameters and none are the same (RFC 5754 §2).
fn same_algorithm(mut one: Reader<'_>, mut other: Reader<'_>) -> Result<bool, Malformed> {
    const NULL: [u8; 2] = [0x05, 0];
    let same_oid = one.object_identifier()? == other.object_identifier()?;
    let parameters = |fields: Reader<'_>| -> Result<Vec<Vec<u8>>, Malformed> {
        let all = fields.elements()?;
        let all = all.iter().map(|each| each.raw.to_vec());
        Ok(all.filter(|raw| *raw != NULL).collect())
    };
    Ok(same_oid && parameters(one)? == parameters(other)?)
}
