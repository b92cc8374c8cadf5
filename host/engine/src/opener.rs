//! Opens mail for the filters of one transaction: takes layers off, and remembers what each one
//! was (DESIGN §6 rules 8, 9 and 13).
//!
//! Keys open a message only for recipients they are assigned to; whom that is for goes with the
//! message into the plan. What was judged is remembered: asking for layers again costs nothing,
//! while taking one off judges what is around it once more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use waxseal_message::Address;
use waxseal_policy::capabilities::{CallError, ErrorKind, Unwrapped};
use waxseal_policy::plan::Recipe;
use waxseal_smime::open::{self, Layer, LayerKind, Opening, State};
use waxseal_smime::{Identity, RecipientId};

use crate::generation::AssignedIdentity;
use crate::host_calls::HostCalls;

/// What is known of the messages of one transaction, by [`Recipe::key`].
#[derive(Default)]
pub(crate) struct Opener {
    seen: Mutex<HashMap<[u8; 32], Arc<Seen>>>,
}

/// The layers of a message.
#[derive(Clone, Default)]
struct Seen {
    /// Taken off on the way to it, outermost first.
    taken: Vec<Layer>,
    /// Still on it, no further than the first closed one.
    inside: Vec<Layer>,
}

impl Opener {
    /// Taken off and still on, outermost first.
    pub(crate) fn layers(&self, calls: &HostCalls, recipe: &Recipe) -> Vec<Layer> {
        let seen = self.seen(calls, recipe);
        seen.taken.iter().chain(&seen.inside).cloned().collect()
    }

    /// Takes the outermost signature off.
    pub(crate) fn unwrap_signature(
        &self,
        calls: &HostCalls,
        recipe: &Recipe,
    ) -> Result<Unwrapped, CallError> {
        let seen = self.seen(calls, recipe);
        let opening = opening(calls, Vec::new());
        let unwrapped = open::unwrap_signature(&recipe.view, &opening)
            .ok_or_else(|| wrong("inspect.not-signed", "the outermost layer is no signature"))?;
        let digest = self.remember(&seen, &unwrapped);
        Ok(Unwrapped {
            message: unwrapped.message,
            digest,
            readers: None,
        })
    }

    /// Rule 13: is there a key for one of the recipients?
    pub(crate) fn can_decrypt(&self, calls: &HostCalls, recipe: &Recipe) -> bool {
        let seen = self.seen(calls, recipe);
        let layer = outermost_envelope(&seen.inside);
        layer.is_some_and(|layer| !readers(calls, &layer.recipients).is_empty())
    }

    /// Takes everything off up to and with the outermost encrypted layer.
    pub(crate) fn decrypt(
        &self,
        calls: &HostCalls,
        recipe: &Recipe,
    ) -> Result<Unwrapped, CallError> {
        let seen = self.seen(calls, recipe);
        let Some(closed) = outermost_envelope(&seen.inside) else {
            return Err(wrong(
                "decrypt.not-encrypted",
                "there is no encrypted layer",
            ));
        };
        let keys = assigned(calls).filter(|own| opens(own, &closed.recipients));
        let opening = opening(calls, keys.map(|own| &own.identity).collect());
        match open::decrypt(&recipe.view, &opening) {
            Ok(unwrapped) => {
                let readers = unwrapped.taken.last().map(|layer| &layer.recipients[..]);
                let readers = readers.map(|recipients| self::readers(calls, recipients));
                let digest = self.remember(&seen, &unwrapped);
                Ok(Unwrapped {
                    message: unwrapped.message,
                    digest,
                    // Rule 13: opened with nobody's key it would be for nobody.
                    readers: Some(readers.unwrap_or_default()),
                })
            }
            Err(layer) => {
                let layer = layer.map_or_else(|| closed.clone(), |layer| *layer);
                let layer = without_a_key(layer);
                let error = not_decrypted(&layer);
                self.remember_failure(recipe.key(), &seen, layer);
                Err(error)
            }
        }
    }

    fn seen(&self, calls: &HostCalls, recipe: &Recipe) -> Arc<Seen> {
        if let Some(seen) = self.known(recipe.key()) {
            return seen;
        }
        let opened = open::open(&recipe.view, &opening(calls, Vec::new()));
        let mut inside = opened.layers;
        if let Some(closed) = inside.iter().position(is_envelope) {
            inside.truncate(closed + 1);
        }
        let seen = Arc::new(Seen {
            taken: Vec::new(),
            inside,
        });
        self.insert(recipe.key(), Arc::clone(&seen));
        seen
    }

    /// What came off, as it was judged: on the octets that were inside, where there is such a
    /// judgement already. Making a message fit for the next hop may break a signature in it.
    /// Gives the digest of the message, which it is remembered by.
    fn remember(&self, before: &Seen, unwrapped: &open::Unwrapped) -> [u8; 32] {
        let mut taken = before.taken.clone();
        for (index, layer) in unwrapped.taken.iter().enumerate() {
            let judged = before.inside.get(index).filter(|_| !is_envelope(layer));
            taken.push(judged.unwrap_or(layer).clone());
        }
        let rest = before
            .inside
            .get(unwrapped.taken.len()..)
            .unwrap_or_default();
        let inside = if rest.is_empty() {
            unwrapped.inside.clone()
        } else {
            rest.to_vec()
        };
        let key = Recipe::plain(unwrapped.message.clone()).digest();
        self.insert(key, Arc::new(Seen { taken, inside }));
        key
    }

