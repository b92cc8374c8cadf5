//! The transaction's clock.

use crate::bindings::waxseal::filter::clock as host;

/// Unix seconds, the same for the whole evaluation, so that a replay is exact.
pub fn now() -> f64 {
    host::now()
}
