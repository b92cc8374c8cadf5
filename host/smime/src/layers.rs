//! Names the S/MIME layers of a message from their structure alone: nothing is verified,
//! nothing decrypted.

use crate::certificate::Certificate;
use waxseal_message::Message;

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// multipart/signed.
    SignedDetached,
    /// SignedData with content.
    SignedOpaque,
    /// EnvelopedData.
    Enveloped,
    /// AuthEnvelopedData.
    AuthEnveloped,
    /// CompressedData.
    Compressed,
    /// SignedData without signer and content.
    CertificatesOnly,
    /// It claims to be S/MIME and does not parse.
    Malformed,
}

/// One SignerInfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSigner {
    /// The issuer as RFC 4514 writes it; `None` when the signer is named by key identifier.
    pub issuer: Option<String>,
    /// Serial number or key identifier in lower-case hexadecimal.
    pub serial: String,
    /// The signer's certificate, if the message brings it.
    pub certificate: Option<Certificate>,
    /// The digest algorithm: its name, or its object identifier.
    pub digest: String,
    /// The signature algorithm: its name, or its object identifier.
    pub signature: String,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// Who signed, as far as it is a signature.
    pub signers: Vec<LayerSigner>,
    /// All certificates that it brings.
    pub certificates: Vec<Certificate>,
    /// The content cipher: its name, or its object identifier.
    pub cipher: Option<String>,
    /// For whom it is encrypted: how many RecipientInfos.
    pub recipients: usize,
}

/// The layers that can be seen without a key, outermost first.
pub fn layers(_message: &Message) -> Vec<Layer> {
    Vec::new()
}
