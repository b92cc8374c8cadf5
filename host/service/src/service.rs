//! Admission: a bounded number of messages are worked on at a time, on threads of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use waxseal_engine::{Disposition, Engine, Outcome, Refused, Transaction};
use waxseal_policy::plan::Reply;

use crate::ending::Ending;

/// How much is worked on at a time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Messages processed at a time.
    pub workers: usize,
    /// How long a message waits for a worker before it is deferred.
    pub wait: Duration,
}

/// An engine with bounded admission.
pub struct Service {
    engine: Arc<Engine>,
    settings: Settings,
    workers: Arc<Semaphore>,
    count: AtomicU64,
}

/// A message that the policy has decided about. Its front end carries the outcome out, then
/// [concludes](Self::conclude); dropping it is [`Ending::Abandoned`].
pub struct Processed {
    /// Names the message in logs, replies and the record of decisions.
    pub id: String,
    /// What to do.
    pub outcome: Outcome,
}

impl Service {
    /// A service of this engine.
    pub fn new(engine: Arc<Engine>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            workers: Arc::new(Semaphore::new(settings.workers)),
            engine,
            settings,
            count: AtomicU64::new(0),
        })
    }

    /// A new name for a message: front ends write it into Received before they hand it in.
    pub fn new_id(&self) -> String {
        format!("{:08x}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets the policy decide. Total: overload and faults of our own are deferrals.
    pub async fn process(&self, id: String, transaction: Transaction) -> Processed {
        let workers = Arc::clone(&self.workers);
        let permit = tokio::time::timeout(self.settings.wait, workers.acquire_owned()).await;
        let outcome = match permit {
            Ok(Ok(permit)) => {
                let engine = Arc::clone(&self.engine);
                let work = tokio::task::spawn_blocking(move || {
                    let outcome = catch_unwind(AssertUnwindSafe(|| engine.process(transaction)));
                    drop(permit);
                    outcome
                });
                match work.await {
                    Ok(Ok(outcome)) => outcome,
                    _ => deferred("4.3.0", "internal error; try again later"),
                }
            }
            _ => deferred("4.3.2", "too busy; try again later"),
        };
        Processed { id, outcome }
    }
}

impl Processed {
    /// Says how the message ended.
    pub fn conclude(self, ending: Ending) {
        tracing::info!(
            id = self.id,
            generation = self.outcome.generation,
            ?ending,
            "message"
        );
    }
}

fn deferred(enhanced: &str, text: &str) -> Outcome {
    Outcome {
        disposition: Disposition::Defer(Refused {
            reply: Reply {
                code: 451,
                enhanced: Some(enhanced.to_owned()),
                text: text.to_owned(),
            },
            causes: Vec::new(),
        }),
        generation: String::new(),
        decision: None,
        harvested: Ok(0),
    }
}
