//! The clock: the system's, or a fixed time given on the command line so that a run can be
//! repeated exactly.

use waxseal_message::{Date, DateTime};
use waxseal_smime::{Clock, Time};
use waxseal_stores::SystemClock;

/// What time it is for this command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CommandClock {
    /// The system's clock.
    System,
    /// Always this time.
    Fixed(Time),
}

impl From<Option<Time>> for CommandClock {
    fn from(at: Option<Time>) -> Self {
        at.map_or(Self::System, Self::Fixed)
    }
}

impl Clock for CommandClock {
    fn now(&self) -> Time {
        match self {
            Self::Fixed(time) => *time,
            Self::System => SystemClock.now(),
        }
    }
}

/// Reads a time of RFC 3339 (`2026-11-24T15:00:00+01:00`), or a date, whose midnight in UTC it
/// means.
pub(crate) fn parse(text: &str) -> Result<Time, String> {
    let midnight = || Date::from_rfc3339(text)?.at(0, 0, 0);
    let time = DateTime::from_rfc3339(text).or_else(midnight);
    time.map(|time| Time::from_unix(time.unix()))
        .filter(|time| *time >= Time::from_unix(0))
        .ok_or_else(|| "not a time like 2026-11-24T15:00:00Z or 2026-11-24".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(parse(text).ok().map(Time::unix), expected, "{text}");
        };
        check("1970-01-01", Some(0));
        check("2026-11-24", Some(1_795_478_400));
        check("2026-11-24T16:00:00+01:00", Some(1_795_532_400));
        check("1969-12-31", None);
        check("2026-02-29", None);
        check("2026-11-24T15:00:00", None);
        check("yesterday", None);
    }
}
