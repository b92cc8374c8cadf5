//! The system's clock.

use std::time::SystemTime;
use waxseal_message::unix_seconds;
use waxseal_smime::{Clock, Time};

/// The time that the system says it is; before 1970 it is 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_unix(unix_seconds(SystemTime::now()))
    }
}
