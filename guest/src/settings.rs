//! From the operator's JSON to a filter's settings.
//!
//! Says where the first mistake is (`rules[3].when.subject`) and, for a key that
//! does not exist, which one was probably meant. Nothing is guessed: settings
//! that do not parse are not used.

use serde::de::DeserializeOwned;

use crate::ConfigProblem;

/// Reads settings. No text at all counts as `{}`.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, ConfigProblem> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let result = read(json);
    // `()` reads from null alone, and "no settings" is written `{}`.
    if result.is_err() && json.trim() == "{}" {
        return serde_json::from_str("null").or(result);
    }
    result
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, ConfigProblem> {
    let mut text = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut text).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        ConfigProblem::new(path, with_hint(&error.into_inner().to_string()))
    })?;
    text.end()
        .map_err(|error| ConfigProblem::new("", error.to_string()))?;
    Ok(value)
}

/// serde's "unknown field `subjet`, expected one of `subject`, `sender`" gets
/// the likely name; the words are fixed in `serde::de::Error::unknown_field`.
fn with_hint(message: &str) -> String {
    let Some((unknown, expected)) = message
        .strip_prefix("unknown field ")
        .or_else(|| message.strip_prefix("unknown variant "))
        .and_then(|rest| rest.split_once(", expected"))
    else {
        return message.to_owned();
    };
    let unknown = unknown.trim_matches('`');
    let known = expected.split('`').skip(1).step_by(2);
    match nearest(unknown, known) {
        Some(known) => format!("`{unknown}` is not known here; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

/// The name with the fewest edits, when those are few enough to be a slip.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        subject: String,
        #[serde(default)]
        sender: u8,
    }

    fn check(json: &str, path: &str, message: &str) {
        let problem = parse::<Outer>(json).unwrap_err();
        assert_eq!(
            (problem.path.as_str(), problem.message.as_str()),
            (path, message)
        );
    }

    #[test]
    fn names_the_place_and_the_likely_key() {
        check(
            r#"{"inner":[{"subject":"a"},{"subjet":"b"}]}"#,
            "inner[1].subjet",
            "`subjet` is not known here; did you mean `subject`?",
        );
        check(
            r#"{"inner":[{"subject":"a","sender":"x"}]}"#,
            "inner[0].sender",
            "invalid type: string \"x\", expected u8 at line 1 column 37",
        );
        check(
            r#"{"inner":[],"zzzzzz":1}"#,
            "zzzzzz",
            "unknown field `zzzzzz`, expected `inner` at line 1 column 20",
        );
        check("{} x", "", "missing field `inner` at line 1 column 2");
    }

    #[test]
    fn no_settings_are_the_empty_object() {
        for json in ["", " ", "{}", "null"] {
            assert_eq!(parse::<()>(json), Ok(()));
        }
        assert!(parse::<()>(r#"{"a":1}"#).is_err());
    }
}
