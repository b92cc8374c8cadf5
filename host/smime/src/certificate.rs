//! A certificate as it was received, and what it says (RFC 5280, RFC 8550).
//!
//! The octets are kept and are what is embedded, compared and hashed: typed structures re-encode
//! some real certificates differently. Nothing here checks a signature or a date; that is
//! [`crate::Trust`] and [`crate::choose`].

use crate::algorithm::KeyAlgorithm;
use crate::asn1::{Element, Malformed, Reader, sequence, tag, time};
use crate::error::Error;
use crate::time::Time;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::Decode;
use sha2::Digest;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use waxseal_message::Address;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};

/// id-on-SmtpUTF8Mailbox (RFC 8398 §3).
const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");
/// emailAddress in a subject (RFC 5280 §4.1.2.6).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
/// The local part of RFC 3183 §2.3 that names a whole domain for encryption.
const DOMAIN_CONFIDENTIALITY: &str = "domain-confidentiality-authority";
/// The local part of RFC 3183 §2.2 that names a whole domain for signatures.
const DOMAIN_SIGNING: &str = "domain-signing-authority";

/// A certificate. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    octets: Vec<u8>,
    spans: Spans,
    x509: x509_cert::Certificate,
    key: KeyAlgorithm,
    pss_only: bool,
    usage: Usage,
    addresses: Vec<Address>,
    domains: Vec<String>,
}

