//! Who says whether a certificate is to be trusted. `waxseal-pki` implements [`Trust`] by RFC
//! 5280; this crate only asks.

use crate::certificate::Certificate;
use crate::choice::Purpose;
use crate::time::Time;

/// What a certificate is to be trusted for, and what may help to decide.
pub struct TrustRequest<'a> {
    /// When.
    pub at: Time,
    /// For what.
    pub purpose: Purpose,
    /// Certificates that came along: authorities between this one and an anchor may be among
    /// them. None of them is trusted by that.
    pub certificates: &'a [Certificate],
    /// CertificateLists that came along, DER of each (RFC 5652 §10.2.1).
    pub crls: &'a [Vec<u8>],
    /// OCSPResponses that came along, DER of each (RFC 5940 §2.1).
    pub ocsp_responses: &'a [Vec<u8>],
}

/// A certificate that is trusted, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// From the certificate itself to the anchor.
    pub certificates: Vec<Certificate>,
    /// What is known of revocation.
    pub revocation: Revocation,
    /// Valid policies of the path (RFC 5280 §6.1.6), as dotted object identifiers.
    pub policies: Vec<String>,
    /// What of it rule 11 has for reading only, in words; empty in all good paths.
    pub weak: Vec<String>,
}

/// What is known of revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Every certificate below the anchor was looked up and is not revoked.
    Good,
    /// The operator asks for no revocation.
    NotChecked,
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Distrust {
    /// The class, which decides on the state of a signature.
    pub kind: DistrustKind,
    /// A stable dotted token for programs: `certificate.untrusted`, `path.name-constraints`.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// The subject of the certificate that is at fault, where it is known.
    pub subject: Option<String>,
}

/// The classes of distrust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DistrustKind {
    /// No path that holds.
    Untrusted,
    /// A certificate's time is over.
    Expired,
    /// A certificate's time has not come.
    NotYetValid,
    /// Revoked.
    Revoked,
    /// Whether it is revoked cannot be said: no list, an old one, or nobody answered.
    RevocationUnknown,
    /// An algorithm or key that rule 11 forbids.
    Weak,
    /// Key usage, extended key usage or the profile of RFC 8550 forbids the purpose.
    Usage,
}

impl DistrustKind {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation-unknown",
            Self::Weak => "weak",
            Self::Usage => "wrong-usage",
        }
    }
}

impl Distrust {
    /// True when the same question may be answered differently later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            DistrustKind::RevocationUnknown | DistrustKind::NotYetValid
        )
    }
}

/// Without anchors nobody is trusted: a signature proves that its signer has a key, and not who
/// that is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnchors;

impl Trust for NoAnchors {
    fn judge(&self, certificate: &Certificate, _: &TrustRequest<'_>) -> Result<Path, Distrust> {
        Err(Distrust {
            kind: DistrustKind::Untrusted,
            code: "path.no-anchors",
            message: "no anchors are configured, so nobody is trusted".to_owned(),
            subject: Some(certificate.subject()),
        })
    }
}

/// Judges certificates by the operator's trust policy: anchors, paths, policies, revocation.
pub trait Trust: Send + Sync {
    /// The path to an anchor, or why there is none.
    fn judge(
        &self,
        certificate: &Certificate,
        request: &TrustRequest<'_>,
    ) -> Result<Path, Distrust>;
}
