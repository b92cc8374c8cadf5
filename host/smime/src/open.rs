//! Opens what arrived: takes the S/MIME layers off a message, verifies and decrypts, and says
//! for each layer what it found.
//!
//! A result is data, never a boolean: a [`Layer`] has a [`State`] and a reason, and a signature
//! keeps the verdict of the cryptography apart from that of the certificate's path. Only the
//! root entity and what is inside its layers is opened (rule 9, EFAIL); S/MIME found below
//! other parts is reported and left alone.
//!
//! Nothing fails: what cannot be opened is a layer with a state that says so, and the message
//! stays as it came. No plain text is given out before the end of the data is authenticated or
//! unpadded (rule 8), and what was wrong with a key or a ciphertext is never said.

mod author;
mod below;
mod compressed;
mod digested;
mod envelope;
mod fit;
mod object;
mod report;
mod restore;
mod signature;
mod state;
mod suspicious;
mod walk;

use crate::Provider;
use crate::certificate::Certificate;
use crate::identity::Identity;
use crate::recipients::RecipientId;
use crate::source::Capabilities;
use crate::time::Time;
use crate::trust::{Distrust, Path, Trust};
use bytes::Bytes;
use waxseal_message::{Limits, Message};
use zeroize::Zeroizing;

pub use report::{SignerRule, Verdict};
pub use state::{Problem, State};
pub use walk::{NotCms, Unwrapped, decrypt, open, open_cms, unwrap_signature};

/// What opening needs from outside.
pub struct Opening<'a> {
    /// Algorithms.
    pub provider: &'a dyn Provider,
    /// The time now: at which certificates must be valid.
    pub now: Time,
    /// Limits for what is inside; also bounds what a compressed layer may grow to.
    pub limits: &'a Limits,
    /// Identities that may decrypt. Expired ones too (rule 14).
    pub keys: Vec<&'a Identity>,
    /// Passwords and pre-shared keys (RFC 5652 §6.2.3, §6.2.4).
    pub secrets: &'a [Secret],
    /// Judges signers' certificates. `None`: paths are not looked at, and a signature can be
    /// valid without one.
    pub trust: Option<&'a dyn Trust>,
    /// Certificates of signers and authorities, beside those that the message brings.
    pub certificates: &'a [Certificate],
    /// Algorithms and key sizes that rule 11 has for reading only are read, and reported.
    /// Otherwise they are [`State::Weak`], and nothing is decrypted with them.
    pub allow_weak: bool,
    /// Seconds by which clocks may differ: a signing time that is later than now by more is
    /// [`State::SignedInTheFuture`].
    pub clock_skew: i64,
}

/// A secret that opens an envelope without a certificate.
pub enum Secret {
    /// A password (PasswordRecipientInfo).
    Password(Zeroizing<Vec<u8>>),
    /// A key-encryption key (KEKRecipientInfo), or the content key of EncryptedData.
    Key {
        /// KEKIdentifier.keyIdentifier; `None` for EncryptedData.
        identifier: Option<Vec<u8>>,
        /// The key.
        key: Zeroizing<Vec<u8>>,
    },
}

/// A message with its layers off, as far as they came off.
pub struct Opened {
    /// Outermost first. Empty: it is no S/MIME.
    pub layers: Vec<Layer>,
    /// The innermost content that was reached, octet for octet: a MIME entity, or what a bare
    /// CMS object held. `None` when nothing came off.
    pub content: Option<Bytes>,
    /// The message to hand on: outer fields, protected fields restored (RFC 9788 §4), content
    /// made fit for the next hop (rule 8). The message as it came when nothing came off, `None`
    /// for a bare CMS object whose content is no MIME entity.
    pub message: Option<Message>,
    /// It was a bare CMS object: no message whose author the signers could be.
    pub is_bare: bool,
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// multipart/signed, or a SignedData whose content came apart.
    SignedDetached,
    /// SignedData with content.
    SignedOpaque,
    /// EnvelopedData.
    Enveloped,
    /// AuthEnvelopedData.
    AuthEnveloped,
    /// CompressedData (RFC 3274).
    Compressed,
    /// SignedData without signer.
    CertificatesOnly,
    /// DigestedData (RFC 5652 §7).
    Digested,
    /// EncryptedData (RFC 5652 §8).
    EncryptedData,
    /// It claims to be S/MIME and does not parse.
    Malformed,
}

