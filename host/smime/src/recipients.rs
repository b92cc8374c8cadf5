//! Who can open an envelope, as far as it says.

use crate::certificate::Certificate;
use crate::cms_object::{Cms, read_cms};
use crate::error::Error;
use crate::recipient_info;
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

    /// Whether it names this certificate.
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == issuer && certificate.serial_der() == serial
            }
            Self::KeyIdentifier(identifier) => {
                certificate.key_identifier().as_ref() == Some(identifier)
            }
            Self::NoCertificate => false,
        }
    }
}

/// The recipients of an encrypted message, one for each RecipientInfo (RecipientEncryptedKey
/// for key agreement), in the order of the octets. A message whose root is no envelope is
/// [`Error::NotSmime`].
pub fn recipients_of(message: &Message) -> Result<Vec<RecipientId>, Error> {
    let not_encrypted = || Error::NotSmime("it is not encrypted");
    let root = message.root();
    let octets = root.decoded();
    let (Ok(Cms::Enveloped(envelope)) | Ok(Cms::AuthEnveloped(envelope))) = read_cms(&octets)
    else {
        return Err(not_encrypted());
    };
    let infos = envelope.recipients().map_err(|_| not_encrypted())?;
    let mut all = Vec::new();
    for info in infos {
        all.extend(recipient_info::names(info).map_err(|_| not_encrypted())?);
    }
    Ok(all)
}
