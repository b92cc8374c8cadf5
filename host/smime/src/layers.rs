//! Names the S/MIME layers of a message from their structure alone: nothing is verified,
//! nothing decrypted.

use crate::algorithm::DigestAlgorithm;
use crate::asn1::joined;
use crate::certificate::Certificate;
use crate::classify::{Claim, claim};
use crate::cms_object::{Cms, read_cms};
use crate::enveloped_data::Envelope;
use crate::recipient_info;
use crate::scheme;
use crate::signed_data::{SignedData, SignerId, SignerInfo};
use der::Decode;
use waxseal_message::{Limits, Message, Part};

/// Layers within layers are read no further than this.
const MAX_LAYERS: usize = 16;

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
    /// SignedData without signer.
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
    /// All certificates that it brings and that parse.
    pub certificates: Vec<Certificate>,
    /// The content cipher: its name, or its object identifier.
    pub cipher: Option<String>,
    /// For how many it is encrypted.
    pub recipients: usize,
}

impl Layer {
    fn new(kind: LayerKind) -> Self {
        let (signers, certificates) = (Vec::new(), Vec::new());
        Self {
            kind,
            signers,
            certificates,
            cipher: None,
            recipients: 0,
        }
    }
}

/// The layers that can be seen without a key, outermost first. Only the root entity and what is
/// inside its layers counts (rule 9).
pub fn layers(message: &Message) -> Vec<Layer> {
    let mut found = Vec::new();
    let mut next = Some(message.clone());
    while let Some(message) = next.filter(|_| found.len() < MAX_LAYERS) {
        next = match layer(&message.root()) {
            Some((layer, inside)) => {
                found.push(layer);
                inside.and_then(|octets| Message::parse(octets, &Limits::default()).ok())
            }
            None => None,
        };
    }
    found
}

/// The layer that a part is, and the entity inside it if that is in clear.
fn layer(part: &Part<'_>) -> Option<(Layer, Option<Vec<u8>>)> {
    let malformed = || Some((Layer::new(LayerKind::Malformed), None));
    match claim(part) {
        Claim::None => None,
        Claim::Detached => detached(part).or_else(malformed),
        Claim::Opaque => opaque(part).or_else(malformed),
        Claim::PerhapsOpaque => opaque(part),
    }
}

fn detached(part: &Part<'_>) -> Option<(Layer, Option<Vec<u8>>)> {
    let (content, signature) = (part.child(0)?, part.child(1)?);
    let octets = signature.decoded();
    let Ok(Cms::Signed(signed)) = read_cms(&octets) else {
        return None;
    };
    Some((
        signed_layer(LayerKind::SignedDetached, &signed),
        Some(content.raw().to_vec()),
    ))
}

fn opaque(part: &Part<'_>) -> Option<(Layer, Option<Vec<u8>>)> {
    let octets = part.decoded();
    match read_cms(&octets).ok()? {
        Cms::Signed(signed) => {
            let is_empty = signed.signers.is_empty();
            let kind = if is_empty {
                LayerKind::CertificatesOnly
            } else {
                LayerKind::SignedOpaque
            };
            let content = signed
                .content
                .as_ref()
                .map(|content| joined(content).into_owned());
            Some((signed_layer(kind, &signed), content))
        }
        Cms::Enveloped(envelope) => Some((enveloped_layer(LayerKind::Enveloped, &envelope), None)),
        Cms::AuthEnveloped(envelope) => {
            Some((enveloped_layer(LayerKind::AuthEnveloped, &envelope), None))
        }
        Cms::Compressed => Some((Layer::new(LayerKind::Compressed), None)),
    }
}

fn signed_layer(kind: LayerKind, signed: &SignedData<'_>) -> Layer {
    let certificates = signed.certificates.iter();
    let certificates: Vec<_> = certificates
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let signers = signed
        .signers
        .iter()
        .map(|info| signer(info, &certificates))
        .collect();
    Layer {
        signers,
        certificates,
        ..Layer::new(kind)
    }
}

fn signer(info: &SignerInfo<'_>, certificates: &[Certificate]) -> LayerSigner {
    let (issuer, serial) = match info.id {
        SignerId::IssuerAndSerial { issuer, serial } => {
            let name = x509_cert::name::Name::from_der(issuer).ok();
            // After the identifier and the length, which is short.
            (
                name.map(|name| name.to_string()),
                serial.get(2..).unwrap_or_default(),
            )
        }
        SignerId::KeyIdentifier(identifier) => (None, identifier),
    };
    let digest = DigestAlgorithm::from_oid(info.digest);
    LayerSigner {
        issuer,
        serial: serial.iter().map(|octet| format!("{octet:02x}")).collect(),
        certificate: certificates.iter().find(|each| info.is_by(each)).cloned(),
        digest: digest.map_or_else(|| info.digest.to_string(), |digest| digest.to_string()),
        signature: scheme::name_of(info.algorithm),
    }
}

fn enveloped_layer(kind: LayerKind, envelope: &Envelope<'_>) -> Layer {
    let infos = envelope.recipients().unwrap_or_default();
    let names = infos
        .into_iter()
        .filter_map(|info| recipient_info::names(info).ok());
    let recipients = names.map(|names| names.len()).sum();
    Layer {
        cipher: Some(envelope.cipher_name()),
        recipients,
        ..Layer::new(kind)
    }
}