impl LayerKind {
    /// The name in the guest contract: `signed`, `encrypted`, `compressed`, `certificates`,
    /// `digested`, `malformed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedDetached | Self::SignedOpaque => "signed",
            Self::Enveloped | Self::AuthEnveloped | Self::EncryptedData => "encrypted",
            Self::Compressed => "compressed",
            Self::CertificatesOnly => "certificates",
            Self::Digested => "digested",
            Self::Malformed => "malformed",
        }
    }

    /// The exact form: `multipart-signed`, `signed-data`, `enveloped-data`, …
    pub const fn form(self) -> &'static str {
        match self {
            Self::SignedDetached => "multipart-signed",
            Self::SignedOpaque => "signed-data",
            Self::Enveloped => "enveloped-data",
            Self::AuthEnveloped => "auth-enveloped-data",
            Self::Compressed => "compressed-data",
            Self::CertificatesOnly => "certs-only",
            Self::Digested => "digested-data",
            Self::EncryptedData => "encrypted-data",
            Self::Malformed => "malformed",
        }
    }
}

/// One layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// What became of it. Signed: the worst of its signatures' states, or one of its own.
    pub state: State,
    /// Why, where there is something to say.
    pub problem: Option<Problem>,
    /// One for each SignerInfo.
    pub signatures: Vec<Signature>,
    /// All certificates that it brings and that parse.
    pub certificates: Vec<Certificate>,
    /// DER of the CertificateLists that it brings.
    pub crls: Vec<Vec<u8>>,
    /// DER of the OCSPResponses that it brings (RFC 5940 §2.1).
    pub ocsp_responses: Vec<Vec<u8>>,
    /// The content cipher: its name, or its object identifier.
    pub cipher: Option<String>,
    /// For whom it is encrypted.
    pub recipients: Vec<RecipientId>,
    /// Name of the identity that opened it; `password` or `key` for a secret.
    pub opened_by: Option<String>,
    /// What of it rule 11 has for reading only, in words: `sha-1`, `rsa-1024`.
    pub weak: Vec<String>,
}

impl Layer {
    /// A layer of which nothing is known but what it is.
    pub(crate) fn new(kind: LayerKind, state: State) -> Self {
        Self {
            kind,
            state,
            problem: None,
            signatures: Vec::new(),
            certificates: Vec::new(),
            crls: Vec::new(),
            ocsp_responses: Vec::new(),
            cipher: None,
            recipients: Vec::new(),
            opened_by: None,
            weak: Vec::new(),
        }
    }
}

/// One SignerInfo, judged.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Everything taken together but the comparison with From.
    pub state: State,
    /// Why, where there is something to say.
    pub problem: Option<Problem>,
    /// What the cryptography alone says: [`State::Valid`], [`State::Invalid`],
    /// [`State::UnknownSigner`], [`State::Unsupported`], [`State::MissingAttribute`], …
    pub cryptographic: State,
    /// What the certificate's path alone says.
    pub chain: Chain,
    /// The signer's certificate, if it is known.
    pub signer: Option<Certificate>,
    /// The issuer as RFC 4514 writes it; `None` when the signer is named by key identifier.
    pub issuer: Option<String>,
    /// Serial number or key identifier in lower-case hexadecimal.
    pub serial: String,
    /// The digest algorithm: its name, or its object identifier.
    pub digest: String,
    /// The signature algorithm: its name, or its object identifier.
    pub algorithm: String,
    /// The signing time that the signer states.
    pub signing_time: Option<Time>,
    /// Whether the signer is whom the message comes from.
    pub from: FromMatch,
    /// What the signer's program reads (RFC 8551 §2.5.2).
    pub capabilities: Option<Capabilities>,
    /// The certificate that the signer wants mail encrypted to (RFC 8551 §2.5.3), if the message
    /// brings it.
    pub preferred: Option<Certificate>,
    /// What of it rule 11 has for reading only, in words.
    pub weak: Vec<String>,
}

/// What the path of a signer's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Nobody asked, or there is no certificate.
    NotChecked,
    /// It leads to an anchor.
    Trusted(Path),
    /// It does not.
    Distrusted(Distrust),
}

/// Signer and author compared (RFC 8550 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FromMatch {
    /// The certificate names the From address, or that of a Sender in the same domain.
    Matches,
    /// It names others.
    Differs,
    /// The message has several From fields, or several authors and no Sender that matches.
    Several,
    /// The message has no From.
    Absent,
    /// The signer's certificate is not known, or names no address.
    Unknown,
}

impl FromMatch {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Differs => "differs",
            Self::Several => "several",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}
