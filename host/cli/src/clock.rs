//! The clock: the system's, or a fixed time given on the command line so that a run can be
//! repeated exactly.

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
    parts(text).ok_or_else(|| "not a time like 2026-11-24T15:00:00Z or 2026-11-24".to_owned())
}

fn parts(text: &str) -> Option<Time> {
    let date = text.get(..10)?;
    let days = days(date)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Time::from_unix(days * 86_400));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let seconds = time_of_day(rest.get(..8)?)?;
    let zone = fraction_skipped(rest.get(8..)?)?;
    Some(Time::from_unix(days * 86_400 + seconds - offset(zone)?))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(date: &str) -> Option<i64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let index = usize::try_from(month - 1).ok()?;
    if year < 1970 || !(1..=*lengths.get(index)?).contains(&day) {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477; // 477 of them before 1970
    let months: i64 = lengths[..index].iter().sum();
    Some((year - 1970) * 365 + leap_days + months + day - 1)
}

fn time_of_day(text: &str) -> Option<i64> {
    let [hour, minute, second] = numbers(text, ':', [2, 2, 2])?;
    // RFC 3339 §5.7: 60 is a leap second.
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn fraction_skipped(text: &str) -> Option<&str> {
    match text.strip_prefix('.') {
        None => Some(text),
        Some(rest) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < rest.len()).then_some(zone)
        }
    }
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let [hour, minute] = numbers(rest, ':', [2, 2])?;
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

/// Exactly these numbers of decimal digits, with the separator between them.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut out = [0; N];
    let mut pieces = text.split(separator);
    for (value, digits) in out.iter_mut().zip(digits) {
        let piece = pieces.next()?;
        if piece.len() != digits || !piece.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        *value = piece.parse().ok()?;
    }
    pieces.next().is_none().then_some(out)
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
        check("2026-11-24T15:00:00Z", Some(1_795_532_400));
        check("2026-11-24T16:00:00+01:00", Some(1_795_532_400));
        check("2026-11-24T09:30:00.25-05:30", Some(1_795_532_400));
        check("2000-02-29T00:00:00Z", Some(951_782_400));
        check("2024-12-31T23:59:59Z", Some(1_735_689_599));
        check("2100-03-01", Some(4_107_542_400));
        check("2026-02-29", None);
        check("2026-13-01", None);
        check("2026-11-24T15:00:00", None);
        check("2026-11-24T25:00:00Z", None);
        check("yesterday", None);
        check("2026-11-2é", None);
    }
}
