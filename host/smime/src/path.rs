//! A small, strict path validation (RFC 5280 §6.1) from a certificate to a set of anchors.
//!
//! Checked for every certificate on the path, the anchor included: the issuer's signature with
//! an algorithm and key of rule 11, validity, that names chain (octet for octet, without the
//! string preparation of §7.1), basicConstraints and path length, keyCertSign, and that no
//! critical extension goes unheard. What cannot be evaluated here is refused, not ignored: name
//! constraints, and policy constraints that require an explicit policy. Revocation is not
//! checked yet.
//!
//! Several intermediates may have the same name (renewed keys, cross certificates): all are
//! tried, within a budget of signature checks. The error is that of the path that came furthest.

use crate::certificate::Certificate;
use crate::provider::{Provider, ProviderError};
use crate::scheme::signature_scheme;
use crate::time::Time;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use x509_cert::ext::pkix::{BasicConstraints, PolicyConstraints};

/// More certificates than this between leaf and anchor are no honest path.
const MAX_INTERMEDIATES: usize = 8;
/// Signature checks for one validation.
const MAX_SIGNATURES: usize = 64;

/// Why there is no path.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No certificate of the issuer is known.
    #[error("no certificate known for issuer: {0}")]
    UnknownIssuer(String),
    /// A certificate's time has not come.
    #[error("not valid yet: {0}")]
    NotYetValid(String),
    /// A certificate's time is over.
    #[error("expired: {0}")]
    Expired(String),
    /// The issuer's key did not make the signature.
    #[error("wrong signature on: {0}")]
    BadSignature(String),
    /// Rule 11: the signature algorithm or the issuer's key is too weak or unknown.
    #[error("signature algorithm or issuer's key not allowed: {0}")]
    Algorithm(String),
    /// The issuer may not issue certificates.
    #[error("issuer is no authority: {0}")]
    NotAuthority(String),
    /// More authorities below than one of them allows.
    #[error("path too long below: {0}")]
    TooLong(String),
    /// A critical extension that nobody here understands.
    #[error("critical extension not understood ({oid}): {subject}")]
    CriticalExtension {
        /// The extension.
        oid: ObjectIdentifier,
        /// Whose certificate.
        subject: String,
    },
    /// Name constraints or required policies, which are not evaluated.
    #[error("constraints that are not evaluated here ({constraint}): {subject}")]
    Constraint {
        /// Which kind.
        constraint: &'static str,
        /// Whose certificate.
        subject: String,
    },
    /// The budget of signature checks is spent.
    #[error("too many possible paths")]
    TooManyPaths,
    /// The provider failed for a reason that may pass.
    #[error("{0}")]
    Provider(ProviderError),
}

/// Certificates that are trusted as they are, and authorities that may stand between them and
/// others without being trusted themselves.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    certificates: Vec<Certificate>,
    intermediates: Vec<Certificate>,
}

impl Anchors {
    /// These certificates.
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self {
            certificates,
            intermediates: Vec::new(),
        }
    }

    /// Authorities that every path may lead through.
    #[must_use]
    pub fn with_intermediates(mut self, certificates: Vec<Certificate>) -> Self {
        self.intermediates = certificates;
        self
    }

    /// The certificates that are trusted.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }
}

/// Says whether a path leads from the certificate to an anchor at this time. A certificate that
/// is an anchor itself needs no other.
pub fn validate(
    certificate: &Certificate,
    intermediates: &[Certificate],
    anchors: &Anchors,
    at: Time,
    provider: &dyn Provider,
) -> Result<(), PathError> {
    check_one(certificate, at)?;
    if anchors.certificates.contains(certificate) {
        return Ok(());
    }
    let mut search = Search {
        intermediates,
        anchors,
        at,
        provider,
        signatures: 0,
    };
    search
        .extend(&[certificate])
        .map_err(|failure| failure.error)
}

struct Search<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a Anchors,
    at: Time,
    provider: &'a dyn Provider,
    signatures: usize,
}

/// An error, and how many certificates were in order before it.
struct Failure {
    length: usize,
    error: PathError,
}

