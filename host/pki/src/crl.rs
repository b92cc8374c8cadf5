//! CertificateLists (RFC 5280 §5), parsed once. Nothing here checks a signature or a date.

use crate::extensions::{PointName, bits, list};
use crate::limits;
use crate::names::{GeneralName, Name};
use const_oid::db::rfc5280;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use waxseal_smime::Time;
use waxseal_smime::asn1::{Element, Malformed, Reader, tag, time};

/// The octets are no CertificateList, or one over a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed certificate revocation list")]
pub struct MalformedCrl;

/// A CertificateList. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<List>);

/// What a list says.
#[derive(Default)]
pub(crate) struct List {
    octets: Vec<u8>,
    signed: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
    sha256: OnceLock<[u8; 32]>,
    pub(crate) issuer: Name,
    pub(crate) this_update: Option<Time>,
    pub(crate) next_update: Option<Time>,
    pub(crate) authority_key: Option<Vec<u8>>,
    /// cRLNumber without leading zeros.
    pub(crate) number: Option<Vec<u8>>,
    /// BaseCRLNumber of a delta list.
    pub(crate) base: Option<Vec<u8>>,
    pub(crate) scope: Option<Scope>,
    /// An extension of the list or of an entry is critical and not understood.
    pub(crate) not_understood: bool,
    /// By serial number.
    entries: Vec<Revoked>,
    /// certificateIssuer of entries, in the order in which they begin to hold.
    issuers: Vec<Vec<GeneralName>>,
}

/// IssuingDistributionPoint (RFC 5280 §5.2.5).
#[derive(Clone, Default)]
pub(crate) struct Scope {
    pub(crate) raw: Vec<u8>,
    pub(crate) names: Option<PointName>,
    pub(crate) only_users: bool,
    pub(crate) only_authorities: bool,
    pub(crate) only_attributes: bool,
    pub(crate) reasons: Option<u16>,
    pub(crate) indirect: bool,
}

struct Revoked {
    serial: Range<u32>,
    /// Index into the issuers, or none for the issuer of the list.
    issuer: Option<u32>,
    reason: u8,
    at: Time,
}

/// An entry: when, and the CRLReason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) at: Time,
    pub(crate) reason: u8,
}

/// removeFromCRL (RFC 5280 §5.3.1).
pub(crate) const REMOVE_FROM_CRL: u8 = 8;

impl Crl {
    /// Reads the DER of one list and keeps it. Its signature is checked when it is used.
    pub fn from_der(octets: &[u8]) -> Result<Self, MalformedCrl> {
        if octets.len() > limits::CRL_OCTETS {
            return Err(MalformedCrl);
        }
        let list = List::read(octets.to_vec()).map_err(|_| MalformedCrl)?;
        Ok(Self(Arc::new(list)))
    }

    /// The octets received.
    pub fn to_der(&self) -> &[u8] {
        &self.0.octets
    }

    pub(crate) fn list(&self) -> &List {
        &self.0
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl")
            .field("issuer", &self.0.issuer)
            .field("entries", &self.0.entries.len())
            .finish_non_exhaustive()
    }
}

