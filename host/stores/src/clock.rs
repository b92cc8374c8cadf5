//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};
use waxseal_smime::{Clock, Time};

/// The time that the system says it is; before 1970 it is 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}