/// Where the fields that are embedded elsewhere lie in the octets.
struct Spans {
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    /// Contents of the time, and what they mean.
    not_before: (Range<usize>, Time),
    not_after: (Range<usize>, Time),
    subject: Range<usize>,
    public_key: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Usage {
    sign: bool,
    encrypt: bool,
    sign_certificates: bool,
    email: bool,
}

impl Certificate {
    /// Reads the DER of one certificate and keeps it.
    pub fn from_der(octets: &[u8]) -> Result<Self, Error> {
        let malformed = |reason: String| Error::MalformedCertificate(reason);
        let spans = Spans::find(octets).map_err(|error| malformed(error.to_string()))?;
        let x509 = x509_cert::Certificate::from_der(&spans.with_later_times(octets))
            .map_err(|error| malformed(error.to_string()))?;
        let info = octets.get(spans.public_key.clone()).unwrap_or_default();
        let (key, pss_only) = key_algorithm(info).map_err(|error| malformed(error.to_string()))?;
        let usage = Usage::of(&x509, &key, pss_only);
        let (addresses, domains) = names(&x509);
        let octets = octets.to_vec();
        let inner = Inner {
            octets,
            spans,
            x509,
            key,
            pss_only,
            usage,
            addresses,
            domains,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The octets received.
    pub fn to_der(&self) -> &[u8] {
        &self.0.octets
    }

    /// SHA-256 over the octets.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha2::Sha256::digest(self.to_der()).into()
    }

    /// The subject as RFC 4514 writes it.
    pub fn subject(&self) -> String {
        self.x509().tbs_certificate().subject().to_string()
    }

    /// The issuer as RFC 4514 writes it.
    pub fn issuer(&self) -> String {
        self.x509().tbs_certificate().issuer().to_string()
    }

    /// The serial number in lower-case hexadecimal.
    pub fn serial(&self) -> String {
        let serial = self.x509().tbs_certificate().serial_number().as_bytes();
        serial.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The addresses it names: rfc822Name, then SmtpUTF8Mailbox, then the subject's
    /// emailAddress (rule 5), each once.
    pub fn addresses(&self) -> &[Address] {
        &self.0.addresses
    }

    /// The domains that it speaks for as a whole: dNSName, and the addresses that RFC 3183 §2.2
    /// and §2.3 reserve. Lower case.
    pub fn domains(&self) -> &[String] {
        &self.0.domains
    }

    /// The first second of its life.
    pub fn not_before(&self) -> Time {
        self.0.spans.not_before.1
    }

    /// The last second of its life.
    pub fn not_after(&self) -> Time {
        self.0.spans.not_after.1
    }

    /// The algorithm of its public key.
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.0.key.clone()
    }

    /// True when an RSA key says that it is for PSS alone (RFC 4055 §1.2).
    pub fn is_pss_only(&self) -> bool {
        self.0.pss_only
    }

    /// Key usage, extended key usage and algorithm allow signing mail (RFC 8550 §4.4.2, §4.4.4).
    pub fn can_sign(&self) -> bool {
        self.0.usage.sign && self.0.usage.email
    }

    /// Key usage, extended key usage and algorithm allow encrypting mail to it.
    pub fn can_encrypt(&self) -> bool {
        self.0.usage.encrypt && self.0.usage.email
    }

    /// It may issue certificates: basicConstraints says CA, and key usage does not forbid it.
    pub fn can_issue(&self) -> bool {
        self.0.usage.sign_certificates
    }

    /// Subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der() == self.issuer_der()
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn public_key_info(&self) -> &[u8] {
        self.slice(&self.0.spans.public_key)
    }

    /// The SubjectPublicKeyInfo with the parameters of the issuer's, for a DSA key that has none
    /// of its own (RFC 3279 §2.3.2). `None` when there is nothing to inherit.
    pub(crate) fn inherited_public_key_info(&self, issuer: &Certificate) -> Option<Vec<u8>> {
        let parts = |certificate: &Self| -> Option<(Vec<u8>, Vec<u8>)> {
            let info = Element::only(certificate.public_key_info()).ok()?;
            let mut fields = info.children();
            let algorithm = fields.expect(tag::SEQUENCE).ok()?;
            let key = fields.expect(tag::BIT_STRING).ok()?;
            Some((algorithm.value.to_vec(), key.raw.to_vec()))
        };
        if self.0.key != KeyAlgorithm::Dsa || issuer.0.key != KeyAlgorithm::Dsa {
            return None;
        }
        let (own, key) = parts(self)?;
        let (inherited, _) = parts(issuer)?;
        let mut own = Reader::new(&own);
        own.object_identifier().ok()?;
        let has_parameters = own
            .any()
            .is_ok_and(|parameters| parameters.tag == tag::SEQUENCE);
        (!has_parameters).then(|| sequence(&[&sequence(&[&inherited]), &key]))
    }

    /// The parsed structure. Never re-encode it: see the module.
    pub fn x509(&self) -> &x509_cert::Certificate {
        &self.0.x509
    }

    /// DER of the issuer, as it stands.
    pub fn issuer_der(&self) -> &[u8] {
        self.slice(&self.0.spans.issuer)
    }

    /// DER of the subject, as it stands.
    pub fn subject_der(&self) -> &[u8] {
        self.slice(&self.0.spans.subject)
    }

    /// DER of the serial number's INTEGER, as it stands.
    pub fn serial_der(&self) -> &[u8] {
        self.slice(&self.0.spans.serial)
    }

    /// The subjectKeyIdentifier (RFC 5280 §4.2.1.2).
    pub fn key_identifier(&self) -> Option<Vec<u8>> {
        let identifier = self
            .x509()
            .tbs_certificate()
            .get_extension::<SubjectKeyIdentifier>();
        identifier
            .ok()
            .flatten()
            .map(|(_, identifier)| identifier.0.as_bytes().to_vec())
    }

    /// What the issuer signed.
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.0.spans.tbs)
    }

    /// DER of the AlgorithmIdentifier beside the issuer's signature.
    pub fn signature_algorithm_der(&self) -> &[u8] {
        self.slice(&self.0.spans.signature_algorithm)
    }

    /// The issuer's signature.
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.0.spans.signature)
    }

    fn slice(&self, span: &Range<usize>) -> &[u8] {
        self.0.octets.get(span.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.to_der() == other.to_der()
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_der().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("serial", &self.serial())
            .field("key", &self.0.key)
            .finish_non_exhaustive()
    }
}

