//! Received S/MIME mail: opened, judged, harvested from, marked.
//!
//! ```json
//! {
//!   "decrypt": "when-possible",
//!   "signature": "keep",
//!   "harvest": "valid",
//!   "authentication-results": "add",
//!   "header": "X-Waxseal-SMIME",
//!   "subject-tag": "[S/MIME: {state}]",
//!   "states": { "invalid": "quarantine", "untrusted": "deliver" }
//! }
//! ```
//!
//! All of these are the defaults but `subject-tag` and `states`, and described in
//! `schema.json`. Each envelope is opened for the recipients whose keys open it; the
//! others get the message as it came. Then every layer has a state, `states` says what
//! becomes of a message with such a layer, and of several the gravest counts:
//!
//! | state | by default |
//! |---|---|
//! | `valid`, `decrypted`, `decrypted-unauthenticated`, `expanded`, `present` | `deliver` |
//! | `no-key`, `closed` | `deliver`, closed as it came |
//! | `suspicious`: decrypted content that looks like an attack, or an encrypted part in a clear message | `quarantine` |
//! | `damaged`: cannot be decrypted | `mark`, closed as it came |
//! | `signer-mismatch`: a valid signature of somebody else than the sender | `mark` |
//! | `invalid`, `untrusted`, `expired`, `revoked`, `unknown-signer`, `weak` and all others | `mark` |
//!
//! A marked message has the field `header` with its state, and `subject-tag`. Whatever
//! looks like one of these marks is removed from everything that arrives. The result of
//! the signatures also goes into Authentication-Results (RFC 7281) where the policy has
//! an `authserv-id`. Later filters find the state in the note `smime`, and what was
//! taken off still shows in `inspect.layers`.
//!
//! Mail of ours, outbound or internal, passes. Fails, and so has the message deferred,
//! when the host refuses an action. Grants: `actions`, `inspect`, `open`, `harvest`,
//! `quarantine`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

#[cfg(test)]
mod schema;
mod settings;
mod tag;
#[cfg(test)]
mod tests;

use settings::{Action, Decrypt, Harvest, Inbound, Results, SIGNER_MISMATCH, Signature};
use waxseal_guest::{
    authentication_results,
    inspect::{Kind, Layer, Layers, State},
    prelude::*,
};

impl Filter for Inbound {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        match settings.problems() {
            problems if problems.is_empty() => Ok(settings),
            problems => Err(problems),
        }
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        if tx.direction().as_deref() != Some("inbound") {
            return Ok(Verdict::Proceed);
        }
        let arrived = self.without_marks(tx.message())?;
        let opened = match self.decrypt {
            Decrypt::WhenPossible => open::decrypt_all(&arrived),
            Decrypt::Never => None,
        };
        let layers = inspect::layers(opened.as_ref().unwrap_or(&arrived))?;
        let judgement = self.judge(&layers);
        explain(&judgement, &layers);
        tx.set_note("smime", &judgement.state);
        match judgement.action {
            Action::Quarantine => Ok(Verdict::Quarantine(format!("S/MIME: {}", judgement.state))),
            Action::Reject => Ok(Verdict::Reject(judgement.refusal())),
            Action::Mark | Action::Deliver => {
                let message = match opened {
                    // What was inside can forge marks too.
                    Some(opened) => self.without_marks(opened)?,
                    None => arrived,
                };
                self.harvest(tx, &message, &layers)?;
                let message = self.without_signature(message, &layers)?;
                let message = self.marked(tx, message, &layers, &judgement)?;
                actions::set_message(tx, &message)?;
                Ok(Verdict::Proceed)
            }
        }
    }
}

/// What becomes of a message, and why.
#[derive(Debug, PartialEq)]
struct Judgement {
    action: Action,
    /// That of the layer which decides; `none` when it is not S/MIME.
    state: String,
}

