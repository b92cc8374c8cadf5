//! Looks at protected messages; needs no private key. Grant: `inspect`.
//!
//! What the host found is plain data, so that what a filter makes of it can be
//! tested without a host:
//!
//! ```
//! use waxseal_guest::inspect::{Kind, Layer, Layers, State};
//!
//! let layers = Layers(vec![Layer::new(Kind::Signed, State::Expired)]);
//! assert!(layers.is_signed() && !layers.is_encrypted());
//! assert_eq!(layers[0].state.name(), "expired");
//! ```

use std::{fmt, ops::Deref};

use crate::{
    Error, bindings::waxseal::filter::inspect as host, certificates::Certificate, mail::Message,
};

/// The S/MIME layers from the outside in, with those that were taken off on the
/// way to this message, and no further than the first closed one. Empty: not
/// S/MIME.
pub fn layers(message: &Message) -> Result<Layers, Error> {
    let layers = host::layers(&message.0)?;
    Ok(Layers(layers.iter().map(Layer::from).collect()))
}

/// The same in fewer calls, for filters that tell messages apart: without problems, algorithms,
/// times, subjects and serial numbers, which stay empty.
pub fn outline(message: &Message) -> Result<Layers, Error> {
    let layers = host::layers(&message.0)?;
    let outline = |layer| {
        Layer::outline(layer, |signature| {
            Signature::outline(signature, Signer::outline)
        })
    };
    Ok(Layers(layers.iter().map(outline).collect()))
}

/// The signed content without its signature. Fails when the outermost layer that
/// is still there is no signature.
pub fn unwrap_signature(message: &Message) -> Result<Message, Error> {
    Ok(Message(host::unwrap_signature(&message.0)?))
}

/// Layers from the outside in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers(pub Vec<Layer>);

impl Layers {
    /// Is some layer a signature, good or bad?
    pub fn is_signed(&self) -> bool {
        self.signed().next().is_some()
    }

    /// Is, or was, some layer an envelope, open or closed?
    pub fn is_encrypted(&self) -> bool {
        self.iter().any(|layer| layer.kind == Kind::Encrypted)
    }

    /// Are there signatures, and is each of them valid and by whom the message
    /// comes from?
    pub fn is_signed_by_sender(&self) -> bool {
        self.is_signed() && self.signed().all(Layer::is_signed_by_sender)
    }

    /// Is some layer an envelope that was not opened?
    pub fn is_closed(&self) -> bool {
        let mut envelopes = self.iter().filter(|layer| layer.kind == Kind::Encrypted);
        envelopes.any(|layer| !layer.state.is_good())
    }

    /// The layers that are signatures.
    pub fn signed(&self) -> impl Iterator<Item = &Layer> {
        self.iter().filter(|layer| layer.kind == Kind::Signed)
    }
}

impl Deref for Layers {
    type Target = [Layer];

    fn deref(&self) -> &[Layer] {
        &self.0
    }
}

/// One layer of protection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Layer {
    /// What it is.
    pub kind: Kind,
    /// What became of it; of a signed layer, the worst of its signatures' states.
    pub state: State,
    /// Why, where there is something to say.
    pub problem: Option<Error>,
    /// One for each signer.
    pub signatures: Vec<Signature>,
    /// How it is made: `multipart-signed`, `signed-data`, `enveloped-data`.
    pub form: String,
    /// What of it is for reading only, whether the operator allows that or not:
    /// `sha-1`, `rsa-1024`, `rc2-40`.
    pub weak: Vec<String>,
}

impl Layer {
    /// A layer of which nothing else is known.
    pub fn new(kind: Kind, state: State) -> Self {
        Layer {
            kind,
            state,
            problem: None,
            signatures: Vec::new(),
            form: String::new(),
            weak: Vec::new(),
        }
    }

    /// Is it a valid signature, by nobody but whom the message comes from? The
    /// state alone does not say so: anybody can sign what names somebody else as
    /// its author.
    pub fn is_signed_by_sender(&self) -> bool {
        self.state == State::Valid
            && !self.signatures.is_empty()
            && self.signatures.iter().all(|one| one.matches_from)
    }

    fn outline(layer: &host::Layer, signature: impl Fn(&host::Signature) -> Signature) -> Self {
        Layer {
            signatures: layer.signatures().iter().map(signature).collect(),
            form: layer.form(),
            weak: layer.weak(),
            ..Layer::new(Kind::from(layer.kind()), State::from(layer.state()))
        }
    }
}

impl From<&host::Layer> for Layer {
    fn from(layer: &host::Layer) -> Self {
        Layer {
            problem: layer.problem().map(Error::from),
            ..Layer::outline(layer, |signature| Signature::from(signature))
        }
    }
}

/// One signer's signature.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Signature {
    /// Everything but the comparison with From.
    pub state: State,
    /// Why, where there is something to say.
    pub problem: Option<Error>,
    /// Whose certificate it is, if that is known.
    pub signer: Option<Signer>,
    /// `sha-256`.
    pub digest_algorithm: String,
    /// `rsa-pkcs1v15`.
    pub signature_algorithm: String,
    /// When the signer says that it was, in seconds since 1970.
    pub signing_time: Option<f64>,
    /// Is the From (or Sender) address one of the certificate's (RFC 8550 §3)?
    pub matches_from: bool,
}

impl Signature {
    fn outline(signature: &host::Signature, signer: impl Fn(&Certificate) -> Signer) -> Self {
        Signature {
            state: State::from(signature.state()),
            signer: signature.signer().as_ref().map(signer),
            matches_from: signature.matches_from(),
            ..Signature::default()
        }
    }
}

