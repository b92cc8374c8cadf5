//! What the filters asked for: a table with one row for each recipient.
//!
//! Filters set cells, later ones over earlier ones; `must_encrypt` is never cleared. A
//! message in the plan is a recipe: octets by digest, edits, and protections with the
//! certificates chosen when the call was made. Nothing here does cryptography; the engine
//! carries the plan out.

use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};
use waxseal_message::{Address, Error as MessageError, Message};

use crate::capabilities::{CallError, CertificateView, Parameters};
use crate::reply::Reply;
use crate::transaction::Recipient;

/// The table.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Reverse-path of every copy; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// One for each recipient.
    pub rows: Vec<Row>,
    /// What a recipient added later starts from.
    pub everyone: Defaults,
    /// Messages whose signers' certificates are kept when all is done, by [`Recipe::key`].
    pub harvests: Vec<[u8; 32]>,
}

/// Cells that were set for everyone, added later or not.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The message of every recipient that no `route` names. Protections in it carry
    /// [`Choice::Open`] until a recipient is known.
    pub message: Recipe,
    /// Profile applied on delivery.
    pub on_delivery: Option<String>,
    /// Encryption required of everyone.
    pub must_encrypt: bool,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Who.
    pub recipient: Recipient,
    /// What they get, before `on_delivery`.
    pub message: Recipe,
    /// A `route` names this recipient: `set-message` passes it by.
    pub routed: bool,
    /// Wraps whatever message the row ends with.
    pub on_delivery: Option<Protection>,
    /// No copy leaves unencrypted.
    pub must_encrypt: bool,
    /// Refused alone.
    pub refusal: Option<Reply>,
}

/// A message as octets, edits and protections.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The octets that it starts from, edits made before the first protection included.
    pub base: Message,
    /// SHA-256 of `base`, by [`Recipe::digest`].
    pub digest: Digest,
    /// What is done to it, in order.
    pub steps: Vec<Step>,
    /// How it reads to a filter: `base` with every edit, without the protections.
    pub view: Message,
    /// How `base` came out of a protected message, if it did.
    pub opening: Option<Arc<Opening>>,
}

/// How a message came out of a protected one.
#[derive(Clone, Debug)]
pub struct Opening {
    /// SHA-256 of the message as it came out. The host knows by it what was taken off.
    pub key: [u8; 32],
    /// For whom it was decrypted (rule 13). `None`: nothing was decrypted, it is for everyone.
    pub readers: Option<Vec<Address>>,
    /// What it came out of, and what everyone else gets.
    pub closed: Recipe,
}

impl Recipe {
    /// The message as it is: nothing is done to it.
    pub fn plain(message: Message) -> Self {
        Self {
            digest: Digest::default(),
            view: message.clone(),
            base: message,
            steps: Vec::new(),
            opening: None,
        }
    }

    /// SHA-256 of `base`.
    pub fn digest(&self) -> [u8; 32] {
        self.digest.of(&self.base)
    }

    /// Without its steps: equal for all recipes that start from the same octets.
    pub fn start(&self) -> Self {
        Self {
            steps: Vec::new(),
            ..self.clone()
        }
    }

    /// What the host knows this message by: edits of its header do not change it.
    pub fn key(&self) -> [u8; 32] {
        let opening = self.opening.as_ref();
        opening.map_or_else(|| self.digest(), |opening| opening.key)
    }

    /// Rule 13: what a recipient may get of this. The message itself, or what it was opened
    /// from.
    pub fn for_reader(&self, recipient: &Address) -> &Recipe {
        let mut recipe = self;
        while let Some(opening) = &recipe.opening {
            match &opening.readers {
                Some(readers) if !readers.contains(recipient) => recipe = &opening.closed,
                _ => break,
            }
        }
        recipe
    }

    /// Will a copy made from this be an envelope of ours, or is it one already?
    pub fn encrypted(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Protect(protection) if protection.choice.encrypted()))
    }
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        let same = self.digest.is_shared_with(&other.digest) || self.digest() == other.digest();
        same && self.steps == other.steps
    }
}

/// SHA-256 of one message's octets, worked out when it is asked for; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Digest(Arc<OnceLock<[u8; 32]>>);

impl Digest {
    /// Of the message that this belongs to, the same each time.
    pub(crate) fn of(&self, message: &Message) -> [u8; 32] {
        *self.0.get_or_init(|| {
            let mut hash = Sha256::new();
            hash.update(message.head());
            hash.update(message.body());
            hash.finalize().into()
        })
    }

    fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(known: [u8; 32]) -> Self {
        Self(Arc::new(known.into()))
    }
}

/// One step of a recipe.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // a recipe has a handful of steps, mostly protections
pub enum Step {
    /// Sign, encrypt or both.
    Protect(Protection),
    /// Change a header field outside of the protection.
    Edit(HeaderEdit),
}

