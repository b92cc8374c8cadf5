//! The way back: what the demonstration made is opened again, with the key of the first
//! recipient of each copy, and its signer's path checked to the throw-away CA.

use std::path::Path;

use waxseal_engine::Outcome;
use waxseal_message::{Limits, Message};
use waxseal_pki::{RevocationMode, Settings, TrustPolicy};
use waxseal_smime::open::{Opened, Opening, SignerRule, open};
use waxseal_smime::{Identity, Time};
use waxseal_stores::{load_certificates, load_identity};

use crate::commands::run::copies;
use crate::crypto::provider;
use crate::report::Failure;

/// A copy, opened again.
pub(super) struct Back {
    /// Its layers with their states, outermost first.
    pub(super) line: String,
    /// Everything was opened, and all signatures are valid, trusted and the sender's own.
    pub(super) is_good: bool,
}

/// Opens every copy that has layers.
pub(super) fn opened(outcome: &Outcome, dir: &Path, now: Time) -> Result<Vec<Back>, Failure> {
    let settings = Settings {
        revocation: RevocationMode::Off,
        ..Settings::default()
    };
    let anchors = load_certificates(&dir.join("ca/ca.pem"))?;
    let trust = TrustPolicy::new(anchors, settings, provider().clone());
    let mut all = Vec::new();
    for copy in copies::of(outcome) {
        if copy.layers.is_empty() {
            continue;
        }
        let first = copy.recipients.first();
        let identities = match first {
            Some(first) => keys_of(&first.address.to_string(), dir)?,
            None => Vec::new(),
        };
        all.push(back(&open_with(&copy.message, &identities, &trust, now)));
    }
    Ok(all)
}

fn keys_of(address: &str, dir: &Path) -> Result<Vec<Identity>, Failure> {
    let file = dir.join("keys").join(format!("{address}.pem"));
    if !file.exists() {
        return Ok(Vec::new());
    }
    Ok(load_identity(address, &file, None, None, provider().as_ref())?.identities)
}

fn open_with(message: &Message, keys: &[Identity], trust: &TrustPolicy, now: Time) -> Opened {
    let limits = Limits::default();
    let opening = Opening {
        provider: provider().as_ref(),
        now,
        limits: &limits,
        keys: keys.iter().collect(),
        secrets: &[],
        trust: Some(trust),
        certificates: &[],
        allow_weak: false,
        clock_skew: 300,
    };
    open(message, &opening)
}

fn back(opened: &Opened) -> Back {
    let layers = opened.layers.iter();
    let layers = layers.map(|layer| format!("{} {}", layer.kind.form(), layer.state));
    let verdict = opened.verdict(SignerRule::Author);
    Back {
        line: format!(
            "{} → {}",
            layers.collect::<Vec<_>>().join(", "),
            verdict.name()
        ),
        is_good: verdict.is_good(),
    }
}
