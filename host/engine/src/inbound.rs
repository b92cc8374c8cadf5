//! How received mail is opened and judged.

use std::sync::Arc;

use waxseal_smime::{Certificate, Distrust, DistrustKind, Path, Trust, TrustRequest};

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
            None => &Nobody,
        }
    }
}

/// Without anchors a signature proves that its signer has a key, and not who that is.
struct Nobody;

impl Trust for Nobody {
    fn judge(&self, certificate: &Certificate, _: &TrustRequest<'_>) -> Result<Path, Distrust> {
        Err(Distrust {
            kind: DistrustKind::Untrusted,
            code: "path.no-anchors",
            message: "no anchors are configured, so no signer is trusted".to_owned(),
            subject: Some(certificate.subject()),
        })
    }
}
