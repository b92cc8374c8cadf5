//! Points in time, and the clock that gives them. The crate reads no clock of its own: who
//! calls it says what time it is, so that a replay gives the same answer.

use der::Encode;
use std::fmt;
use waxseal_message::DateTime;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// Says what time it is. An implementation must not go backwards by more than clock skew.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;
}

impl Time {
    /// The time this many seconds after the epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This time moved by a number of seconds, held at the ends of the range.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// DER of the Time that certificates and signing times have: UTCTime to 2049,
    /// GeneralizedTime after (RFC 5280 §4.1.2.5, RFC 5652 §11.3). Years before 1970 are held at
    /// 1970 and after 9999 at 9999.
    pub(crate) fn to_der(self) -> Result<Vec<u8>, der::Error> {
        let seconds = u64::try_from(self.0).unwrap_or(0);
        let duration = std::time::Duration::from_secs(seconds);
        let date_time =
            der::DateTime::from_unix_duration(duration).unwrap_or(der::DateTime::INFINITY);
        match der::asn1::UtcTime::from_date_time(date_time) {
            Ok(utc) => utc.to_der(),
            Err(_) => der::asn1::GeneralizedTime::from_date_time(date_time).to_der(),
        }
    }
}

impl From<der::DateTime> for Time {
    fn from(date_time: der::DateTime) -> Self {
        let seconds = date_time.unix_duration().as_secs();
        Self(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Time {
    /// RFC 3339, for example `2026-11-24T15:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DateTime::from_unix(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(
            Time::from_unix(1_795_532_400).to_string(),
            "2026-11-24T15:00:00Z"
        );
        assert_eq!(Time::from_unix(-5).to_string(), "1969-12-31T23:59:55Z");
    }
}
