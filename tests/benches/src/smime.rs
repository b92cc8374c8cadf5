//! The five things that are done to a mail, in this process, from octets to a message.

use bytes::Bytes;
use waxseal_message::{Limits, Message};
use waxseal_smime::open::{Opening, State, open};
use waxseal_smime::{Context, EncryptOptions, Identity, SignOptions, encrypt, sign, sign_encrypt};

use crate::PROVIDER;
use crate::people::People;

/// What is done to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A detached signature, SHA-256.
    Sign,
    /// An envelope for one recipient, AES-256-CBC.
    Encrypt,
    /// Both.
    SignEncrypt,
    /// Takes an envelope off.
    Decrypt,
    /// Checks a detached signature, and the path to the root.
    Verify,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sign,
        Self::Encrypt,
        Self::SignEncrypt,
        Self::Decrypt,
        Self::Verify,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Encrypt => "encrypt",
            Self::SignEncrypt => "sign-encrypt",
            Self::Decrypt => "decrypt",
            Self::Verify => "verify",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }
}

/// Does it; panics unless it succeeds. What comes out has been read back by the library.
pub fn perform(operation: Operation, mail: &Bytes, people: &People) -> Message {
    let limits = Limits::UNLIMITED;
    let context = Context {
        provider: &PROVIDER,
        now: people.now,
        limits: &limits,
    };
    let message = Message::parse(mail.clone(), &limits).unwrap();
    match operation {
        Operation::Sign => signed(&message, &people.signer, &context),
        Operation::Encrypt => enveloped(&message, people, &context),
        Operation::SignEncrypt => {
            let recipients = [people.reader.certificate.clone()];
            let (sign, encrypt) = (SignOptions::default(), EncryptOptions::default());
            sign_encrypt(
                &message,
                &people.signer,
                &sign,
                &recipients,
                &encrypt,
                &context,
            )
            .unwrap()
            .into_message()
        }
        Operation::Decrypt => opened(&message, people, State::DecryptedUnauthenticated),
        Operation::Verify => opened(&message, people, State::Valid),
    }
}

/// Signs with this identity, from octets to a message.
pub fn sign_as(signer: &Identity, mail: &Bytes, people: &People) -> Message {
    let context = Context {
        provider: &PROVIDER,
        now: people.now,
        limits: &Limits::UNLIMITED,
    };
    let message = Message::parse(mail.clone(), context.limits).unwrap();
    signed(&message, signer, &context)
}

fn signed(message: &Message, signer: &Identity, context: &Context<'_>) -> Message {
    sign(message, signer, &SignOptions::default(), context)
        .unwrap()
        .into_message()
}

fn enveloped(message: &Message, people: &People, context: &Context<'_>) -> Message {
    let recipients = [people.reader.certificate.clone()];
    encrypt(message, &recipients, &EncryptOptions::default(), context)
        .unwrap()
        .into_message()
}

fn opened(message: &Message, people: &People, state: State) -> Message {
    let opening = Opening {
        provider: &PROVIDER,
        now: people.now,
        limits: &Limits::UNLIMITED,
        keys: vec![&people.reader],
        secrets: &[],
        trust: Some(&people.trust),
        certificates: &[],
        allow_weak: false,
        clock_skew: 300,
    };
    let opened = open(message, &opening);
    let states: Vec<State> = opened.layers.iter().map(|layer| layer.state).collect();
    assert_eq!(states, [state]);
    opened.message.unwrap()
}
