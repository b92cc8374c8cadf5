//! Which keys and secrets of ours an envelope names, from what stands in clear. No key is used
//! here.

use super::Refusal;
use super::attempt::{Attempt, Way, old_digests};
use crate::algorithm::{KeyAlgorithm, KeyWrap, TransportScheme};
use crate::asn1::Element;
use crate::enveloped_data::Unreadable;
use crate::identity::Identity;
use crate::open::{Layer, Opening, Secret, State};
use crate::recipient_info::{
    AlgorithmIdentifier, KeyAgreement, OriginatorKey, RecipientInfo, agreement_scheme, key_wrap_of,
    password_derivation, password_wrap, transport_scheme,
};
use crate::recipients::RecipientId;
use const_oid::db::{rfc5912, rfc8410};
use std::borrow::Cow;
use std::rc::Rc;

/// Rounds of PBKDF2 for one message, over all its recipients and all passwords.
const MAX_ROUNDS: u32 = 10_000_000;

/// Recipients, and what may open the envelope.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// For whom it is.
    pub(super) recipients: Vec<RecipientId>,
    attempts: Vec<Attempt<'a>>,
    /// A RecipientInfo that cannot be read, or names us and cannot be used.
    unreadable: Option<Unreadable>,
    rounds: u32,
}

impl<'a> Plan<'a> {
    /// Looks at every RecipientInfo of an envelope.
    pub(super) fn of(infos: &[Element<'a>], opening: &Opening<'a>) -> Self {
        let mut plan = Self::default();
        for info in infos {
            match RecipientInfo::read(*info) {
                Ok(info) => plan.add(info, opening),
                Err(malformed) => plan.unreadable = Some(malformed.into()),
            }
        }
        plan
    }

    /// EncryptedData (RFC 5652 §8): the keys that name no recipient.
    pub(super) fn of_content_keys(size: usize, opening: &Opening<'a>) -> Self {
        let mut plan = Self::default();
        for (identifier, key) in keys(opening) {
            if identifier.is_none() && key.len() == size {
                plan.attempts.push(Attempt {
                    opened_by: "key".into(),
                    weak: Vec::new(),
                    reported: Vec::new(),
                    way: Way::ContentKey(key),
                });
            }
        }
        plan
    }

    /// The attempts that rule 11 and the operator allow, or why there are none.
    pub(super) fn attempts(
        self,
        layer: &mut Layer,
        opening: &Opening<'_>,
    ) -> Result<Vec<Attempt<'a>>, Refusal> {
        if opening.keys.is_empty() && opening.secrets.is_empty() {
            let (state, problem) = (State::Closed, None);
            return Err(Refusal { state, problem });
        }
        if self.attempts.is_empty() {
            return Err(self.unreadable.map_or_else(no_key, Refusal::from));
        }
        if opening.allow_weak {
            return Ok(self.attempts);
        }
        let is_weak_content = !layer.weak.is_empty();
        let (good, weak): (Vec<_>, Vec<_>) = self
            .attempts
            .into_iter()
            .partition(|attempt| attempt.weak.is_empty());
        if good.is_empty() || is_weak_content {
            let names = weak.into_iter().flat_map(|attempt| attempt.weak);
            layer.weak.extend(names);
            layer.weak.dedup();
            return Err(weak_refusal(&layer.weak));
        }
        Ok(good)
    }

    fn add(&mut self, info: RecipientInfo<'a>, opening: &Opening<'a>) {
        let added = match info {
            RecipientInfo::KeyTransport {
                recipient,
                algorithm,
                encrypted,
            } => self.add_transport(recipient, algorithm, encrypted, opening),
            RecipientInfo::KeyAgreement(agreement) => self.add_agreement(agreement, opening),
            RecipientInfo::KeyEncryptionKey {
                identifier,
                algorithm,
                encrypted,
            } => self.add_wrapped(identifier, algorithm, encrypted, opening),
            RecipientInfo::Password {
                derivation,
                algorithm,
                encrypted,
            } => self.add_password(derivation, algorithm, encrypted, opening),
            RecipientInfo::Other => {
                self.recipients.push(RecipientId::NoCertificate);
                Ok(())
            }
        };
        if let Err(unreadable) = added {
            self.unreadable = Some(unreadable);
        }
    }

    fn add_transport(
        &mut self,
        recipient: RecipientId,
        algorithm: AlgorithmIdentifier<'a>,
        encrypted: Cow<'a, [u8]>,
        opening: &Opening<'a>,
    ) -> Result<(), Unreadable> {
        let named = named(&recipient, opening);
        self.recipients.push(recipient);
        for identity in named {
            let scheme = transport_scheme(&algorithm)?;
            let KeyAlgorithm::Rsa { .. } = identity.key.algorithm() else {
                return Err(Unreadable::Unsupported);
            };
            let reported = match &scheme {
                TransportScheme::Pkcs1v15 => Vec::new(),
                TransportScheme::Oaep {
                    digest,
                    mask_digest,
                    ..
                } => old_digests(&[*digest, *mask_digest]),
            };
            self.attempts.push(Attempt {
                opened_by: identity.name.clone(),
                weak: weak_key(identity),
                reported,
                way: Way::Transport {
                    key: &*identity.key,
                    scheme,
                    encrypted: encrypted.clone(),
                },
            });
        }
        Ok(())
    }

