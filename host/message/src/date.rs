//! Dates and times of day in UTC: as days and seconds since 1970, as mail writes them
//! (RFC 5322 §3.3), and as everything else does (RFC 3339).
//!
//! Years have four digits, 0 to 9999. No clock is read here.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Since 1970-01-01: 0000-01-01 and 9999-12-31.
const DAYS: (i64, i64) = (-719_528, 2_932_896);
const SECONDS_OF_A_DAY: i64 = 86_400;
/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A date of the Gregorian calendar. Prints as in RFC 3339: `2026-11-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u16,
    day: u16,
}

/// A date and time of day in UTC. Prints as in RFC 3339: `2026-11-24T15:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// Within `DAYS`.
    unix: i64,
}

/// Seconds since 1970; a clock before that is no clock.
pub fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Date {
    /// `None`: the calendar does not have it.
    pub fn new(year: u16, month: u16, day: u16) -> Option<Self> {
        let date = Self { year, month, day };
        let is_date = year <= 9999 && (1..=12).contains(&month);
        (is_date && Self::from_days(date.days()) == date).then_some(date)
    }

    /// The date so many days after 1970-01-01, held at the ends of the range.
    pub fn from_days(days: i64) -> Self {
        // Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so
        // that the odd day is their last, and 400 of them are an era of as many days as any.
        let days = days.clamp(DAYS.0, DAYS.1) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + years + i64::from(month <= 2);
        Self {
            year: year as u16, // Four digits, two, and two.
            month: month as u16,
            day: day as u16,
        }
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leaps + of_year - 719_468
    }

    /// Reads `2026-11-24`: full-date of RFC 3339 §5.6.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
        Self::new(year, month, day)
    }

    /// A time of this day. Second 60, a leap second, is the first second after the minute.
    pub fn at(self, hour: u16, minute: u16, second: u16) -> Option<DateTime> {
        let is_time = hour < 24 && minute < 60 && second <= 60;
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        is_time.then(|| DateTime::from_unix(self.days() * SECONDS_OF_A_DAY + of_day))
    }
}

