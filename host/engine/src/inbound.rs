//! How received mail is opened and judged.

use std::sync::Arc;

use waxseal_smime::{NoAnchors, Trust};

/// The operator's rules for received mail.
#[derive(Clone)]
pub struct Inbound {
    /// Judges signers' certificates. `None`: there are no anchors, and nobody is trusted.
    pub trust: Option<Arc<dyn Trust>>,
    /// Algorithms and keys that rule 11 has for reading only are read, and reported.
    pub allow_weak: bool,
    /// Seconds by which a signer's clock may be ahead of ours.
    pub clock_skew: i64,
}

impl Default for Inbound {
    /// No anchors, nothing weak, five minutes.
    fn default() -> Self {
        Self {
            trust: None,
            allow_weak: false,
            clock_skew: 300,
        }
    }
}

impl Inbound {
    pub(crate) fn trust(&self) -> &dyn Trust {
        match &self.trust {
            Some(trust) => &**trust,
            None => &NoAnchors,
        }
    }
}
