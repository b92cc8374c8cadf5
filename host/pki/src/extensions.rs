//! The extensions of a certificate that paths are judged by (RFC 5280 §4.2), read once.
//!
//! A known extension that does not parse, or stands there twice, makes the certificate useless
//! for any path, critical or not. An unknown one counts only when it is critical.

use crate::constraints::NameConstraints;
use crate::limits;
use crate::names::{GeneralName, Name};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc6960};
use waxseal_smime::Certificate;
use waxseal_smime::asn1::{Element, Malformed, Reader, tag};

/// Bits of keyUsage (RFC 5280 §4.2.1.3), counted from the left.
pub(crate) mod key_usage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1 << 15;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 10;
    pub(crate) const CRL_SIGN: u16 = 1 << 9;
}

/// What the extensions say. Absent ones are `None` or empty.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    /// Any extension was there: version 3.
    pub(crate) present: bool,
    /// cA, when there is a basicConstraints.
    pub(crate) authority: Option<bool>,
    pub(crate) path_length: Option<u64>,
    pub(crate) key_usage: Option<u16>,
    pub(crate) extended_key_usage: Option<Vec<ObjectIdentifier>>,
    pub(crate) policies: Option<Vec<ObjectIdentifier>>,
    /// issuerDomainPolicy and subjectDomainPolicy.
    pub(crate) mappings: Vec<(ObjectIdentifier, ObjectIdentifier)>,
    pub(crate) require_explicit_policy: Option<u64>,
    pub(crate) inhibit_policy_mapping: Option<u64>,
    pub(crate) inhibit_any_policy: Option<u64>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) alternative_names: Vec<GeneralName>,
    pub(crate) distribution_points: Vec<DistributionPoint>,
    pub(crate) freshest: Vec<DistributionPoint>,
    /// accessMethod and URI of authorityInfoAccess.
    pub(crate) access: Vec<(ObjectIdentifier, String)>,
    pub(crate) subject_key: Option<Vec<u8>>,
    pub(crate) authority_key: Option<Vec<u8>>,
    /// id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).
    pub(crate) no_check: bool,
    /// A critical one that nobody here understands.
    pub(crate) not_understood: Option<ObjectIdentifier>,
}

/// RFC 5280 §4.2.1.13.
#[derive(Debug, Clone, Default)]
pub(crate) struct DistributionPoint {
    /// Full names, or the one name relative to the issuer of the list.
    pub(crate) names: Option<PointName>,
    /// Bits of ReasonFlags.
    pub(crate) reasons: Option<u16>,
    pub(crate) issuers: Vec<GeneralName>,
}

#[derive(Debug, Clone)]
pub(crate) enum PointName {
    Full(Vec<GeneralName>),
    /// The octets of a RelativeDistinguishedName under their tag.
    Relative(Vec<u8>),
}

impl PointName {
    pub(crate) fn of(element: Element<'_>) -> Result<Self, Malformed> {
        match element.tag {
            0xa0 => GeneralName::all(element.children()).map(Self::Full),
            0xa1 => Ok(Self::Relative(element.raw.to_vec())),
            _ => Err(Malformed),
        }
    }

    /// The names that it means when the list is issued by this name.
    pub(crate) fn resolve(&self, issuer: &Name) -> Vec<GeneralName> {
        match self {
            Self::Full(names) => names.clone(),
            Self::Relative(raw) => {
                let name = Element::only(raw).and_then(|relative| issuer.below(relative));
                name.map(GeneralName::Directory).into_iter().collect()
            }
        }
    }

    /// Where it can be fetched.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Full(names) => names.as_slice(),
            Self::Relative(_) => &[],
        };
        names.iter().filter_map(|name| match name {
            GeneralName::Uri(uri) => Some(uri.as_str()),
            _ => None,
        })
    }
}