impl DateTime {
    /// The time so many seconds after 1970-01-01T00:00:00Z, held at the ends of the range.
    pub fn from_unix(seconds: i64) -> Self {
        let (first, last) = DAYS;
        Self {
            unix: seconds.clamp(first * SECONDS_OF_A_DAY, (last + 1) * SECONDS_OF_A_DAY - 1),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
    pub fn unix(self) -> i64 {
        self.unix
    }

    /// Reads `2026-11-24T15:00:00+01:00`: date-time of RFC 3339 §5.6. Fractions of a second are
    /// passed over.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (time, zone) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let local = Date::from_rfc3339(date)?.at(hour, minute, second)?;
        let zone = without_fraction(zone)?;
        let east = match zone {
            "Z" | "z" => 0,
            _ => offset(zone, ":")?,
        };
        Some(Self::from_unix(local.unix - east))
    }

    /// Reads `Tue, 24 Nov 2026 15:00:00 +0100`: date-time of RFC 5322 §3.3. The name of the day
    /// and comments at the end are passed over. Of the obsolete zones (§4.3) only UTC's names
    /// are known.
    pub fn from_rfc5322(text: &str) -> Option<Self> {
        let text = text.split('(').next()?;
        let text = text.split_once(',').map_or(text, |(_, rest)| rest);
        let mut words = text.split_whitespace();
        let (day, month, year) = (words.next()?, words.next()?, words.next()?);
        let (time, zone) = (words.next()?, words.next()?);
        let is_month = |name: &&str| name.eq_ignore_ascii_case(month);
        let month = 1 + MONTHS.iter().position(is_month)?;
        let year = number(year).filter(|year| *year >= 1900)?;
        let date = Date::new(year, u16::try_from(month).ok()?, number(day)?)?;
        let mut time = time.split(':');
        let (hour, minute) = (number(time.next()?)?, number(time.next()?)?);
        let second = time.next().map_or(Some(0), number)?;
        let east = match zone {
            "GMT" | "UT" | "Z" => 0,
            _ => offset(zone, "")?,
        };
        let local = date.at(hour, minute, second)?;
        Some(Self::from_unix(local.unix - east))
    }

    /// `Tue, 24 Nov 2026 15:00:00 +0000`: date-time of RFC 5322 §3.3.
    pub fn to_rfc5322(self) -> String {
        let days = self.days();
        let Date { year, month, day } = Date::from_days(days);
        let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
        let month = MONTHS[usize::from(month) - 1];
        let time = self.time_of_day();
        format!("{weekday}, {day:02} {month} {year:04} {time} +0000")
    }

    fn days(self) -> i64 {
        self.unix.div_euclid(SECONDS_OF_A_DAY)
    }

    /// `15:00:00`.
    fn time_of_day(self) -> String {
        let second = self.unix.rem_euclid(SECONDS_OF_A_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

impl From<SystemTime> for DateTime {
    fn from(time: SystemTime) -> Self {
        Self::from_unix(unix_seconds(time))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Date::from_days(self.days());
        write!(f, "{date}T{}Z", self.time_of_day())
    }
}

/// Decimal digits and nothing else.
fn number(digits: &str) -> Option<u16> {
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Exactly these numbers of decimal digits, with the separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u16; N]> {
    let mut out = [0; N];
    let mut pieces = text.split(separator);
    for (value, digits) in out.iter_mut().zip(digits) {
        let piece = pieces.next().filter(|piece| piece.len() == digits)?;
        *value = number(piece)?;
    }
    pieces.next().is_none().then_some(out)
}

fn without_fraction(text: &str) -> Option<&str> {
    match text.strip_prefix('.') {
        None => Some(text),
        Some(rest) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < rest.len()).then_some(zone)
        }
    }
}

/// Seconds east of Greenwich: a sign, two digits of hours, the separator, two of minutes.
fn offset(zone: &str, separator: &str) -> Option<i64> {
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let (hour, rest) = rest.split_at_checked(2)?;
    let minute = rest.strip_prefix(separator)?;
    let (hour, minute) = (number(hour)?, number(minute).filter(|_| minute.len() == 2)?);
    let is_offset = hour < 24 && minute < 60;
    is_offset.then(|| sign * (i64::from(hour) * 3600 + i64::from(minute) * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Expected values are of `date -u -R -d @N`.
    #[test]
    fn times_are_written() {
        let check = |seconds: i64, mail: &str, other: &str| {
            let time = DateTime::from_unix(seconds);
            assert_eq!(time.to_rfc5322(), mail);
            assert_eq!(time.to_string(), other);
            assert_eq!(DateTime::from_rfc3339(other), Some(time));
        };
        let check_day = |days, mail, other| check(days * SECONDS_OF_A_DAY, mail, other);
        check(
            -5,
            "Wed, 31 Dec 1969 23:59:55 +0000",
            "1969-12-31T23:59:55Z",
        );
        check_day(0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z");
        check(
            951_782_399,
            "Mon, 28 Feb 2000 23:59:59 +0000",
            "2000-02-28T23:59:59Z",
        );
        check(
            951_782_400,
            "Tue, 29 Feb 2000 00:00:00 +0000",
            "2000-02-29T00:00:00Z",
        );
        check(
            1_795_532_400,
            "Tue, 24 Nov 2026 15:00:00 +0000",
            "2026-11-24T15:00:00Z",
        );
        check_day(
            47_541,
            "Mon, 01 Mar 2100 00:00:00 +0000",
            "2100-03-01T00:00:00Z",
        );
        let ends = [i64::MIN, i64::MAX].map(|end| DateTime::from_unix(end).to_string());
        assert_eq!(ends, ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]);
    }

    #[test]
    fn only_dates_of_the_calendar_are_dates() {
        for (text, days) in [
            ("0000-01-01", Some(DAYS.0)),
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2026-11-29", Some(20_786)),
            ("2100-02-28", Some(47_540)),
            ("9999-12-31", Some(DAYS.1)),
            ("2026-02-29", None),
            ("2100-02-29", None),
            ("2026-11-31", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("2026-1-01", None),
            ("+026-01-01", None),
            ("2026-01-01-", None),
            ("yesterday", None),
        ] {
            assert_eq!(Date::from_rfc3339(text).map(Date::days), days, "{text}");
        }
    }

    #[test]
    fn times_of_rfc_3339_are_read() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(
                DateTime::from_rfc3339(text).map(DateTime::unix),
                expected,
                "{text}"
            );
        };
        check("2026-11-24T16:00:00+01:00", Some(1_795_532_400));
        check("2026-11-24t09:30:00.25-05:30", Some(1_795_532_400));
        check("2024-12-31 23:59:59z", Some(1_735_689_599));
        check("2016-12-31T23:59:60Z", Some(1_483_228_800));
        check("2026-11-24T15:00:00", None);
        check("2026-11-24T15:00:00.Z", None);
        check("2026-11-24T15:00:00+0100", None);
        check("2026-11-24T15:00:00+01:60", None);
        check("2026-11-24T25:00:00Z", None);
        check("2026-11-24T15:00Z", None);
        check("2026-11-24", None);
        check("2026-11-2é", None);
    }

    #[test]
    fn times_of_rfc_5322_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            let read = DateTime::from_rfc5322(text).map(DateTime::to_rfc5322);
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check(
            "Tue, 24 Nov 2026 15:00:00 +0100",
            Some("Tue, 24 Nov 2026 14:00:00 +0000"),
        );
        check(
            " 1 jan 2026 00:30 +0530 (IST)\r\n",
            Some("Wed, 31 Dec 2025 19:00:00 +0000"),
        );
        check(
            "Thu, 1 Jan 1970 00:00:00 GMT",
            Some("Thu, 01 Jan 1970 00:00:00 +0000"),
        );
        check("Tue, 24 Nov 2026 15:00:00 CET", None);
        check("Tue, 24 Nov 2026 15:00:00 +01:00", None);
        check("Tue, 24 Nov 2026 15:00:00 +01", None);
        check("Tue, 24 Nov 26 15:00:00 +0100", None);
        check("Sat, 31 Nov 2026 15:00:00 +0100", None);
        check("yesterday", None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds: i64) {
            let time = DateTime::from_unix(seconds % (3000 * 366 * SECONDS_OF_A_DAY));
            prop_assert_eq!(DateTime::from_rfc3339(&time.to_string()), Some(time));
            let date = Date::from_days(time.days());
            prop_assert_eq!(date.days(), time.days());
            if date.year >= 1900 {
                prop_assert_eq!(DateTime::from_rfc5322(&time.to_rfc5322()), Some(time));
            }
        }

        #[test]
        fn no_text_is_too_odd(text: String) {
            let _ = DateTime::from_rfc3339(&text);
            let _ = DateTime::from_rfc5322(&text);
        }
    }
}
