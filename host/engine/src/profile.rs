//! Sending profiles: the operator's named ways to protect a message.

use waxseal_policy::plan::{MissingCertificate, ProtectionMode};
use waxseal_smime::{
    ContentCipher, DigestAlgorithm, HeaderProtection, KeyTransport, RsaScheme, SignatureFormat,
};

/// A named set of S/MIME parameters, and what happens where they cannot be met.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name that filters use.
    pub name: String,
    /// Sign, encrypt, both, or triple wrap.
    pub mode: ProtectionMode,
    /// Whose key signs.
    pub identity: IdentityChoice,
    /// multipart/signed or opaque.
    pub signature: SignatureFormat,
    /// Digest of content and attributes.
    pub digest: DigestAlgorithm,
    /// Padding of RSA signatures.
    pub rsa_scheme: RsaScheme,
    /// Content encryption.
    pub cipher: CipherChoice,
    /// How the content key is wrapped for RSA recipients.
    pub key_transport: KeyTransportChoice,
    /// What becomes of a recipient without a usable certificate.
    pub missing_certificate: MissingCertificate,
    /// What becomes of our own mail whose sender has no identity.
    pub missing_identity: MissingIdentity,
    /// RFC 9788.
    pub header_protection: HeaderProtection,
    /// Encrypt to the sender's own certificate too.
    pub include_sender: bool,
    /// A certificate for the whole domain serves where there is none for the address.
    pub domain_certificates: bool,
    /// What happens to mail that is S/MIME already (rule 6).
    pub already_protected: AlreadyProtected,
}

impl Profile {
    /// A profile with the defaults of DESIGN §10.
    pub fn new(name: impl Into<String>, mode: ProtectionMode) -> Self {
        Self {
            name: name.into(),
            mode,
            identity: IdentityChoice::BySender,
            signature: SignatureFormat::Detached,
            digest: DigestAlgorithm::Sha256,
            rsa_scheme: RsaScheme::Pkcs1v15,
            cipher: CipherChoice::Auto,
            key_transport: KeyTransportChoice::Auto,
            missing_certificate: MissingCertificate::Bounce,
            missing_identity: MissingIdentity::Bounce,
            header_protection: HeaderProtection::Off,
            include_sender: false,
            domain_certificates: false,
            already_protected: AlreadyProtected::Keep,
        }
    }
}

/// Whose key signs (rule 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityChoice {
    /// The identity of the From address, or of Sender when there are several Froms.
    BySender,
    /// One identity for all mail of ours: a gateway. Adds a matching Sender field.
    Named(String),
}

/// What encrypts the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherChoice {
    /// AES-256-GCM where every recipient is known to read it, else AES-256-CBC (rule 3).
    Auto,
    /// Always this one.
    Fixed(ContentCipher),
}

/// How the content key is wrapped for RSA recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTransportChoice {
    /// OAEP where every recipient is known to read it, else PKCS#1 v1.5 (rule 3).
    Auto,
    /// Always this one.
    Fixed(KeyTransport),
}

/// What becomes of mail of ours whose sender has no identity to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingIdentity {
    /// Refuse it, naming the sender.
    Bounce,
    /// It goes on without a signature.
    Unsigned,
    /// Try again later.
    Defer,
}

/// What a profile does to mail that is S/MIME already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlreadyProtected {
    /// No second signature over a signed message, no second envelope around an envelope.
    /// A signed message may still be put into an envelope.
    Keep,
    /// Protect it like any other content.
    ProtectAgain,
}
