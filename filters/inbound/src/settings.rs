//! What an operator may write. The doc comments of this file are the descriptions
//! in `schema.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use waxseal_guest::{ConfigProblem, inspect::State};

use crate::tag::Tag;

/// The valid signature of somebody else than the sender: a state of the message.
pub(crate) const SIGNER_MISMATCH: &str = "signer-mismatch";

/// Settings of the stock filter `inbound`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Inbound {
    /// Whether envelopes are opened.
    pub(crate) decrypt: Decrypt,
    /// What becomes of a signature that was looked at. Of a triple-wrapped message
    /// this is the inner one; the outer one comes off with the envelope.
    pub(crate) signature: Signature,
    /// Whose certificates are kept for later encryption.
    pub(crate) harvest: Harvest,
    /// Whether the result is written into Authentication-Results. Needs
    /// `[origin] authserv-id` in the policy.
    pub(crate) authentication_results: Results,
    /// The field of a marked message that holds its state; begins with `X-`. Null for
    /// none.
    pub(crate) header: Option<String>,
    /// What is put before the subject of a marked message; `{state}` in it becomes the
    /// state.
    pub(crate) subject_tag: Option<Tag>,
    /// What becomes of a message, by its state. Those that are not named keep their
    /// defaults.
    pub(crate) states: BTreeMap<Name, Action>,
}

/// Whether envelopes are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decrypt {
    /// For each recipient whose key opens it.
    #[default]
    WhenPossible,
    /// They stay closed.
    Never,
}

/// What becomes of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Signature {
    /// It stays.
    #[default]
    Keep,
    /// It comes off, good or bad, so that every mail program can show the content.
    Remove,
}

/// Whose certificates are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Harvest {
    /// Those of senders whose signatures are valid.
    #[default]
    Valid,
    /// Those of all signers, as far as the operator's rules keep them.
    All,
    /// Nobody's.
    Never,
}

/// Whether Authentication-Results says what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Results {
    /// Of signed messages and of those that were opened.
    #[default]
    Add,
    /// Never.
    Off,
}

/// What becomes of a message, the gravest last: of several layers, that of the worst
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// It is delivered.
    Deliver,
    /// It is delivered with `header` and `subject-tag`.
    Mark,
    /// It is refused. Where something was decrypted it is quarantined instead: a reply
    /// would tell strangers what decrypts.
    Reject,
    /// It is kept for a person to look at, as it came.
    Quarantine,
}

/// A state by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name != SIGNER_MISMATCH && !State::NAMES.contains(&name.as_str()) {
            return Err(de::Error::unknown_variant(&name, State::NAMES));
        }
        Ok(Name(name))
    }
}

impl Default for Inbound {
    fn default() -> Self {
        Inbound {
            decrypt: Decrypt::default(),
            signature: Signature::default(),
            harvest: Harvest::default(),
            authentication_results: Results::default(),
            header: Some("X-Waxseal-SMIME".to_owned()),
            subject_tag: None,
            states: BTreeMap::new(),
        }
    }
}

/// States that tell what a key of ours does with a message.
const SECRET: [&str; 4] = [
    "decrypted",
    "decrypted-unauthenticated",
    "damaged",
    "suspicious",
];

impl Inbound {
    pub(crate) fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let is_extension = |name: &str| {
            let name = name.strip_prefix("X-").unwrap_or_default();
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        };
        if let Some(name) = self.header.as_deref().filter(|name| !is_extension(name)) {
            let message = format!("not the name of a field of your own, such as X-SMIME: {name}");
            problems.push(ConfigProblem::new("header", message));
        }
        for name in SECRET {
            if self.states.get(&Name(name.to_owned())) == Some(&Action::Reject) {
                let message = "a refusal would tell strangers what decrypts: use quarantine";
                problems.push(ConfigProblem::new(format!("states.{name}"), message));
            }
        }
        problems
    }

    /// What becomes of a message in this state.
    pub(crate) fn action(&self, state: &str) -> Action {
        let set = self.states.get(&Name(state.to_owned())).copied();
        set.unwrap_or(match state {
            "present" | "expanded" | "valid" => Action::Deliver,
            "decrypted" | "decrypted-unauthenticated" => Action::Deliver,
            // As it came: whoever has the key opens it.
            "closed" | "no-key" => Action::Deliver,
            "suspicious" => Action::Quarantine,
            _ => Action::Mark,
        })
    }
}
