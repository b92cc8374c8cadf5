//! What sources outside of the generation answered, for the length of one transaction.
//!
//! A candidate that is asked about the same message after the active generation takes these
//! answers where it asks the same place about the same address: a directory that changed
//! between the two is no difference of theirs, and it is asked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use waxseal_message::Address;
use waxseal_smime::{CertificateSource, Found, SourceError};

type Answer = Result<Vec<Found>, SourceError>;

/// Answers by place and address. Cheap to clone; clones share.
#[derive(Clone, Default)]
pub struct LookUps {
    answers: Arc<Mutex<HashMap<(String, Address), Answer>>>,
}

impl LookUps {
    /// The source's answer; what its place answered already, if it has one.
    pub(crate) fn find(&self, source: &dyn CertificateSource, address: &Address) -> Answer {
        let Some(place) = source.place() else {
            return source.find(address);
        };
        let key = (place, address.clone());
        if let Some(answer) = self.lock().get(&key) {
            return answer.clone();
        }
        let answer = source.find(address);
        self.lock().insert(key, answer.clone());
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, Address), Answer>> {
        // A poisoned cache is still a cache: every entry was inserted whole.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for LookUps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LookUps({})", self.lock().len())
    }
}