/// A change of header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// On top of the others.
    Add {
        /// Field name.
        name: String,
        /// Plain text.
        value: String,
    },
    /// All of that name become one.
    Replace {
        /// Field name.
        name: String,
        /// Plain text.
        value: String,
    },
    /// The n-th field of that name, from the top, from 0.
    RemoveNth {
        /// Field name.
        name: String,
        /// Which of them.
        nth: usize,
    },
    /// All of that name.
    RemoveAll {
        /// Field name.
        name: String,
    },
}

impl HeaderEdit {
    /// The message with this change made. Content and its fields are never touched.
    pub fn apply(&self, message: &Message) -> Result<Message, MessageError> {
        match self {
            HeaderEdit::Add { name, value } => message.with_field_added(name, value),
            HeaderEdit::Replace { name, value } => message.with_field_replaced(name, value),
            HeaderEdit::RemoveAll { name } => Ok(message.with_fields_removed(name)),
            HeaderEdit::RemoveNth { name, nth } => {
                match message.all(name).nth(*nth).map(|field| field.index()) {
                    Some(index) => message.with_field_removed(index),
                    None => Ok(message.clone()),
                }
            }
        }
    }
}

/// A protection that the engine carries out after the last filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// What is done.
    pub mode: ProtectionMode,
    /// Parameters of the (inner) signature and of the envelope. For a sending profile
    /// only `parameters.profile` is set.
    pub parameters: Parameters,
    /// Parameters of the outer signature of a triple wrap made to order.
    pub outer: Option<Parameters>,
    /// What it means for the row's recipient.
    pub choice: Choice,
    /// The identity that signs, chosen when the call was made; `None` when nothing signs.
    pub signer: Option<String>,
    /// Why nothing signs although the mode signs: the message is not ours to sign (rule
    /// 12) or is signed already. It goes on without that signature.
    pub unsigned: Option<CallError>,
}

/// Sign, encrypt, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionMode {
    /// A signature.
    Sign,
    /// An envelope.
    Encrypt,
    /// A signature in an envelope.
    SignEncrypt,
    /// A signature in an envelope in a signature (RFC 2634 §1.1).
    TripleWrap,
}

impl ProtectionMode {
    /// The name in configuration and in the guest contract.
    pub fn as_str(self) -> &'static str {
        match self {
            ProtectionMode::Sign => "sign",
            ProtectionMode::Encrypt => "encrypt",
            ProtectionMode::SignEncrypt => "sign-encrypt",
            ProtectionMode::TripleWrap => "triple-wrap",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            ProtectionMode::Sign,
            ProtectionMode::Encrypt,
            ProtectionMode::SignEncrypt,
            ProtectionMode::TripleWrap,
        ]
        .into_iter()
        .find(|mode| mode.as_str() == name)
    }

    /// Does it make an envelope?
    pub fn encrypts(self) -> bool {
        self != ProtectionMode::Sign
    }

    /// Does it make a signature?
    pub fn signs(self) -> bool {
        self != ProtectionMode::Encrypt
    }
}

/// What a protection means for one recipient.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// The mode makes no envelope, or no recipient is known yet.
    Open,
    /// An envelope to this certificate.
    Encrypt(Arc<CertificateView>),
    /// The message is an envelope already: it goes as it is.
    AlreadyEncrypted,
    /// No usable certificate.
    Missing {
        /// What the profile says becomes of the recipient.
        action: MissingCertificate,
        /// Why.
        problem: CallError,
    },
    /// Nothing can be sent under this protection (no identity for the sender, …).
    Refuse {
        /// Why; `unavailable` defers, everything else refuses.
        problem: CallError,
    },
}

impl Choice {
    /// Will the recipient's copy be an envelope?
    pub fn encrypted(&self) -> bool {
        matches!(self, Choice::Encrypt(_) | Choice::AlreadyEncrypted)
    }
}

/// What becomes of a recipient without a usable certificate (DESIGN §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingCertificate {
    /// Reject the whole message, naming the recipients.
    Bounce,
    /// No copy for the recipient.
    Drop,
    /// An unencrypted copy. Where encryption is required: `EncryptOrBounceRest`.
    Split,
    /// A refusal for the recipient, copies for the others.
    EncryptOrBounceRest,
    /// Defer the whole message.
    Defer,
    /// Quarantine the whole message.
    Quarantine,
}

/// What the chain ended with.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Carry the table out: the last filter proceeded, or one accepted.
    Deliver,
    /// Refuse the message.
    Reject(Reply),
    /// Try again later.
    Defer(Reply),
    /// Keep it for a person; the reason.
    Quarantine(String),
    /// Drop it silently.
    Discard,
}
