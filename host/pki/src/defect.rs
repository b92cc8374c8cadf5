//! Why a certificate is not trusted. One variant for each distinct reason, with its class and a
//! stable code.

use const_oid::ObjectIdentifier;
use waxseal_smime::{Distrust, DistrustKind, KeyAlgorithm, Time};

/// What is wrong with a certificate or its place in a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Defect {
    #[error("no certificate known for issuer ({0})")]
    UnknownIssuer(String),
    #[error("not valid before {0}")]
    NotYetValid(Time),
    #[error("expired on {0}")]
    Expired(Time),
    #[error("wrong signature")]
    BadSignature,
    #[error("signature algorithm or issuer's key not allowed ({0})")]
    Weak(String),
    #[error("key not allowed ({0})")]
    WeakKey(KeyAlgorithm),
    #[error("not an authority")]
    NotAuthority,
    #[error("key usage does not allow signing certificates")]
    KeyUsage,
    #[error("more authorities below than it allows")]
    TooLong,
    #[error("critical extension not understood ({0})")]
    CriticalExtension(ObjectIdentifier),
    #[error("malformed extensions")]
    Malformed,
    #[error("name outside the name constraints of an authority ({0})")]
    NameConstraints(String),
    #[error("no acceptable certificate policy")]
    Policy,
    #[error("maps anyPolicy")]
    PolicyMapping,
    #[error("too many {0} on the path")]
    Limit(&'static str),
    #[error("key usage does not allow it")]
    Usage,
    #[error("extended key usage does not allow mail")]
    ExtendedKeyUsage,
    #[error("against the S/MIME baseline requirements ({0})")]
    Profile(&'static str),
    #[error("revoked on {at} ({reason})")]
    Revoked { at: Time, reason: &'static str },
    #[error("{0}")]
    RevocationUnknown(Unknown),
}

/// Why nothing is known of revocation; the later, the closer somebody came to an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("no revocation list or answer for it")]
    NoSource,
    #[error("no revocation list or answer for it could be fetched ({0})")]
    Unreachable(String),
    #[error("no revocation list covers it")]
    Scope,
    #[error("revocation list or answer is not signed by an authority for it")]
    Issuer,
    #[error("issuer of the revocation list may not sign lists")]
    KeyUsage,
    #[error("wrong signature on revocation list or answer")]
    Signature,
    #[error("revocation list or answer with a critical extension that is not understood")]
    CriticalExtension,
    #[error("revocation list or answer is not of this time")]
    Stale,
    #[error("revocation lists cover it for some reasons only")]
    Reasons,
    #[error("responder does not know it")]
    Answer,
}

impl Defect {
    fn kind(&self) -> DistrustKind {
        match self {
            Self::NotYetValid(_) => DistrustKind::NotYetValid,
            Self::Expired(_) => DistrustKind::Expired,
            Self::Weak(_) | Self::WeakKey(_) => DistrustKind::Weak,
            Self::Usage | Self::ExtendedKeyUsage | Self::Profile(_) => DistrustKind::Usage,
            Self::Revoked { .. } => DistrustKind::Revoked,
            Self::RevocationUnknown(_) => DistrustKind::RevocationUnknown,
            _ => DistrustKind::Untrusted,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownIssuer(_) => "path.unknown-issuer",
            Self::NotYetValid(_) => "certificate.not-yet-valid",
            Self::Expired(_) => "certificate.expired",
            Self::BadSignature => "path.signature",
            Self::Weak(_) => "path.algorithm",
            Self::WeakKey(_) => "certificate.algorithm",
            Self::NotAuthority => "path.not-authority",
            Self::KeyUsage => "path.key-usage",
            Self::TooLong => "path.length",
            Self::CriticalExtension(_) => "path.critical-extension",
            Self::Malformed => "path.malformed",
            Self::NameConstraints(_) => "path.name-constraints",
            Self::Policy => "path.policy",
            Self::PolicyMapping => "path.policy-mapping",
            Self::Limit(_) => "path.limit",
            Self::Usage => "certificate.key-usage",
            Self::ExtendedKeyUsage => "certificate.extended-key-usage",
            Self::Profile(_) => "certificate.profile",
            Self::Revoked { .. } => "certificate.revoked",
            Self::RevocationUnknown(unknown) => unknown.code(),
        }
    }
}

impl Unknown {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSource => "revocation.unknown",
            Self::Unreachable(_) => "revocation.unreachable",
            Self::Scope => "revocation.scope",
            Self::Issuer => "revocation.issuer",
            Self::KeyUsage => "revocation.key-usage",
            Self::Signature => "revocation.signature",
            Self::CriticalExtension => "revocation.critical-extension",
            Self::Stale => "revocation.stale",
            Self::Reasons => "revocation.reasons",
            Self::Answer => "revocation.unanswered",
        }
    }
}

/// A defect, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) defect: Defect,
    pub(crate) subject: String,
}

impl From<Fault> for Distrust {
    fn from(fault: Fault) -> Self {
        Self {
            kind: fault.defect.kind(),
            code: fault.defect.code(),
            message: format!("{}: {}", fault.defect, fault.subject),
            subject: Some(fault.subject),
        }
    }
}
