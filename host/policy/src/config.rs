//! What a policy is made of, as values: the loader of the policy directory fills these in.

use bytes::Bytes;
use serde::Serialize;

use crate::dictionary::Dictionaries;
use crate::grants::Grants;
use crate::limits::FilterLimits;
use crate::lists::Lists;

/// One filter of the chain.
#[derive(Clone, Debug)]
pub struct FilterConfig {
    /// Name in messages, logs and traces; unique in the policy.
    pub name: String,
    /// The component's octets. Text (WAT) and precompiled code are refused.
    pub component: Bytes,
    /// What the octets must hash to, when the operator pinned them.
    pub sha256: Option<[u8; 32]>,
    /// What the filter may do.
    pub grants: Grants,
    /// What becomes of the message when the filter fails.
    pub on_error: OnError,
    /// Allows `OnError::Skip` for a filter that protects or decides: the operator has
    /// understood that its failure can let mail out as earlier filters left it.
    pub may_leak: bool,
    /// Runs even after an earlier filter's `accept`.
    pub always: bool,
    /// Settings, as JSON text.
    pub settings: String,
    /// What one evaluation may use.
    pub limits: FilterLimits,
}

impl FilterConfig {
    /// A filter without grants, settings or pin, that defers on failure.
    pub fn new(name: impl Into<String>, component: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            component: component.into(),
            sha256: None,
            grants: Grants::default(),
            on_error: OnError::default(),
            may_leak: false,
            always: false,
            settings: "null".to_owned(),
            limits: FilterLimits::default(),
        }
    }
}

/// What becomes of a message whose filter failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// 4xx: the sender's MTA tries again.
    #[default]
    Defer,
    /// 5xx.
    Reject,
    /// On to the next filter, without this one's changes; its obligations stay.
    Skip,
}

/// One generation's policy.
#[derive(Clone, Debug, Default)]
pub struct PolicyConfig {
    /// The chain, in order.
    pub filters: Vec<FilterConfig>,
    /// The operator's lists.
    pub lists: Lists,
    /// The operator's dictionaries, compiled.
    pub dictionaries: Dictionaries,
    /// Names of the sending profiles: what grants may name, and what `profiles.names`
    /// answers in `validate-config`.
    pub profiles: Vec<String>,
    /// Unix seconds: the clock of `validate-config`.
    pub time: i64,
}