impl Inbound {
    fn judge(&self, layers: &Layers) -> Judgement {
        let gravest = layers.iter().max_by_key(|layer| {
            let action = self.action(state_of(layer));
            (action, &layer.state)
        });
        let Some(gravest) = gravest else {
            return Judgement {
                action: Action::Deliver,
                state: "none".to_owned(),
            };
        };
        let all_good = gravest.state.is_good() && layers.is_signed_by_sender();
        let state = match state_of(gravest) {
            state if all_good && state != SIGNER_MISMATCH => State::Valid.name(),
            state => state,
        };
        Judgement {
            action: match self.action(state_of(gravest)) {
                Action::Reject if was_decrypted(layers) => Action::Quarantine,
                action => action,
            },
            state: state.to_owned(),
        }
    }

    /// Without marks that only this filter makes.
    fn without_marks(&self, message: Message) -> Result<Message, Error> {
        let mut message = message;
        if let Some(name) = &self.header
            && message.header(name).is_some()
        {
            message = message.with_headers_removed(name)?;
        }
        if let Some(tag) = &self.subject_tag {
            let subject = message.subject();
            let untagged = tag.off(&subject);
            if untagged != subject {
                message = message.with_header_replaced("Subject", &untagged)?;
            }
        }
        Ok(message)
    }

    fn harvest(&self, tx: &Transaction, message: &Message, layers: &Layers) -> Result<(), Error> {
        let wanted = match self.harvest {
            Harvest::Valid => layers.is_signed_by_sender(),
            Harvest::All => layers.is_signed(),
            Harvest::Never => false,
        };
        if !wanted {
            return Ok(());
        }
        match harvest::harvest(tx, message) {
            // Nowhere to keep them, or not by the operator's rules: no reason to defer mail.
            Err(error) if !error.code().starts_with("harvest.") => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Around a closed envelope the signature stays: it is not the author's.
    fn without_signature(&self, message: Message, layers: &Layers) -> Result<Message, Error> {
        if self.signature == Signature::Keep || !layers.is_signed() || layers.is_closed() {
            return Ok(message);
        }
        match inspect::unwrap_signature(&message) {
            // A part below unsigned ones, or no signature that could be read.
            Err(error) if error.code() == "inspect.not-signed" => Ok(message),
            unwrapped => unwrapped,
        }
    }

    fn marked(
        &self,
        tx: &Transaction,
        message: Message,
        layers: &Layers,
        judgement: &Judgement,
    ) -> Result<Message, Error> {
        let mut message = message;
        if judgement.action == Action::Mark {
            if let Some(tag) = &self.subject_tag {
                let subject = tag.on(&message.subject(), &judgement.state);
                message = message.with_header_replaced("Subject", &subject)?;
            }
            if let Some(name) = &self.header {
                message = message.with_header_added(name, &judgement.state)?;
            }
        }
        let judged = layers.is_signed() || was_decrypted(layers);
        if self.authentication_results == Results::Add
            && judged
            && let Some(authserv_id) = tx.property("authserv-id")
        {
            let results = authentication_results(&authserv_id, layers);
            message = message.with_header_added("Authentication-Results", &results)?;
        }
        Ok(message)
    }
}

impl Judgement {
    fn refusal(&self) -> Reply {
        // RFC 3463 §3.8: X.7.7 for a broken signature, X.7.1 for all that policy refuses.
        let enhanced = if self.state == State::Invalid.name() {
            "5.7.7"
        } else {
            "5.7.1"
        };
        Reply::new(550, enhanced, format!("S/MIME: {}", self.state))
    }
}

/// The state that settings name.
fn state_of(layer: &Layer) -> &str {
    let valid = layer.kind == Kind::Signed && layer.state == State::Valid;
    if valid && !layer.is_signed_by_sender() {
        return SIGNER_MISMATCH;
    }
    layer.state.name()
}

/// Did a key of ours open a layer?
fn was_decrypted(layers: &Layers) -> bool {
    let mut envelopes = layers.iter().filter(|layer| layer.kind == Kind::Encrypted);
    envelopes.any(|layer| layer.state.is_good())
}

fn explain(judgement: &Judgement, layers: &Layers) {
    let words = layers
        .iter()
        .map(|layer| format!("{} {}", layer.kind, layer.state));
    let words = words.collect::<Vec<_>>().join(", ");
    let smime = !layers.is_empty();
    explain::rule(&judgement.state, smime, &[("layers", &words)]);
}

waxseal_guest::filter!(Inbound);
