//! States of layers and signatures, with the names that filters, reports and schema use.

use std::fmt;

/// What became of a layer or a signature, best first: of two, the later is the worse.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Certificates without a signature.
    Present,
    /// A compressed layer that was expanded, or a digest that is right.
    Expanded,
    /// The signature verifies, and the signer is trusted where that was asked.
    Valid,
    /// Decrypted, and authenticated by the cipher or by a valid signature inside.
    Decrypted,
    /// Decrypted, but anybody may have changed it on the way (CBC without a signature inside).
    DecryptedUnauthenticated,
    /// Not opened: no key was offered.
    Closed,
    /// An algorithm or key that rule 11 forbids.
    Weak,
    /// The signing time is later than now.
    SignedInTheFuture,
    /// A certificate of the signer's path is not valid yet.
    NotYetValid,
    /// A certificate of the signer's path is expired.
    Expired,
    /// Whether the signer is revoked cannot be said.
    RevocationUnknown,
    /// The signer's certificate is not for signing mail.
    WrongUsage,
    /// No path from the signer's certificate to an anchor.
    Untrusted,
    /// The signer's certificate is not known.
    UnknownSigner,
    /// An algorithm or structure that nobody here knows.
    Unsupported,
    /// Revoked.
    Revoked,
    /// None of the keys is a recipient's.
    NoKey,
    /// A signed part below parts that are not signed (rule 9).
    NotRoot,
    /// Several signers, of whom not all are in order, or not for one address.
    ConflictingSigners,
    /// Content inside a SignedData beside the content that it is detached from.
    AmbiguousContent,
    /// A signed attribute that must be there is not (RFC 5652 §5.3, §11).
    MissingAttribute,
    /// A signed attribute is there twice, or with several values.
    DuplicateAttribute,
    /// It does not parse.
    Malformed,
    /// The signature is not by this key over this content.
    Invalid,
    /// Key or content cannot be decrypted; which of them, nobody says (rule 8).
    Damaged,
    /// What came out looks like an attack (EFAIL), or an encrypted part stands in a clear tree.
    Suspicious,
}

impl State {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Expanded => "expanded",
            Self::Valid => "valid",
            Self::Decrypted => "decrypted",
            Self::DecryptedUnauthenticated => "decrypted-unauthenticated",
            Self::Closed => "closed",
            Self::Weak => "weak",
            Self::SignedInTheFuture => "signed-in-the-future",
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::RevocationUnknown => "revocation-unknown",
            Self::WrongUsage => "wrong-usage",
            Self::Untrusted => "untrusted",
            Self::UnknownSigner => "unknown-signer",
            Self::Unsupported => "unsupported",
            Self::Revoked => "revoked",
            Self::NoKey => "no-key",
            Self::NotRoot => "not-root",
            Self::ConflictingSigners => "conflicting-signers",
            Self::AmbiguousContent => "ambiguous-content",
            Self::MissingAttribute => "missing-attribute",
            Self::DuplicateAttribute => "duplicate-attribute",
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Damaged => "damaged",
            Self::Suspicious => "suspicious",
        }
    }

    /// True for the states in which a layer is as it should be.
    pub const fn is_good(self) -> bool {
        matches!(
            self,
            Self::Present
                | Self::Expanded
                | Self::Valid
                | Self::Decrypted
                | Self::DecryptedUnauthenticated
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a layer or a signature is in its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable dotted token for programs: `signature.digest`, `decrypt.damaged`.
    pub code: &'static str,
    /// A sentence for people; never content, never what was wrong with a key or ciphertext.
    pub message: String,
}