    fn remember_failure(&self, key: [u8; 32], before: &Seen, failed: Layer) {
        let mut seen = before.clone();
        if let Some(closed) = seen.inside.iter().position(is_envelope) {
            seen.inside.truncate(closed);
            seen.inside.push(failed);
        }
        self.insert(key, Arc::new(seen));
    }

    fn known(&self, key: [u8; 32]) -> Option<Arc<Seen>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&key).cloned()
    }

    fn insert(&self, key: [u8; 32], value: Arc<Seen>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(key, value);
    }

    /// The layers of a message that a filter asked to harvest.
    pub(crate) fn layers_of(&self, key: [u8; 32]) -> Vec<Layer> {
        let seen = self.known(key).unwrap_or_default();
        seen.taken.iter().chain(&seen.inside).cloned().collect()
    }
}

/// Is this message decrypted for somebody? Its copies do not go back in clear (DESIGN §8).
pub(crate) fn is_decrypted(recipe: &Recipe) -> bool {
    let mut next = recipe.opening.as_ref();
    while let Some(opening) = next {
        if opening.readers.is_some() {
            return true;
        }
        next = opening.closed.opening.as_ref();
    }
    false
}

fn opening<'a>(calls: &'a HostCalls, keys: Vec<&'a Identity>) -> Opening<'a> {
    let generation = &*calls.generation;
    Opening {
        provider: &*generation.provider,
        now: calls.at,
        limits: &generation.limits,
        keys,
        secrets: &[],
        trust: Some(generation.inbound.trust()),
        certificates: &[],
        allow_weak: generation.inbound.allow_weak,
        clock_skew: generation.inbound.clock_skew,
    }
}

fn is_envelope(layer: &Layer) -> bool {
    matches!(
        layer.kind,
        LayerKind::Enveloped | LayerKind::AuthEnveloped | LayerKind::EncryptedData
    )
}

/// The envelope that only signatures (and compression) are around.
fn outermost_envelope(layers: &[Layer]) -> Option<&Layer> {
    layers.iter().find(|layer| is_envelope(layer))
}

/// Rule 13: identities that may open mail for one of this transaction's recipients.
fn assigned(calls: &HostCalls) -> impl Iterator<Item = &AssignedIdentity> {
    calls.generation.identities.iter().filter(|own| {
        let mut recipients = calls.recipients.iter();
        recipients.any(|recipient| own.decrypts_for(recipient))
    })
}

/// Rule 13: the recipients whose own keys, or whose domain's, open an envelope.
fn readers(calls: &HostCalls, recipients: &[RecipientId]) -> Vec<Address> {
    let identities = &calls.generation.identities;
    let reads = |address: &&Address| {
        identities
            .iter()
            .any(|own| own.decrypts_for(address) && opens(own, recipients))
    };
    calls.recipients.iter().filter(reads).cloned().collect()
}

fn opens(own: &AssignedIdentity, recipients: &[RecipientId]) -> bool {
    let certificate = &own.identity.certificate;
    recipients.iter().any(|named| named.names(certificate))
}

/// Without an assigned key nothing was tried.
fn without_a_key(layer: Layer) -> Layer {
    match layer.state {
        State::Closed => Layer {
            state: State::NoKey,
            ..layer
        },
        _ => layer,
    }
}

fn not_decrypted(layer: &Layer) -> CallError {
    let (kind, code, text) = match layer.state {
        State::NoKey | State::Closed => (
            ErrorKind::NotFound,
            "decrypt.no-key",
            "no key of these recipients opens it",
        ),
        State::Weak => (
            ErrorKind::Failed,
            "decrypt.weak",
            "encrypted with an algorithm or key that is not allowed",
        ),
        State::Suspicious => (
            ErrorKind::Failed,
            "decrypt.suspicious",
            "what came out looks like an attack, and is not given out",
        ),
        State::Unsupported => (
            ErrorKind::Failed,
            "decrypt.unsupported",
            "encrypted in a way that nobody here knows",
        ),
        // Rule 8: whether key or content was bad is not said.
        _ => (
            ErrorKind::Failed,
            "decrypt.damaged",
            "it cannot be decrypted",
        ),
    };
    CallError::new(kind, code, text)
}

fn wrong(code: &str, text: &str) -> CallError {
    CallError::new(ErrorKind::InvalidArgument, code, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    #[test]
    fn rule_13_what_was_decrypted_stays_known_as_that() {
        let closed = recipe(Vec::new());
        assert!(!is_decrypted(&closed));
        let opened = |readers: Option<Vec<Address>>, closed: Recipe| Recipe {
            opening: Some(Arc::new(waxseal_policy::plan::Opening {
                key: [1; 32],
                readers,
                closed,
            })),
            ..recipe(Vec::new())
        };
        let decrypted = opened(Some(Vec::new()), closed.clone());
        assert!(is_decrypted(&decrypted));
        assert!(is_decrypted(&opened(None, decrypted)));
        assert!(!is_decrypted(&opened(None, closed)));
    }
}