impl Spans {
    /// RFC 5280 §4.1.
    fn find(octets: &[u8]) -> Result<Self, Malformed> {
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr() - octets.as_ptr().addr();
            start..start + part.len()
        };
        let mut certificate = Element::only(octets)?.children();
        let tbs = certificate.expect(tag::SEQUENCE)?;
        let signature_algorithm = certificate.expect(tag::SEQUENCE)?;
        // Whole octets: no unused bits in the last. Anything else verifies under no key.
        let signature = certificate.expect(tag::BIT_STRING)?.value;
        let signature = match signature.split_first() {
            Some((0, whole)) => whole,
            _ => signature.get(..0).ok_or(Malformed)?,
        };
        let mut fields = tbs.children();
        fields.optional(tag::context(0))?;
        let serial = fields.expect(tag::INTEGER)?;
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let mut validity = fields.sequence()?;
        let (not_before, not_after) = (validity.any()?, validity.any()?);
        let subject = fields.expect(tag::SEQUENCE)?;
        let public_key = fields.expect(tag::SEQUENCE)?;
        Ok(Self {
            tbs: span(tbs.raw),
            serial: span(serial.raw),
            issuer: span(issuer.raw),
            not_before: (span(not_before.value), time(not_before)?),
            not_after: (span(not_after.value), time(not_after)?),
            subject: span(subject.raw),
            public_key: span(public_key.raw),
            signature_algorithm: span(signature_algorithm.raw),
            signature: span(signature),
        })
    }
}

impl Spans {
    /// The octets for the typed structure, whose times begin in 1970: earlier ones become that.
    fn with_later_times<'a>(&self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        let mut copy = Cow::Borrowed(octets);
        for (span, time) in [&self.not_before, &self.not_after] {
            let epoch: &[u8] = match span.len() {
                13 => b"700101000000Z",
                _ => b"19700101000000Z",
            };
            let is_earlier = time.unix() < 0 && span.len() == epoch.len();
            if is_earlier && let Some(contents) = copy.to_mut().get_mut(span.clone()) {
                contents.copy_from_slice(epoch);
            }
        }
        copy
    }
}

impl Usage {
    fn of(x509: &x509_cert::Certificate, key: &KeyAlgorithm, pss_only: bool) -> Self {
        let tbs = x509.tbs_certificate();
        // RFC 8550 §4.4.2: without the extension, any use; what does not parse allows nothing.
        let usage = tbs.get_extension::<KeyUsage>();
        let allows = |test: fn(&KeyUsage) -> bool| match &usage {
            Ok(None) => true,
            Ok(Some((_, usage))) => test(usage),
            Err(_) => false,
        };
        let signs = !matches!(key, KeyAlgorithm::X25519 | KeyAlgorithm::Other(_));
        let encrypts = match key {
            KeyAlgorithm::Rsa { .. } => !pss_only && allows(KeyUsage::key_encipherment),
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Dsa | KeyAlgorithm::Other(_) => false,
            _ => allows(KeyUsage::key_agreement),
        };
        let authority = tbs.get_extension::<BasicConstraints>();
        let authority = matches!(authority, Ok(Some((_, BasicConstraints { ca: true, .. }))));
        Self {
            sign: signs
                && (allows(KeyUsage::digital_signature) || allows(KeyUsage::non_repudiation)),
            encrypt: encrypts,
            sign_certificates: authority && allows(KeyUsage::key_cert_sign),
            email: allows_email(tbs),
        }
    }
}

/// RFC 8550 §4.4.4: emailProtection or anyExtendedKeyUsage, or no extension at all.
fn allows_email(tbs: &x509_cert::TbsCertificate) -> bool {
    match tbs.get_extension::<ExtendedKeyUsage>() {
        Ok(None) => true,
        Ok(Some((_, ExtendedKeyUsage(purposes)))) => purposes.iter().any(|purpose| {
            [
                rfc5280::ID_KP_EMAIL_PROTECTION,
                rfc5280::ANY_EXTENDED_KEY_USAGE,
            ]
            .contains(purpose)
        }),
        Err(_) => false,
    }
}

/// The algorithm of a SubjectPublicKeyInfo, and whether it is an RSA key for PSS alone.
pub(crate) fn key_algorithm(info: &[u8]) -> Result<(KeyAlgorithm, bool), Malformed> {
    let mut fields = Element::only(info)?.children();
    let mut algorithm = fields.sequence()?;
    let key = fields.expect(tag::BIT_STRING)?;
    let oid = algorithm.object_identifier()?;
    let other = || KeyAlgorithm::Other(oid.to_string());
    let kind = match oid {
        rfc5912::RSA_ENCRYPTION | rfc5912::ID_RSASSA_PSS => KeyAlgorithm::Rsa {
            bits: modulus_bits(key)?,
        },
        rfc5912::ID_EC_PUBLIC_KEY => match algorithm.object_identifier() {
            Ok(rfc5912::SECP_256_R_1) => KeyAlgorithm::EcP256,
            Ok(rfc5912::SECP_384_R_1) => KeyAlgorithm::EcP384,
            Ok(rfc5912::SECP_521_R_1) => KeyAlgorithm::EcP521,
            Ok(curve) => KeyAlgorithm::Other(curve.to_string()),
            Err(_) => other(),
        },
        const_oid::db::rfc8410::ID_ED_25519 => KeyAlgorithm::Ed25519,
        const_oid::db::rfc8410::ID_X_25519 => KeyAlgorithm::X25519,
        rfc5912::ID_DSA => KeyAlgorithm::Dsa,
        _ => other(),
    };
    Ok((kind, oid == rfc5912::ID_RSASSA_PSS))
}

