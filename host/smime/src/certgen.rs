//! Makes certificates and requests: for tests, the demo and small installations.
//!
//! A certificate made here is for mail: emailProtection, the addresses as subject alternative
//! names, key usage by key algorithm, key identifiers. It is no public key infrastructure:
//! there are no revocation lists, no policies, no profiles, and serial numbers are random.

use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, RsaScheme, SignatureScheme};
use crate::asn1::{
    Element, context, context_primitive, integer, object_identifier, octet_string, sequence,
    set_of, tag, tlv,
};
use crate::certificate::{Certificate, key_algorithm};
use crate::error::Error;
use crate::provider::{PrivateKey, Provider};
use crate::scheme::{certificate_identifier, scheme_for};
use crate::time::Time;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280, rfc5912};
use waxseal_message::Address;

const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");

/// What a certificate or request says.
#[derive(Debug, Clone)]
pub struct Template {
    /// commonName of the subject.
    pub common_name: String,
    /// organizationName of the subject.
    pub organization: Option<String>,
    /// A subject alternative name for each: rfc822Name, or SmtpUTF8Mailbox where the local part
    /// is not ASCII (RFC 8398).
    pub addresses: Vec<Address>,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Authority,
    /// An authority that issues for people only.
    Intermediate,
    Person,
}

/// Who signs a certificate.
struct Issuer<'a> {
    name: Vec<u8>,
    key_identifier: Option<Vec<u8>>,
    key: &'a dyn PrivateKey,
}

/// A certificate that vouches for itself.
pub fn self_signed(
    template: &Template,
    key: &dyn PrivateKey,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    by_itself(template, Role::Person, key, provider)
}

/// The root certificate of a small authority.
pub fn authority(
    template: &Template,
    key: &dyn PrivateKey,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    by_itself(template, Role::Authority, key, provider)
}

/// An authority's certificate under another authority. It may issue no further authorities.
pub fn intermediate(
    template: &Template,
    public_key_info: &[u8],
    issuer: &Certificate,
    issuer_key: &dyn PrivateKey,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    let issuer = Issuer::of(issuer, issuer_key);
    build(
        template,
        Role::Intermediate,
        public_key_info,
        &issuer,
        provider,
    )
}

/// A certificate for a person or gateway, issued by an authority.
pub fn leaf(
    template: &Template,
    public_key_info: &[u8],
    issuer: &Certificate,
    issuer_key: &dyn PrivateKey,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    build(
        template,
        Role::Person,
        public_key_info,
        &Issuer::of(issuer, issuer_key),
        provider,
    )
}

/// A PKCS #10 request (RFC 2986) with the addresses as subject alternative names, as DER.
/// The template's dates are not part of it.
pub fn request(template: &Template, key: &dyn PrivateKey) -> Result<Vec<u8>, Error> {
    let extensions = sequence(&[
        &alternative_names(template)?,
        &key_usage(key.public_key_info(), Role::Person)?,
        &mail_purpose(),
    ]);
    // RFC 2985 §5.4.2.
    let attribute = sequence(&[
        &object_identifier(rfc5912::ID_EXTENSION_REQ),
        &set_of(tag::SET, vec![extensions]),
    ]);
    let info = sequence(&[
        &integer(0),
        &subject(template),
        key.public_key_info(),
        &context(0, &[&attribute]),
    ]);
    signed(&info, key)
}

impl<'a> Issuer<'a> {
    fn of(certificate: &Certificate, key: &'a dyn PrivateKey) -> Self {
        Self {
            name: certificate.subject_der().to_vec(),
            key_identifier: certificate.key_identifier(),
            key,
        }
    }
}

fn by_itself(
    template: &Template,
    role: Role,
    key: &dyn PrivateKey,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    let key_identifier = Some(key_identifier(key.public_key_info(), provider)?);
    let issuer = Issuer {
        name: subject(template),
        key_identifier,
        key,
    };
    build(template, role, key.public_key_info(), &issuer, provider)
}