impl List {
    /// RFC 5280 §5.1.
    fn read(octets: Vec<u8>) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr() - octets.as_ptr().addr();
            start..start + part.len()
        };
        let mut whole = Element::only(&octets)?.children();
        let signed = whole.expect(tag::SEQUENCE)?;
        let algorithm = whole.expect(tag::SEQUENCE)?;
        let signature = whole.expect(tag::BIT_STRING)?.value;
        let mut fields = signed.children();
        fields.optional(tag::INTEGER)?;
        // RFC 5280 §5.1.1.2: the algorithm within what is signed is the same.
        if fields.expect(tag::SEQUENCE)?.raw != algorithm.raw {
            return Err(Malformed);
        }
        found.issuer = Name::of(fields.expect(tag::SEQUENCE)?)?;
        found.this_update = Some(time(fields.any()?)?);
        if matches!(fields.peek(), Some(0x17 | 0x18)) {
            found.next_update = Some(time(fields.any()?)?);
        }
        if let Some(entries) = fields.optional(tag::SEQUENCE)? {
            found.read_entries(entries.children(), &span)?;
        }
        if let Some(extensions) = fields.optional(tag::context(0))? {
            found.read_extensions(Element::only(extensions.value)?)?;
        }
        found.signed = span(signed.raw);
        found.algorithm = span(algorithm.raw);
        // Whole octets: no unused bits in the last. Anything else verifies under no key.
        found.signature = match signature.split_first() {
            Some((0, whole)) => span(whole),
            _ => 0..0,
        };
        found.entries.sort_by(|one, other| {
            octets_at(&octets, &one.serial).cmp(octets_at(&octets, &other.serial))
        });
        found.octets = octets;
        Ok(found)
    }

    fn read_entries(
        &mut self,
        mut reader: Reader<'_>,
        span: &dyn Fn(&[u8]) -> Range<usize>,
    ) -> Result<(), Malformed> {
        while !reader.is_empty() {
            let mut fields = reader.sequence()?;
            let serial = span(fields.expect(tag::INTEGER)?.value);
            let at = time(fields.any()?)?;
            let reason = match fields.optional(tag::SEQUENCE)? {
                Some(extensions) => self.read_entry_extensions(extensions)?,
                None => 0,
            };
            if self.entries.len() == limits::CRL_ENTRIES {
                return Err(Malformed);
            }
            let short = |at: usize| u32::try_from(at).map_err(|_| Malformed);
            self.entries.push(Revoked {
                serial: short(serial.start)?..short(serial.end)?,
                // RFC 5280 §5.3.3: it holds until the next one.
                issuer: self
                    .issuers
                    .len()
                    .checked_sub(1)
                    .and_then(|at| u32::try_from(at).ok()),
                reason,
                at,
            });
        }
        Ok(())
    }

    /// RFC 5280 §5.3. Gives the reason.
    fn read_entry_extensions(&mut self, extensions: Element<'_>) -> Result<u8, Malformed> {
        let mut reason = 0;
        for (oid, critical, value) in list(extensions)? {
            match oid {
                rfc5280::ID_CE_CRL_REASONS => {
                    let code = Element::only(value)?;
                    reason = *code.value.first().ok_or(Malformed)?;
                }
                rfc5280::ID_CE_CERTIFICATE_ISSUER => {
                    let names = GeneralName::all(Element::only(value)?.children())?;
                    self.issuers.push(names);
                }
                rfc5280::ID_CE_INVALIDITY_DATE => {}
                _ => self.not_understood |= critical,
            }
        }
        Ok(reason)
    }

    /// RFC 5280 §5.2.
    fn read_extensions(&mut self, extensions: Element<'_>) -> Result<(), Malformed> {
        for (oid, critical, value) in list(extensions)? {
            let whole = Element::only(value)?;
            match oid {
                rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                    let key = whole.children().optional(tag::context_primitive(0))?;
                    self.authority_key = key.map(|key| key.value.to_vec());
                }
                rfc5280::ID_CE_CRL_NUMBER => self.number = Some(magnitude(whole)),
                rfc5280::ID_CE_DELTA_CRL_INDICATOR => self.base = Some(magnitude(whole)),
                rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT => self.scope = Some(Scope::of(whole)?),
                rfc5280::ID_CE_FRESHEST_CRL => {}
                _ => self.not_understood |= critical,
            }
        }
        Ok(())
    }

    /// SHA-256 of the list, made when it is first asked for.
    pub(crate) fn sha256(&self, hash: impl FnOnce(&[u8]) -> [u8; 32]) -> [u8; 32] {
        *self.sha256.get_or_init(|| hash(&self.octets))
    }

    pub(crate) fn signed(&self) -> &[u8] {
        self.octets.get(self.signed.clone()).unwrap_or_default()
    }

    pub(crate) fn algorithm(&self) -> &[u8] {
        self.octets.get(self.algorithm.clone()).unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.octets.get(self.signature.clone()).unwrap_or_default()
    }

    /// The entry of a certificate by its issuer and the contents of its serial number.
    pub(crate) fn find(&self, issuer: &Name, serial: &[u8]) -> Option<Finding> {
        let of = |entry: &Revoked| octets_at(&self.octets, &entry.serial);
        let first = self.entries.partition_point(|entry| of(entry) < serial);
        let same = self.entries.iter().skip(first);
        let mut same = same.take_while(|entry| of(entry) == serial);
        let entry = same.find(|entry| self.is_of(entry, issuer))?;
        Some(Finding {
            at: entry.at,
            reason: entry.reason,
        })
    }

    fn is_of(&self, entry: &Revoked, issuer: &Name) -> bool {
        match entry.issuer.and_then(|at| self.issuers.get(at as usize)) {
            None => self.issuer == *issuer,
            Some(names) => names.iter().any(|name| match name {
                GeneralName::Directory(name) => name == issuer,
                _ => false,
            }),
        }
    }
}

impl Scope {
    fn of(whole: Element<'_>) -> Result<Self, Malformed> {
        let mut fields = whole.children();
        let names = fields.optional(tag::context(0))?;
        let names = names.map(|names| Element::only(names.value).and_then(PointName::of));
        let mut flag = |number: u8| {
            let flag = fields.optional(tag::context_primitive(number))?;
            Ok(flag.is_some_and(|flag| flag.value != [0]))
        };
        let (only_users, only_authorities) = (flag(1)?, flag(2)?);
        let reasons = fields.optional(tag::context_primitive(3))?;
        let mut flag = |number: u8| {
            let flag = fields.optional(tag::context_primitive(number))?;
            Ok(flag.is_some_and(|flag| flag.value != [0]))
        };
        let (indirect, only_attributes) = (flag(4)?, flag(5)?);
        Ok(Self {
            raw: whole.raw.to_vec(),
            names: names.transpose()?,
            only_users,
            only_authorities,
            only_attributes,
            reasons: reasons.map(bits).transpose()?,
            indirect,
        })
    }
}

fn octets_at<'a>(octets: &'a [u8], span: &Range<u32>) -> &'a [u8] {
    octets
        .get(span.start as usize..span.end as usize)
        .unwrap_or_default()
}

/// An INTEGER for comparison: its length counts first, then its octets.
fn magnitude(element: Element<'_>) -> Vec<u8> {
    let zeros = element
        .value
        .iter()
        .take_while(|octet| **octet == 0)
        .count();
    element.value.get(zeros..).unwrap_or_default().to_vec()
}

/// Compares two numbers that [`magnitude`] gave.
pub(crate) fn is_at_most(one: &[u8], other: &[u8]) -> bool {
    (one.len(), one) <= (other.len(), other)
}

/// The name of a CRLReason (RFC 5280 §5.3.1).
pub(crate) const fn reason_name(reason: u8) -> &'static str {
    match reason {
        1 => "key compromise",
        2 => "authority compromise",
        3 => "affiliation changed",
        4 => "superseded",
        5 => "cessation of operation",
        6 => "certificate hold",
        9 => "privilege withdrawn",
        10 => "attribute authority compromise",
        _ => "unspecified",
    }
}
