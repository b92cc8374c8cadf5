//! Counters and observations, exported by the host under the filter's name.

use crate::{bindings::waxseal::filter::metrics as host, log};

/// Adds to a counter.
pub fn count(name: &str, delta: u32, labels: &[(&str, &str)]) {
    log::with_pairs(labels, |labels| host::count(name, delta, labels));
}

/// One observation of a quantity.
pub fn observe(name: &str, value: f64, labels: &[(&str, &str)]) {
    log::with_pairs(labels, |labels| host::observe(name, value, labels));
}