    fn add_agreement(
        &mut self,
        agreement: KeyAgreement<'a>,
        opening: &Opening<'a>,
    ) -> Result<(), Unreadable> {
        let mut ours = Vec::new();
        for (recipient, wrapped) in agreement.keys {
            let named = named(&recipient, opening).into_iter();
            ours.extend(named.map(|identity| (identity, wrapped.clone())));
            self.recipients.push(recipient);
        }
        if ours.is_empty() {
            return Ok(());
        }
        let originator = agreement.originator.ok_or(Unreadable::Unsupported)?;
        let scheme = agreement_scheme(&agreement.algorithm, agreement.ukm.as_deref())?;
        let scheme = Rc::new(scheme);
        for (identity, wrapped) in ours {
            if !is_of_kind(&originator, &identity.key.algorithm()) {
                return Err(Unreadable::Unsupported);
            }
            let mut weak = weak_key(identity);
            weak.extend(weak_wrap(&scheme.wrap));
            self.attempts.push(Attempt {
                opened_by: identity.name.clone(),
                weak,
                reported: old_digests(&[scheme.derived.digest()]),
                way: Way::Agreement {
                    key: &*identity.key,
                    public_key: originator.public_key,
                    scheme: Rc::clone(&scheme),
                    wrapped,
                },
            });
        }
        Ok(())
    }

    fn add_wrapped(
        &mut self,
        identifier: &[u8],
        algorithm: AlgorithmIdentifier<'a>,
        wrapped: Cow<'a, [u8]>,
        opening: &Opening<'a>,
    ) -> Result<(), Unreadable> {
        self.recipients.push(RecipientId::NoCertificate);
        for (known, key) in keys(opening) {
            // A key without a name may be meant for any.
            if known.is_some_and(|known| known != identifier) {
                continue;
            }
            let (wrap, size) = key_wrap_of(&algorithm)?;
            if key.len() == size {
                self.attempts.push(Attempt {
                    opened_by: "key".into(),
                    weak: weak_wrap(&wrap),
                    reported: Vec::new(),
                    way: Way::Wrapped {
                        key,
                        wrap,
                        wrapped: wrapped.clone(),
                    },
                });
            }
        }
        Ok(())
    }

    fn add_password(
        &mut self,
        derivation: Option<AlgorithmIdentifier<'a>>,
        algorithm: AlgorithmIdentifier<'a>,
        wrapped: Cow<'a, [u8]>,
        opening: &Opening<'a>,
    ) -> Result<(), Unreadable> {
        self.recipients.push(RecipientId::NoCertificate);
        for secret in opening.secrets {
            let Secret::Password(password) = secret else {
                continue;
            };
            let (wrap, key_size) = password_wrap(&algorithm)?;
            let derivation = derivation.as_ref().ok_or(Unreadable::Unsupported)?;
            let derivation = Rc::new(password_derivation(derivation, key_size)?);
            self.rounds = self.rounds.saturating_add(derivation.iterations);
            if self.rounds > MAX_ROUNDS {
                return Err(Unreadable::Unsupported);
            }
            self.attempts.push(Attempt {
                opened_by: "password".into(),
                weak: weak_wrap(&wrap),
                reported: old_digests(&[derivation.digest]),
                way: Way::Password {
                    password,
                    derivation,
                    key_size,
                    wrap,
                    wrapped: wrapped.clone(),
                },
            });
        }
        Ok(())
    }
}

fn named<'a>(recipient: &RecipientId, opening: &Opening<'a>) -> Vec<&'a Identity> {
    let keys = opening.keys.iter().copied();
    keys.filter(|identity| recipient.names(&identity.certificate))
        .collect()
}

/// Pre-shared keys with their names.
fn keys<'a>(opening: &Opening<'a>) -> impl Iterator<Item = (Option<&'a [u8]>, &'a [u8])> {
    let secrets: &'a [Secret] = opening.secrets;
    secrets.iter().filter_map(|secret| match secret {
        Secret::Key { identifier, key } => Some((identifier.as_deref(), &key[..])),
        Secret::Password(_) => None,
    })
}

/// RFC 5753 §3.1.1, RFC 8418 §3.2. The parameters of the originator's key may be absent, NULL or
/// name a curve; a point that is not on the recipient's curve fails later, as a ciphertext would.
fn is_of_kind(originator: &OriginatorKey<'_>, ours: &KeyAlgorithm) -> bool {
    match ours {
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
            originator.algorithm == rfc5912::ID_EC_PUBLIC_KEY
        }
        KeyAlgorithm::X25519 => originator.algorithm == rfc8410::ID_X_25519,
        _ => false,
    }
}

/// Rule 11.
fn weak_key(identity: &Identity) -> Vec<String> {
    let algorithm = identity.key.algorithm();
    if algorithm.is_within_floor() {
        Vec::new()
    } else {
        vec![algorithm.to_string()]
    }
}

fn weak_wrap(wrap: &KeyWrap) -> Vec<String> {
    match wrap {
        KeyWrap::Aes => Vec::new(),
        KeyWrap::TripleDes => vec!["des-ede3-wrap".into()],
        KeyWrap::Password { cipher, .. } if cipher.is_weak() => vec![cipher.to_string()],
        KeyWrap::Password { .. } => Vec::new(),
    }
}

fn no_key() -> Refusal {
    Refusal::new(
        State::NoKey,
        "decrypt.no-key",
        "it is encrypted for others than the keys at hand",
    )
}

fn weak_refusal(weak: &[String]) -> Refusal {
    Refusal::new(
        State::Weak,
        "decrypt.weak",
        format!(
            "it is encrypted with algorithms or keys that are too weak: {}",
            weak.join(", ")
        ),
    )
}