impl From<&host::Signature> for Signature {
    fn from(signature: &host::Signature) -> Self {
        Signature {
            problem: signature.problem().map(Error::from),
            digest_algorithm: signature.digest_algorithm(),
            signature_algorithm: signature.signature_algorithm(),
            signing_time: signature.signing_time(),
            ..Signature::outline(signature, Signer::whole)
        }
    }
}

/// The certificate of a signer.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Signer {
    /// As RFC 4514 writes it.
    pub subject: String,
    /// As RFC 4514 writes it.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// The addresses that it names.
    pub addresses: Vec<String>,
}

impl Signer {
    /// All but subject and serial number.
    fn outline(certificate: &Certificate) -> Self {
        let digest = certificate.fingerprint_sha256();
        Signer {
            issuer: certificate.issuer(),
            fingerprint: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
            addresses: certificate.emails(),
            ..Signer::default()
        }
    }

    fn whole(certificate: &Certificate) -> Self {
        Signer {
            subject: certificate.subject(),
            serial: certificate.serial(),
            ..Signer::outline(certificate)
        }
    }
}

/// An enum of names that will grow: what is not known here stays a text.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$case_doc:meta])* $case:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$case_doc])* $case,)*
            /// One that this SDK does not know.
            Other(String),
        }

        impl $type {
            /// All names that this SDK knows, in order.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The name in the contract.
            pub fn name(&self) -> &str {
                match self {
                    $($type::$case => $name,)*
                    $type::Other(name) => name,
                }
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                match name.as_str() {
                    $($name => $type::$case,)*
                    _ => $type::Other(name),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

names! {
    /// What a layer is.
    Kind {
        /// A signature.
        Signed = "signed",
        /// An envelope.
        Encrypted = "encrypted",
        /// Compressed content.
        Compressed = "compressed",
        /// Certificates and nothing else.
        Certificates = "certificates",
        /// Content with its digest.
        Digested = "digested",
        /// It claims to be S/MIME and does not parse.
        Malformed = "malformed",
    }
}

names! {
    /// What became of a layer or of a signature. Ordered: of two, the later is
    /// the worse, and one that is not known is the worst.
    State {
        /// Certificates without a signature.
        Present = "present",
        /// Expanded, or the digest is right.
        Expanded = "expanded",
        /// The signature verifies, and its signer is trusted.
        Valid = "valid",
        /// Decrypted, and nobody has changed it on the way.
        Decrypted = "decrypted",
        /// Decrypted; anybody may have changed it on the way.
        DecryptedUnauthenticated = "decrypted-unauthenticated",
        /// Not opened: no key was offered.
        Closed = "closed",
        /// An algorithm or key that the operator does not allow.
        Weak = "weak",
        /// The signing time is later than now.
        SignedInTheFuture = "signed-in-the-future",
        /// A certificate of the signer's path is not valid yet.
        NotYetValid = "not-yet-valid",
        /// A certificate of the signer's path is expired.
        Expired = "expired",
        /// Whether the signer is revoked cannot be said.
        RevocationUnknown = "revocation-unknown",
        /// The signer's certificate is not for signing mail.
        WrongUsage = "wrong-usage",
        /// Nobody vouches for the signer.
        Untrusted = "untrusted",
        /// The signer's certificate is not known.
        UnknownSigner = "unknown-signer",
        /// An algorithm or structure that the host does not know.
        Unsupported = "unsupported",
        /// Revoked.
        Revoked = "revoked",
        /// There is no key for it.
        NoKey = "no-key",
        /// A protected part below parts that are not.
        NotRoot = "not-root",
        /// Several signers, of whom not all are in order, or not for one address.
        ConflictingSigners = "conflicting-signers",
        /// Two contents, of which either could be the signed one.
        AmbiguousContent = "ambiguous-content",
        /// A signed attribute that must be there is not.
        MissingAttribute = "missing-attribute",
        /// A signed attribute is there more than once.
        DuplicateAttribute = "duplicate-attribute",
        /// It does not parse.
        Malformed = "malformed",
        /// The signature is not by this key over this content.
        Invalid = "invalid",
        /// Key or content cannot be decrypted; which of them, nobody says.
        Damaged = "damaged",
        /// What came out looks like an attack.
        Suspicious = "suspicious",
    }
}

impl State {
    /// Is the layer as it should be? Says nothing of whom a signature is by.
    pub fn is_good(&self) -> bool {
        *self <= State::DecryptedUnauthenticated
    }
}

impl Default for State {
    fn default() -> Self {
        State::Other(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for name in ["valid", "signed-in-the-future", "something-new", ""] {
            assert_eq!(State::from(name.to_owned()).name(), name);
        }
        assert_eq!(State::from("no-key".to_owned()), State::NoKey);
        assert!(State::Suspicious > State::Invalid && State::Invalid > State::Valid);
        assert!(State::Other("new".to_owned()) > State::Suspicious);
    }

    #[test]
    fn a_valid_signature_of_somebody_else_is_not_the_senders() {
        let signed = |matches_from| Layer {
            signatures: vec![Signature {
                matches_from,
                ..Signature::default()
            }],
            ..Layer::new(Kind::Signed, State::Valid)
        };
        let layers = |layers| Layers(layers).is_signed_by_sender();
        assert!(layers(vec![signed(true)]));
        assert!(!layers(vec![signed(false)]));
        assert!(!layers(vec![signed(true), signed(false)]));
        assert!(!layers(vec![Layer::new(Kind::Signed, State::Valid)]));
        assert!(!layers(vec![Layer::new(Kind::Encrypted, State::Decrypted)]));
        assert!(!layers(Vec::new()));
    }
}
