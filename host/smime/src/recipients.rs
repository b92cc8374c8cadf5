//! Who can open an envelope.

use crate::certificate::Certificate;
use crate::error::Error;
use waxseal_message::Message;

/// How a RecipientInfo names its recipient.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecipientId {
    /// IssuerAndSerialNumber, as DER of its two fields.
    IssuerAndSerial {
        /// DER of the Name.
        issuer: Vec<u8>,
        /// DER of the INTEGER.
        serial: Vec<u8>,
    },
    /// SubjectKeyIdentifier.
    KeyIdentifier(Vec<u8>),
    /// A key-encryption key, a password or another kind that names no certificate.
    NoCertificate,
}

impl RecipientId {
    /// What names this certificate in an envelope of ours.
    pub fn of(certificate: &Certificate) -> Self {
        Self::IssuerAndSerial {
            issuer: certificate.issuer_der().to_vec(),
            serial: certificate.serial_der().to_vec(),
        }
    }
}

/// The recipients of an encrypted message, one for each RecipientInfo (RecipientEncryptedKey
/// for key agreement).
pub fn recipients_of(_message: &Message) -> Result<Vec<RecipientId>, Error> {
    Err(Error::NotBuilt("recipients"))
}
