//! Signatures that were found right.
//!
//! That a key made a signature is a fact without a date: what was so for one message is so for
//! every other. Everything that has a date (validity, lists and how fresh they are), that is
//! policy (rule 11, purposes, names), and the bound on signatures of one question is looked at
//! anew each time, so that an answer never depends on what is remembered; only its time does.
//! Signatures that were found wrong are not kept.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Facts in one half: half a megabyte for both.
const HALF: usize = 4_096;

/// SHA-256 of the certificate or list that bears the signature, and of the key.
pub(crate) type Fact = ([u8; 32], [u8; 32]);

/// Facts that were asked for lately: at least [`HALF`], at most twice as many.
#[derive(Default)]
pub(crate) struct RightSignatures(Mutex<Halves>);

/// The older half goes when the younger one is full.
#[derive(Default)]
struct Halves {
    younger: HashSet<Fact>,
    older: HashSet<Fact>,
}

impl RightSignatures {
    pub(crate) fn knows(&self, fact: &Fact) -> bool {
        let mut halves = self.lock();
        if halves.younger.contains(fact) {
            return true;
        }
        let known = halves.older.contains(fact);
        if known {
            halves.keep(*fact);
        }
        known
    }

    pub(crate) fn keep(&self, fact: Fact) {
        self.lock().keep(fact);
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        // Whatever happened to another thread, every fact in it is one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn keep(&mut self, fact: Fact) {
        if self.younger.len() >= HALF {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(fact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(number: usize) -> Fact {
        let mut first = [0; 32];
        first[..8].copy_from_slice(&number.to_le_bytes());
        (first, [0; 32])
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let right = RightSignatures::default();
        for number in 0..10 * HALF {
            right.keep(fact(number));
            assert!(right.knows(&fact(0)), "after {number}");
        }
        assert!(!right.knows(&fact(1)));
        assert!(right.knows(&fact(10 * HALF - 1)));
        let halves = right.lock();
        assert!(halves.younger.len() <= HALF && halves.older.len() <= HALF);
    }

    #[test]
    fn another_key_is_another_fact() {
        let right = RightSignatures::default();
        right.keep(([1; 32], [2; 32]));
        assert!(!right.knows(&([1; 32], [3; 32])));
        assert!(!right.knows(&([2; 32], [2; 32])));
    }
}
