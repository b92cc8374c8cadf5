//! What can go wrong, sorted by whose fault it is. Each variant has a stable code for programs
//! and a sentence for people; none carries key material or content.

use crate::algorithm::KeyAlgorithm;
use crate::provider::ProviderError;
use crate::time::Time;

/// Why a message was not protected, or a certificate or identity not taken.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // The message.
    /// The message holds octets that a relay may change and that may not be re-encoded
    /// (RFC 8551 §3.1.3, RFC 2046 §5.2), so a detached signature would break.
    #[error(
        "the message has parts that may be changed on the way and cannot be re-encoded, so it cannot be signed detached"
    )]
    NotTransportSafe,
    /// A limit of the message parser.
    #[error("message over a limit: {0}")]
    Message(#[from] waxseal_message::Error),
    /// The message is no S/MIME of the kind that was asked about.
    #[error("not an S/MIME message of this kind: {0}")]
    NotSmime(&'static str),

    // The certificate or key.
    /// The octets are no certificate.
    #[error("malformed certificate: {0}")]
    MalformedCertificate(String),
    /// The certificate's time has not come.
    #[error("certificate not valid before {not_before}: {subject}")]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// When it becomes valid.
        not_before: Time,
    },
    /// The certificate's time is over (rule 14).
    #[error("certificate expired on {not_after}: {subject}")]
    Expired {
        /// Whose certificate.
        subject: String,
        /// When it ended.
        not_after: Time,
    },
    /// Key usage or extended key usage forbids it.
    #[error("certificate may not {purpose}: {subject}")]
    WrongKeyUsage {
        /// Whose certificate.
        subject: String,
        /// `sign` or `encrypt`.
        purpose: &'static str,
    },
    /// Rule 11: too small, too large, or no algorithm of ours.
    #[error("key algorithm not allowed ({algorithm}): {subject}")]
    AlgorithmFloor {
        /// Whose certificate.
        subject: String,
        /// Its public key.
        algorithm: KeyAlgorithm,
    },
    /// Private key and certificate are not a pair.
    #[error("private key and certificate do not belong together: {0}")]
    KeyMismatch(String),

    // The caller.
    /// There is nobody to encrypt for.
    #[error("no recipient certificate given")]
    NoRecipients,
    /// Wanted fields of a certificate or request cannot be encoded.
    #[error("not possible in a certificate: {0}")]
    CertificateContent(String),

    // The world.
    /// The provider failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),

    // Us.
    /// Rule 7: what was written does not read back as what was meant. Nothing leaves.
    #[error("read-back failed: {0}")]
    ReadBack(&'static str),
    /// A structure could not be encoded.
    #[error("encoding failed: {0}")]
    Encoding(der::Error),
}

impl Error {
    /// A stable token for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTransportSafe => "message.not-transport-safe",
            Self::Message(_) => "message.limit",
            Self::NotSmime(_) => "message.not-smime",
            Self::MalformedCertificate(_) => "certificate.malformed",
            Self::NotYetValid { .. } => "certificate.not-yet-valid",
            Self::Expired { .. } => "certificate.expired",
            Self::WrongKeyUsage { .. } => "certificate.key-usage",
            Self::AlgorithmFloor { .. } => "certificate.algorithm",
            Self::KeyMismatch(_) => "identity.key-mismatch",
            Self::NoRecipients => "recipient.none",
            Self::CertificateContent(_) => "certificate.content",
            Self::Provider(error) if error.is_passing() => "provider.unreachable",
            Self::Provider(_) => "provider.failed",
            Self::ReadBack(_) => "host.read-back",
            Self::Encoding(_) => "host.encoding",
        }
    }

    /// True when the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Provider(error) => error.is_passing(),
            Self::NotYetValid { .. } => true,
            _ => false,
        }
    }
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error)
    }
}
