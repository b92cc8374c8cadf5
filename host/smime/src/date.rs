//! Dates of RFC 5322 §3.3, only as far as a time zone is taken out of one.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// The same time in UTC, or `None` for what is no date. Comments are ignored.
pub(crate) fn to_utc(text: &str) -> Option<String> {
    let text = text.split('(').next()?;
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    let day: u8 = day.parse().ok()?;
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let mut clock = time.split(':').map(|number| number.parse::<u8>().ok());
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().map_or(Some(0), |second| second)?;
    let month_number = u8::try_from(month + 1).ok()?;
    // A leap second is the last second of its minute.
    let local = der::DateTime::new(
        year.parse().ok()?,
        month_number,
        day,
        hour,
        minute,
        second.min(59),
    );
    let local = i64::try_from(local.ok()?.unix_duration().as_secs()).ok()?;
    let utc = crate::time::Time::from_unix(local - offset(zone)?);
    let date = utc.date_time();
    let weekday = DAYS.get(usize::try_from(utc.unix().div_euclid(86_400).rem_euclid(7)).ok()?)?;
    let month = MONTHS.get(usize::from(date.month()) - 1)?;
    Some(format!(
        "{weekday}, {:02} {month} {} {:02}:{:02}:{:02} +0000",
        date.day(),
        date.year(),
        date.hour(),
        date.minutes(),
        date.seconds()
    ))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        // RFC 5322 §4.3.
        _ => return matches!(zone, "GMT" | "UT" | "Z").then_some(0),
    };
    let digits = zone.get(1..).filter(|digits| digits.len() == 4)?;
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones() {
        for (text, expected) in [
            (
                "Tue, 24 Nov 2026 15:00:00 +0100",
                Some("Tue, 24 Nov 2026 14:00:00 +0000"),
            ),
            (
                " 1 Jan 2026 00:30 +0530 (IST)\r\n",
                Some("Wed, 31 Dec 2025 19:00:00 +0000"),
            ),
            (
                "Thu, 1 Jan 1970 00:00:00 GMT",
                Some("Thu, 01 Jan 1970 00:00:00 +0000"),
            ),
            ("Tue, 24 Nov 2026 15:00:00 CET", None),
            ("yesterday", None),
        ] {
            assert_eq!(to_utc(text).as_deref(), expected, "{text}");
        }
    }
}
