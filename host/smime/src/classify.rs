//! Tells whether a message is S/MIME already (rule 6), by parsing it.

use crate::algorithm::SignatureFormat;
use waxseal_message::Message;

/// What protects a message as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// Nothing.
    No,
    /// It is signed.
    Signed(SignatureFormat),
    /// It is encrypted.
    Encrypted {
        /// Rule 11: the content cipher is AES and every recipient's key is protected by an
        /// algorithm of ours.
        within_floor: bool,
    },
    /// SignedData without signer and content: certificates.
    CertificatesOnly,
    /// CompressedData (RFC 3274).
    Compressed,
    /// It says that it is S/MIME, but does not parse as that.
    Claimed,
}

/// What protects the root entity of a message. Never by Content-Type or file name alone.
pub fn classify(_message: &Message) -> Protected {
    // Until the parser is in: nothing is taken for protected that was not parsed.
    Protected::Claimed
}