impl Extensions {
    /// Reads the extensions of a certificate.
    pub(crate) fn of(certificate: &Certificate) -> Result<Self, Malformed> {
        let mut fields = Element::only(certificate.tbs_der())?.children();
        fields.optional(tag::context(0))?;
        for _ in 0..6 {
            fields.any()?;
        }
        // Unique identifiers, long out of use.
        while matches!(fields.peek(), Some(0x81 | 0x82 | 0xa1 | 0xa2)) {
            fields.any()?;
        }
        let mut found = Self::default();
        if let Some(wrapped) = fields.optional(tag::context(3))? {
            found.present = true;
            for (oid, critical, value) in list(Element::only(wrapped.value)?)? {
                if !found.take(oid, value)? && critical {
                    found.not_understood.get_or_insert(oid);
                }
            }
        }
        Ok(found)
    }

    /// Reads one extension; false when it is not known here.
    fn take(&mut self, oid: ObjectIdentifier, value: &[u8]) -> Result<bool, Malformed> {
        let whole = || Element::only(value);
        match oid {
            rfc5280::ID_CE_BASIC_CONSTRAINTS => {
                let (authority, path_length) = basic_constraints(whole()?)?;
                self.authority = Some(authority);
                self.path_length = path_length;
            }
            rfc5280::ID_CE_KEY_USAGE => self.key_usage = Some(bits(whole()?)?),
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                self.extended_key_usage = Some(identifiers(whole()?)?);
            }
            rfc5280::ID_CE_CERTIFICATE_POLICIES => self.policies = Some(policies(whole()?)?),
            rfc5280::ID_CE_POLICY_MAPPINGS => self.mappings = mappings(whole()?)?,
            rfc5280::ID_CE_POLICY_CONSTRAINTS => self.policy_constraints(whole()?)?,
            rfc5280::ID_CE_INHIBIT_ANY_POLICY => self.inhibit_any_policy = Some(number(whole()?)?),
            rfc5280::ID_CE_NAME_CONSTRAINTS => {
                self.name_constraints = Some(NameConstraints::of(whole()?)?);
            }
            rfc5280::ID_CE_SUBJECT_ALT_NAME => {
                self.alternative_names = GeneralName::all(whole()?.children())?;
            }
            rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS => {
                self.distribution_points = distribution_points(whole()?)?;
            }
            rfc5280::ID_CE_FRESHEST_CRL => self.freshest = distribution_points(whole()?)?,
            rfc5280::ID_PE_AUTHORITY_INFO_ACCESS => self.access = access(whole()?)?,
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                self.subject_key = Some(whole()?.value.to_vec());
            }
            rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                let key = whole()?.children().optional(tag::context_primitive(0))?;
                self.authority_key = key.map(|key| key.value.to_vec());
            }
            rfc6960::ID_PKIX_OCSP_NOCHECK => self.no_check = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// RFC 5280 §4.2.1.11.
    fn policy_constraints(&mut self, whole: Element<'_>) -> Result<(), Malformed> {
        let mut fields = whole.children();
        let explicit = fields.optional(tag::context_primitive(0))?;
        let mapping = fields.optional(tag::context_primitive(1))?;
        self.require_explicit_policy = explicit.map(number).transpose()?;
        self.inhibit_policy_mapping = mapping.map(number).transpose()?;
        Ok(())
    }

    /// keyUsage allows it, or is absent.
    pub(crate) fn allows(&self, usage: u16) -> bool {
        self.key_usage.is_none_or(|bits| bits & usage != 0)
    }
}

/// An extension: identifier, critical, value.
pub(crate) type Extension<'a> = (ObjectIdentifier, bool, &'a [u8]);