/// RFC 5280 §4.1.
fn build(
    template: &Template,
    role: Role,
    public_key_info: &[u8],
    issuer: &Issuer<'_>,
    provider: &dyn Provider,
) -> Result<Certificate, Error> {
    let scheme = issuing_scheme(issuer.key)?;
    let validity = sequence(&[
        &template.not_before.to_der()?,
        &template.not_after.to_der()?,
    ]);
    let tbs = sequence(&[
        &context(0, &[&integer(2)]),
        &serial_number(provider)?,
        &certificate_identifier(scheme),
        &issuer.name,
        &validity,
        &subject(template),
        public_key_info,
        &context(
            3,
            &[&extensions(
                template,
                role,
                public_key_info,
                issuer,
                provider,
            )?],
        ),
    ]);
    Certificate::from_der(&signed(&tbs, issuer.key)?)
}

/// Octets, the algorithm, and the signature over them.
fn signed(octets: &[u8], key: &dyn PrivateKey) -> Result<Vec<u8>, Error> {
    let scheme = issuing_scheme(key)?;
    let signature = key.sign(scheme, octets)?;
    let signature = tlv(tag::BIT_STRING, &[&[0], &signature]);
    Ok(sequence(&[
        octets,
        &certificate_identifier(scheme),
        &signature,
    ]))
}

fn issuing_scheme(key: &dyn PrivateKey) -> Result<SignatureScheme, Error> {
    let algorithm = key.algorithm();
    let digest = match algorithm {
        KeyAlgorithm::EcP384 => DigestAlgorithm::Sha384,
        KeyAlgorithm::EcP521 => DigestAlgorithm::Sha512,
        _ => DigestAlgorithm::Sha256,
    };
    scheme_for(&algorithm, RsaScheme::Pkcs1v15, digest)
        .ok_or_else(|| Error::CertificateContent(format!("a signature by {algorithm}")))
}

/// RFC 5280 §4.1.2.2: positive, at most 20 octets; 127 bits of it are random.
fn serial_number(provider: &dyn Provider) -> Result<Vec<u8>, Error> {
    let mut serial = [0; 16];
    provider.random(&mut serial)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(tlv(tag::INTEGER, &[&serial]))
}

