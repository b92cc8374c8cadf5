//! Whether the next hops can be reached. Nothing depends on it: it is for who looks at the
//! service, while mail is deferred by what the next hop says at the time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;
use waxseal_smime::Clock;
use waxseal_stores::SystemClock;

use crate::serve::front::Relays;
use crate::serve::reload::lock;
use crate::serve::status::NextHopStatus;

/// How often they are asked. A relay remembers what it heard for as long.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long one may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The next hops, and how they last answered.
pub(crate) struct NextHops {
    pub(crate) relays: Relays,
    states: Mutex<BTreeMap<String, NextHopStatus>>,
}

impl NextHops {
    /// Nothing was asked yet.
    pub(crate) fn new(relays: Relays) -> Self {
        let state = |name: &String| NextHopStatus {
            name: name.clone(),
            address: relays[name].settings().address.to_string(),
            asked: None,
            error: None,
        };
        let states = relays.keys().map(|name| (name.clone(), state(name)));
        Self {
            states: Mutex::new(states.collect()),
            relays,
        }
    }

    /// As they last answered.
    pub(crate) fn status(&self) -> Vec<NextHopStatus> {
        lock(&self.states).values().cloned().collect()
    }

    /// Asks each of them now and then, for ever.
    pub(crate) async fn ask(&self) {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            for (name, relay) in &self.relays {
                let error = match timeout(PATIENCE, relay.capabilities()).await {
                    Ok(Ok(_)) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("it does not answer".to_owned()),
                };
                self.answered(name, error);
            }
        }
    }

    fn answered(&self, name: &str, error: Option<String>) {
        let up = if error.is_none() { 1.0 } else { 0.0 };
        metrics::gauge!("waxseal_next_hop_up", "hop" => name.to_owned()).set(up);
        let mut states = lock(&self.states);
        let Some(state) = states.get_mut(name) else {
            return;
        };
        match (&state.error, &error) {
            (None, Some(error)) => tracing::warn!(hop = name, error, "a next hop is away"),
            (Some(_), None) => tracing::info!(hop = name, "a next hop is there again"),
            _ => {}
        }
        state.asked = Some(SystemClock.now().to_string());
        state.error = error;
    }
}