/// The extensions of an Extensions, each once.
pub(crate) fn list(whole: Element<'_>) -> Result<Vec<Extension<'_>>, Malformed> {
    let mut all: Vec<Extension<'_>> = Vec::new();
    for extension in whole.children().elements()? {
        let mut fields = extension.children();
        let oid = fields.object_identifier()?;
        let critical = fields.optional(0x01)?.is_some_and(|flag| flag.value != [0]);
        let value = fields.expect(tag::OCTET_STRING)?.value;
        // RFC 5280 §4.2: no more than one instance.
        if all.iter().any(|(other, ..)| *other == oid) || all.len() == limits::EXTENSIONS {
            return Err(Malformed);
        }
        all.push((oid, critical, value));
    }
    Ok(all)
}

/// RFC 5280 §4.2.1.9.
fn basic_constraints(whole: Element<'_>) -> Result<(bool, Option<u64>), Malformed> {
    let mut fields = whole.children();
    let authority = fields.optional(0x01)?.is_some_and(|flag| flag.value != [0]);
    let length = fields.optional(tag::INTEGER)?;
    Ok((authority, length.map(number).transpose()?))
}

/// A non-negative INTEGER; one too large to count is as good as the largest.
pub(crate) fn number(element: Element<'_>) -> Result<u64, Malformed> {
    match element.value {
        [] => Err(Malformed),
        [first, ..] if first & 0x80 != 0 => Err(Malformed),
        digits => Ok(digits.iter().fold(0u64, |sum, digit| {
            sum.saturating_mul(256).saturating_add(u64::from(*digit))
        })),
    }
}

/// The first sixteen bits of a BIT STRING, from the left.
pub(crate) fn bits(element: Element<'_>) -> Result<u16, Malformed> {
    let (_unused, octets) = element.value.split_first().ok_or(Malformed)?;
    let octet = |at| u16::from(octets.get(at).copied().unwrap_or(0));
    Ok(octet(0) << 8 | octet(1))
}

fn bounded(reader: Reader<'_>, limit: usize) -> Result<Vec<Element<'_>>, Malformed> {
    let elements = reader.elements()?;
    (elements.len() <= limit)
        .then_some(elements)
        .ok_or(Malformed)
}

fn identifiers(whole: Element<'_>) -> Result<Vec<ObjectIdentifier>, Malformed> {
    let elements = bounded(whole.children(), limits::POLICIES)?;
    let read = |element: Element<'_>| Reader::new(element.raw).object_identifier();
    elements.into_iter().map(read).collect()
}

/// RFC 5280 §4.2.1.4: the policies, each once; qualifiers are for people.
fn policies(whole: Element<'_>) -> Result<Vec<ObjectIdentifier>, Malformed> {
    let elements = bounded(whole.children(), limits::POLICIES)?;
    let mut all = elements
        .into_iter()
        .map(|information| information.children().object_identifier())
        .collect::<Result<Vec<_>, _>>()?;
    let count = all.len();
    all.sort();
    all.dedup();
    (all.len() == count).then_some(all).ok_or(Malformed)
}

/// RFC 5280 §4.2.1.5.
fn mappings(whole: Element<'_>) -> Result<Vec<(ObjectIdentifier, ObjectIdentifier)>, Malformed> {
    let elements = bounded(whole.children(), limits::POLICIES)?;
    let read = |mapping: Element<'_>| {
        let mut fields = mapping.children();
        Ok((fields.object_identifier()?, fields.object_identifier()?))
    };
    elements.into_iter().map(read).collect()
}

/// RFC 5280 §4.2.1.13, §4.2.1.15.
pub(crate) fn distribution_points(whole: Element<'_>) -> Result<Vec<DistributionPoint>, Malformed> {
    let elements = bounded(whole.children(), limits::POINTS)?;
    elements.into_iter().map(distribution_point).collect()
}

fn distribution_point(element: Element<'_>) -> Result<DistributionPoint, Malformed> {
    let mut fields = element.children();
    let names = fields.optional(tag::context(0))?;
    let reasons = fields.optional(tag::context_primitive(1))?;
    let issuers = fields.optional(tag::context(2))?;
    let names = names.map(|name| Element::only(name.value).and_then(PointName::of));
    let issuers = issuers.map(|issuers| GeneralName::all(issuers.children()));
    Ok(DistributionPoint {
        names: names.transpose()?,
        reasons: reasons.map(bits).transpose()?,
        issuers: issuers.transpose()?.unwrap_or_default(),
    })
}

/// RFC 5280 §4.2.2.1.
fn access(whole: Element<'_>) -> Result<Vec<(ObjectIdentifier, String)>, Malformed> {
    let mut all = Vec::new();
    for description in bounded(whole.children(), limits::POINTS)? {
        let mut fields = description.children();
        let method = fields.object_identifier()?;
        if let GeneralName::Uri(uri) = GeneralName::of(fields.any()?)? {
            all.push((method, uri));
        }
    }
    Ok(all)
}
