//! Why a decision came about: kept with the decision, shown by `waxseal explain`.

use crate::{bindings::waxseal::filter::explain as host, log};

/// A rule was looked at.
pub fn rule(id: &str, matched: bool, facts: &[(&str, &str)]) {
    log::with_pairs(facts, |facts| host::rule(id, matched, facts));
}
