//! What the host can do for a filter, as the policy host sees it.
//!
//! The policy host knows no S/MIME. It checks grants and limits, keeps the plan, and asks
//! an implementation of [`Capabilities`] (the engine's) for everything else. One value
//! serves one transaction.

use std::sync::Arc;

use bytes::Bytes;
use waxseal_message::{Address, Message};

use crate::plan::{Choice, Protection, Recipe};

/// Why a call failed. Mirrors `types.error` of the guest contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// Class of the failure.
    pub kind: ErrorKind,
    /// Stable dotted token: `recipient.no-certificate`.
    pub code: String,
    /// For people.
    pub message: String,
    /// What it is about, if anything.
    pub subject: Option<String>,
}

impl CallError {
    /// An error of `kind` with its stable `code`.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            subject: None,
        }
    }

    /// The same, about `subject`.
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.subject {
            Some(subject) => write!(f, ": {subject}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallError {}

/// Mirrors `types.error-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Not granted.
    Denied,
    /// No such thing.
    NotFound,
    /// The argument is wrong.
    InvalidArgument,
    /// A budget ran out.
    LimitExceeded,
    /// Passing: a retry makes sense.
    Unavailable,
    /// Lasting.
    Failed,
}

/// A certificate as filters see it. Compared by its octets.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// RFC 4514 string.
    pub subject: String,
    /// RFC 4514 string.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
    /// SHA-256 of the DER octets.
    pub fingerprint_sha256: [u8; 32],
    /// Addresses it names.
    pub emails: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// `rsa-3072`, `ec-p256`, `x25519`, …
    pub key_algorithm: String,
    /// Key usage and key type allow encryption to it.
    pub can_encrypt: bool,
    /// Key usage and key type allow it to sign.
    pub can_sign: bool,
    /// `pinned`, `imported`, `directory`, `harvested`.
    pub source: String,
    /// The octets.
    pub der: Bytes,
}

impl PartialEq for CertificateView {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint_sha256 == other.fingerprint_sha256
    }
}
impl Eq for CertificateView {}

/// What was found for one recipient.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Best first; empty when nothing is usable.
    pub usable: Vec<Arc<CertificateView>>,
    /// What could not be used, and why.
    pub rejected: Vec<(Arc<CertificateView>, CallError)>,
}

/// Parameters of a protection made to order (`protect.options`). Unset means the
/// profile's, else the operator's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Whether a profile was applied as a whole, or a filter asked for a protection to
    /// order. A missing certificate is the profile's to answer in the first case, and an
    /// error of the call in the second.
    pub basis: Basis,
    /// The profile that it starts from.
    pub profile: Option<String>,
    /// Name of the signing identity.
    pub signer: Option<String>,
    /// `detached` or `opaque`.
    pub signature_format: Option<String>,
    /// `sha-256`, …
    pub digest: Option<String>,
    /// `aes-256-cbc`, …
    pub content_cipher: Option<String>,
    /// Further certificates to encrypt to.
    pub also_to: Vec<Arc<CertificateView>>,
    /// Encrypt to the sender's own certificate too.
    pub include_sender: Option<bool>,
    /// RFC 9788.
    pub protect_headers: Option<bool>,
}

/// Where a protection comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// `profiles.apply`.
    #[default]
    Profile,
    /// `protect.*`.
    Order,
}

/// A layer of S/MIME, for `inspect.layers`.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// `signed`, `encrypted`, `compressed`, `certificates`, …
    pub kind: String,
    /// `multipart-signed`, `signed-data`, `enveloped-data`, …
    pub form: String,
    /// State by name; see the guest contract.
    pub state: String,
    /// What of it is for reading only, its signatures included: `sha-1`, `rsa-1024`.
    pub weak: Vec<String>,
    /// Why, where there is something to say.
    pub problem: Option<CallError>,
    /// One for each SignerInfo.
    pub signatures: Vec<Signature>,
}

/// What came out of a protected message.
#[derive(Clone, Debug)]
pub struct Unwrapped {
    /// The message without the layers that were taken off.
    pub message: Message,
    /// SHA-256 of its octets.
    pub digest: [u8; 32],
    /// Rule 13: for whom it was decrypted. `None`: nothing was.
    pub readers: Option<Vec<Address>>,
}

/// A signature, for `inspect.layers`.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The signer's certificate, when it is known.
    pub signer: Option<Arc<CertificateView>>,
    /// State by name.
    pub state: String,
    /// Why.
    pub problem: Option<CallError>,
    /// `sha-256`, …
    pub digest_algorithm: String,
    /// `rsa-pkcs1v15`, …
    pub signature_algorithm: String,
    /// Unix seconds.
    pub signing_time: Option<i64>,
    /// Is the From (or Sender) address one of the certificate's? RFC 8550 §3.
    pub matches_from: bool,
}

/// The host's side of a filter's calls, for one transaction.
///
/// An implementation does no cryptography in the calls that choose and check; the plan
/// carries what was chosen to the end of the chain. Grants were checked before the call.
pub trait Capabilities: Send + Sync {
    /// Names of all sending profiles.
    fn profile_names(&self) -> Vec<String>;
    /// Mode of a profile, by name.
    fn profile_mode(&self, profile: &str) -> Result<String, CallError>;
    /// Name of the identity that a profile brings with it, if it names one (`by-sender` is none).
    fn profile_identity(&self, profile: &str) -> Option<String>;
    /// What `profile` does to `recipe` for one recipient: the protection with the
    /// certificate chosen. A missing certificate is a [`Choice`], not an error.
    fn profile_protection(
        &self,
        profile: &str,
        recipe: &Recipe,
        recipient: &Address,
    ) -> Result<Protection, CallError>;

    /// Are the values known, and above the operator's floor?
    fn check_parameters(&self, parameters: &Parameters) -> Result<(), CallError>;
    /// Could this protection be carried out on the message: identity valid and ours to
    /// use, content fit? Called when a filter makes the protected message.
    fn check_protection(&self, protection: &Protection, recipe: &Recipe) -> Result<(), CallError>;
    /// The certificate for one recipient of a protection made to order.
    fn choose(&self, protection: &Protection, recipient: &Address) -> Result<Choice, CallError>;

    /// Certificates for one address, usable and rejected.
    fn candidates(&self, address: &Address) -> Result<Candidates, CallError>;
    /// Path, validity and revocation by the operator's trust policy.
    fn validate(&self, certificate: &CertificateView) -> Result<(), CallError>;
    /// Name of the signing identity for a sender.
    fn signer_for(&self, address: &Address) -> Result<Option<String>, CallError>;

    /// The S/MIME layers of a message, from the outside in, with those that were taken off on
    /// the way to it.
    fn layers(&self, recipe: &Recipe) -> Result<Vec<Layer>, CallError>;
    /// The signed content without its signature.
    fn unwrap_signature(&self, recipe: &Recipe) -> Result<Unwrapped, CallError>;
    /// Is there a key that opens the outermost encrypted layer, for one of the recipients?
    fn can_decrypt(&self, recipe: &Recipe) -> bool;
    /// Opens the outermost encrypted layer, for the recipients whose keys open it.
    fn decrypt(&self, recipe: &Recipe) -> Result<Unwrapped, CallError>;
    /// May the certificates of this message be kept? They are when all is done
    /// ([`crate::plan::Plan::harvests`]).
    fn check_harvest(&self, recipe: &Recipe) -> Result<(), CallError>;
}