fn subject(template: &Template) -> Vec<u8> {
    let organization = template.organization.as_deref();
    let names = [
        (rfc4519::ORGANIZATION_NAME, organization),
        (rfc4519::CN, Some(template.common_name.as_str())),
    ];
    let names = names
        .iter()
        .filter_map(|(oid, value)| Some((oid, (*value)?)));
    let names: Vec<_> = names
        .filter(|(_, value)| !value.is_empty())
        .map(|(oid, value)| {
            let text = tlv(0x0c, &[value.as_bytes()]);
            set_of(tag::SET, vec![sequence(&[&object_identifier(*oid), &text])])
        })
        .collect();
    sequence(&names.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn extensions(
    template: &Template,
    role: Role,
    public_key_info: &[u8],
    issuer: &Issuer<'_>,
    provider: &dyn Provider,
) -> Result<Vec<u8>, Error> {
    let own = octet_string(&key_identifier(public_key_info, provider)?);
    let mut all = vec![basic_constraints(role), key_usage(public_key_info, role)?];
    if role == Role::Person {
        all.push(mail_purpose());
    }
    if !template.addresses.is_empty() {
        all.push(alternative_names(template)?);
    }
    all.push(extension(
        rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
        Criticality::No,
        &own,
    ));
    if let Some(identifier) = &issuer.key_identifier {
        let value = sequence(&[&context_primitive(0, &[identifier])]);
        all.push(extension(
            rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
            Criticality::No,
            &value,
        ));
    }
    Ok(sequence(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criticality {
    Yes,
    No,
}

fn extension(oid: ObjectIdentifier, criticality: Criticality, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = match criticality {
        Criticality::Yes => &[0x01, 0x01, 0xff],
        Criticality::No => &[],
    };
    sequence(&[&object_identifier(oid), critical, &octet_string(value)])
}

/// RFC 5280 §4.2.1.9.
fn basic_constraints(role: Role) -> Vec<u8> {
    let yes: &[u8] = &[0x01, 0x01, 0xff];
    let value = match role {
        Role::Authority => sequence(&[yes]),
        Role::Intermediate => sequence(&[yes, &integer(0)]),
        Role::Person => sequence(&[]),
    };
    extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, Criticality::Yes, &value)
}

/// RFC 5280 §4.2.1.3, RFC 8550 §4.4.2: what the key can do, and nothing else.
fn key_usage(public_key_info: &[u8], role: Role) -> Result<Vec<u8>, Error> {
    const DIGITAL_SIGNATURE: u8 = 0x80;
    const KEY_ENCIPHERMENT: u8 = 0x20;
    const KEY_AGREEMENT: u8 = 0x08;
    const SIGNS_CERTIFICATES_AND_LISTS: u8 = 0x06;
    let unknown = || Error::CertificateContent("a malformed public key".into());
    let (algorithm, _) = key_algorithm(public_key_info).map_err(|_| unknown())?;
    let bits = match (role, algorithm) {
        (Role::Authority | Role::Intermediate, _) => SIGNS_CERTIFICATES_AND_LISTS,
        (_, KeyAlgorithm::Rsa { .. }) => DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
        (_, KeyAlgorithm::Ed25519) => DIGITAL_SIGNATURE,
        (_, KeyAlgorithm::X25519) => KEY_AGREEMENT,
        (_, KeyAlgorithm::Dsa) => return Err(Error::CertificateContent("DSA".into())),
        (_, KeyAlgorithm::Other(oid)) => {
            return Err(Error::CertificateContent(format!("a key of {oid}")));
        }
        _ => DIGITAL_SIGNATURE | KEY_AGREEMENT,
    };
    // X.690 §11.2.2: named bits without trailing zeros.
    let unused = bits.trailing_zeros() as u8;
    let value = tlv(tag::BIT_STRING, &[&[unused, bits]]);
    Ok(extension(
        rfc5280::ID_CE_KEY_USAGE,
        Criticality::Yes,
        &value,
    ))
}

fn mail_purpose() -> Vec<u8> {
    let value = sequence(&[&object_identifier(rfc5280::ID_KP_EMAIL_PROTECTION)]);
    extension(rfc5280::ID_CE_EXT_KEY_USAGE, Criticality::No, &value)
}

/// RFC 5280 §4.2.1.6.
fn alternative_names(template: &Template) -> Result<Vec<u8>, Error> {
    let names: Vec<_> = template.addresses.iter().map(alternative_name).collect();
    let value = sequence(&names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    Ok(extension(
        rfc5280::ID_CE_SUBJECT_ALT_NAME,
        Criticality::No,
        &value,
    ))
}

fn alternative_name(address: &Address) -> Vec<u8> {
    let text = address.to_string();
    if text.is_ascii() {
        return context_primitive(1, &[text.as_bytes()]);
    }
    let mailbox = tlv(0x0c, &[text.as_bytes()]);
    context(
        0,
        &[
            &object_identifier(SMTP_UTF8_MAILBOX),
            &context(0, &[&mailbox]),
        ],
    )
}

/// RFC 7093 §2, method 1: the first 160 bits of SHA-256 over the key's octets.
fn key_identifier(public_key_info: &[u8], provider: &dyn Provider) -> Result<Vec<u8>, Error> {
    let malformed = |_| Error::CertificateContent("a malformed public key".into());
    let mut fields = Element::only(public_key_info)
        .map_err(malformed)?
        .children();
    fields.sequence().map_err(malformed)?;
    let key = fields.expect(tag::BIT_STRING).map_err(malformed)?;
    let mut digest = provider.digest(
        DigestAlgorithm::Sha256,
        key.value.get(1..).unwrap_or_default(),
    );
    digest.truncate(20);
    Ok(digest)
}
