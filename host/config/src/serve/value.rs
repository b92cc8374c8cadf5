//! Values that only `serve.toml` has: durations, permissions, host names.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::Section;

/// A duration as `20s`, `500ms`, `2m` or `1h`.
pub(super) fn duration(section: &Section<'_>, key: &'static str) -> Option<Duration> {
    let value = section.value(key)?;
    let text = value.text()?;
    let parsed = parse_duration(text);
    if parsed.is_none() {
        let hint = Some("write it as 500ms, 20s, 2m or 1h, above zero and up to a day".to_owned());
        value.problem(format!("not a duration: {text}"), hint);
    }
    parsed
}

fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
    (1..=86_400_000)
        .contains(&millis)
        .then(|| Duration::from_millis(millis))
}

/// The permissions of a Unix socket, in octal: `0660`.
pub(super) fn mode(section: &Section<'_>) -> Option<u32> {
    let value = section.value("mode")?;
    let text = value.text()?;
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|mode| *mode <= 0o777 && text.len() >= 3);
    if mode.is_none() {
        let hint = Some("write permissions in octal, as 0660".to_owned());
        value.problem(format!("not permissions: {text}"), hint);
    }
    mode
}

/// A number that counts things in memory.
pub(super) fn count(
    section: &Section<'_>,
    key: &'static str,
    bounds: RangeInclusive<u64>,
) -> Option<usize> {
    usize::try_from(section.number(key, bounds)?).ok()
}

/// `hostname`: a domain of letters, digits, hyphens and dots (RFC 5321 §4.1.2).
pub(super) fn hostname(root: &Section<'_>) -> Option<String> {
    let value = root.value("hostname")?;
    let text = value.text()?;
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        value.problem(format!("not the name of a host: {text}"), None);
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        };
        check("500ms", Some(500));
        check("20s", Some(20_000));
        check("2m", Some(120_000));
        check("1h", Some(3_600_000));
        check("0s", None);
        check("25h", None);
        check("20", None);
        check("s", None);
        check("1.5s", None);
        check("99999999999999999999s", None);
    }
}