impl<'a> Search<'a> {
    /// Leads a path, whose last certificate is sound so far, on to an anchor.
    fn extend(&mut self, path: &[&'a Certificate]) -> Result<(), Failure> {
        let Some(last) = path.last() else {
            return Ok(());
        };
        let unknown = PathError::UnknownIssuer(last.issuer());
        let mut worst = Failure {
            length: 0,
            error: unknown,
        };
        let (anchors, given) = (self.anchors, self.intermediates);
        for anchor in issuers_of(last, &anchors.certificates) {
            match self.accept(path, anchor) {
                Ok(()) => return Ok(()),
                Err(error) => worst = worst.or(path.len(), error),
            }
        }
        let known = issuers_of(last, &anchors.intermediates);
        for issuer in issuers_of(last, given).chain(known) {
            if path.contains(&issuer) || path.len() > MAX_INTERMEDIATES {
                continue;
            }
            let longer: Vec<&Certificate> = path.iter().copied().chain([issuer]).collect();
            match self.accept(path, issuer) {
                Err(error) => worst = worst.or(path.len(), error),
                Ok(()) => match self.extend(&longer) {
                    Ok(()) => return Ok(()),
                    Err(failure) => worst = worst.or(failure.length, failure.error),
                },
            }
        }
        Err(worst)
    }

    /// RFC 5280 §6.1.3 and §6.1.4 for one more issuer.
    fn accept(&mut self, path: &[&Certificate], issuer: &Certificate) -> Result<(), PathError> {
        check_one(issuer, self.at)?;
        check_authority(issuer, path)?;
        let Some(subject) = path.last() else {
            return Ok(());
        };
        if self.signatures == MAX_SIGNATURES {
            return Err(PathError::TooManyPaths);
        }
        self.signatures += 1;
        check_signature(subject, issuer, self.provider)
    }
}

impl Failure {
    /// The failure of the longer path; of two alike, the later.
    fn or(self, length: usize, error: PathError) -> Self {
        if length >= self.length {
            Self { length, error }
        } else {
            self
        }
    }
}

fn issuers_of<'a>(
    certificate: &Certificate,
    among: &'a [Certificate],
) -> impl Iterator<Item = &'a Certificate> {
    let issuer = certificate.issuer_der().to_vec();
    among
        .iter()
        .filter(move |each| each.subject_der() == issuer)
}

/// What concerns a certificate alone: validity and critical extensions.
fn check_one(certificate: &Certificate, at: Time) -> Result<(), PathError> {
    let subject = || certificate.subject();
    if at < certificate.not_before() {
        return Err(PathError::NotYetValid(subject()));
    }
    if at > certificate.not_after() {
        return Err(PathError::Expired(subject()));
    }
    let tbs = certificate.x509().tbs_certificate();
    for extension in tbs.extensions().map_or(&[][..], Vec::as_slice) {
        if extension.extn_id == rfc5280::ID_CE_NAME_CONSTRAINTS {
            return Err(PathError::Constraint {
                constraint: "names",
                subject: subject(),
            });
        }
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
            let oid = extension.extn_id;
            return Err(PathError::CriticalExtension {
                oid,
                subject: subject(),
            });
        }
    }
    let requires_policy = match tbs.get_extension::<PolicyConstraints>() {
        Ok(None) => false,
        Ok(Some((_, constraints))) => constraints.require_explicit_policy.is_some(),
        Err(_) => true,
    };
    if requires_policy {
        return Err(PathError::Constraint {
            constraint: "policies",
            subject: subject(),
        });
    }
    Ok(())
}

/// Extensions that are evaluated here or by [`Certificate`], or that only say more about
/// policies, which nobody here requires.
const UNDERSTOOD: [ObjectIdentifier; 8] = [
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_EXT_KEY_USAGE,
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
    rfc5280::ID_CE_CERTIFICATE_POLICIES,
    rfc5280::ID_CE_POLICY_MAPPINGS,
    rfc5280::ID_CE_POLICY_CONSTRAINTS,
    rfc5280::ID_CE_INHIBIT_ANY_POLICY,
];

/// RFC 5280 §6.1.4 (k) to (n).
fn check_authority(issuer: &Certificate, path: &[&Certificate]) -> Result<(), PathError> {
    if !issuer.can_issue() {
        return Err(PathError::NotAuthority(issuer.subject()));
    }
    let constraints = issuer
        .x509()
        .tbs_certificate()
        .get_extension::<BasicConstraints>();
    let limit = match constraints {
        Ok(Some((_, constraints))) => constraints.path_len_constraint,
        _ => None,
    };
    // The leaf does not count, nor do certificates that an authority issued to itself.
    let below = path
        .iter()
        .skip(1)
        .filter(|each| !each.is_self_issued())
        .count();
    match limit {
        Some(limit) if below > usize::from(limit) => Err(PathError::TooLong(issuer.subject())),
        _ => Ok(()),
    }
}

fn check_signature(
    certificate: &Certificate,
    issuer: &Certificate,
    provider: &dyn Provider,
) -> Result<(), PathError> {
    let weak = || PathError::Algorithm(certificate.subject());
    let wrong = || PathError::BadSignature(certificate.subject());
    let key = issuer.key_algorithm();
    let scheme = signature_scheme(certificate.signature_algorithm_der(), &key, None);
    let scheme = scheme
        .filter(|scheme| key.is_within_floor() && !scheme.is_weak())
        .ok_or_else(weak)?;
    // RFC 5280 §4.1.1.2: the algorithm within what is signed is the same.
    let x509 = certificate.x509();
    if x509.tbs_certificate().signature() != x509.signature_algorithm() {
        return Err(wrong());
    }
    let signature = x509.signature().as_bytes().ok_or_else(wrong)?;
    let (info, signed) = (issuer.public_key_info(), certificate.tbs_der());
    match provider.verify(info, scheme, signed, signature) {
        Ok(()) => Ok(()),
        Err(error) if error.is_passing() => Err(PathError::Provider(error)),
        Err(ProviderError::Unsupported(_)) => Err(weak()),
        Err(_) => Err(wrong()),
    }
}