/// RFC 8017 appendix A.1.1: the modulus comes first.
fn modulus_bits(key: Element<'_>) -> Result<usize, Malformed> {
    let octets = key.value.get(1..).ok_or(Malformed)?;
    let modulus = Reader::new(octets).sequence()?.expect(tag::INTEGER)?.value;
    let digits = modulus
        .iter()
        .position(|octet| *octet != 0)
        .map_or(0, |zeros| modulus.len() - zeros);
    let first = modulus
        .get(modulus.len() - digits)
        .map_or(8, |octet| octet.leading_zeros());
    Ok((digits * 8).saturating_sub(first as usize))
}

/// Addresses and domains, each once.
fn names(x509: &x509_cert::Certificate) -> (Vec<Address>, Vec<String>) {
    let tbs = x509.tbs_certificate();
    let alternatives = alternative_names(tbs);
    let all = || alternatives.iter().copied();
    let subject = tbs
        .subject()
        .iter()
        .filter(|attribute| attribute.oid == EMAIL_ADDRESS);
    let subject = subject.filter_map(|attribute| address_of(attribute.value.value()));
    let mut addresses = Vec::new();
    for address in all()
        .filter_map(rfc822_name)
        .chain(all().filter_map(smtp_utf8_mailbox))
        .chain(subject)
    {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let authorities = addresses.iter().filter(|address: &&Address| {
        let local = address.local().to_ascii_lowercase();
        [DOMAIN_CONFIDENTIALITY, DOMAIN_SIGNING].contains(&local.as_str())
    });
    let mut domains: Vec<String> = all().filter_map(dns_name).collect();
    domains.extend(authorities.map(|address| address.domain().to_owned()));
    domains.sort();
    domains.dedup();
    (addresses, domains)
}

/// Each GeneralName of the subjectAltName as it stands (RFC 5280 §4.2.1.6): a name of a kind
/// that nobody here reads must not hide the others.
fn alternative_names(tbs: &x509_cert::TbsCertificate) -> Vec<Element<'_>> {
    let mut extensions = tbs.extensions().into_iter().flatten();
    let extension = extensions.find(|each| each.extn_id == rfc5280::ID_CE_SUBJECT_ALT_NAME);
    let names = extension.and_then(|each| Element::only(each.extn_value.as_bytes()).ok());
    names
        .and_then(|names| names.children().elements().ok())
        .unwrap_or_default()
}

fn rfc822_name(name: Element<'_>) -> Option<Address> {
    address_of(name.value).filter(|_| name.tag == tag::context_primitive(1))
}

/// RFC 8398 §3: otherName with a UTF8String.
fn smtp_utf8_mailbox(name: Element<'_>) -> Option<Address> {
    let mut fields = name.children();
    if name.tag != tag::context(0) || fields.object_identifier().ok()? != SMTP_UTF8_MAILBOX {
        return None;
    }
    let value = fields.expect(tag::context(0)).ok()?;
    address_of(Element::only(value.value).ok()?.value)
}

/// A dNSName without a wildcard.
fn dns_name(name: Element<'_>) -> Option<String> {
    let text = std::str::from_utf8(name.value).ok()?;
    let is_plain = name.tag == tag::context_primitive(2) && !text.contains('*');
    is_plain.then(|| text.to_ascii_lowercase())
}

/// The address in any string type, if it is UTF-8 (of which ASCII is a part).
fn address_of(octets: &[u8]) -> Option<Address> {
    Address::parse(std::str::from_utf8(octets).ok()?).ok()
}
