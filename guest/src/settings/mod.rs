//! From the operator's JSON to a filter's settings.
//!
//! Says where the first mistake is (`rules[3].when.subject`) and, for a key that
//! does not exist, which one was probably meant. A key that is given twice is a
//! mistake too. Nothing is guessed: settings that do not parse are not used.
//!
//! The text is read into a tree and the settings from that, by code that is the
//! same for every type: a filter is small where each type does not bring a JSON
//! parser of its own.

mod hint;
mod read;
mod tree;

use std::{fmt, marker::PhantomData};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};

use crate::ConfigProblem;

/// Reads settings. No text at all counts as `{}`, which is also what `()` reads.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, ConfigProblem> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let tree: tree::Tree =
        serde_json::from_str(json).map_err(|error| ConfigProblem::new("", error.to_string()))?;
    T::deserialize(read::Node(&tree)).map_err(read::Mistake::into_problem)
}

/// Reads one entry or a list of them, for `#[serde(deserialize_with)]`. An empty
/// list is a mistake: it would never match anything.
pub fn one_or_many<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Entries<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an entry or a list of entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = seq.next_element()? {
                entries.push(entry);
            }
            if entries.is_empty() {
                return Err(Error::custom("an empty list never matches"));
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_tuple_struct(read::ONE_OR_MANY, 1, Entries(PhantomData))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
        #[serde(default)]
        choice: Option<Choice>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(deserialize_with = "one_or_many")]
        subject: Vec<String>,
        #[serde(default)]
        number: u8,
        #[serde(default)]
        share: f64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Choice {
        Plain,
        With(u16),
        Fields { deep: i8 },
    }

    fn inner(subject: &[&str], number: u8, share: f64) -> Inner {
        let subject = subject.iter().map(|text| (*text).to_owned()).collect();
        Inner {
            subject,
            number,
            share,
        }
    }

    #[test]
    fn settings_are_read() {
        let read = |choice: &str| {
            parse::<Outer>(&format!(r#"{{"inner":[],"choice":{choice}}}"#)).map(|it| it.choice)
        };
        assert_eq!(read(r#""plain""#), Ok(Some(Choice::Plain)));
        assert_eq!(read(r#"{"with":7}"#), Ok(Some(Choice::With(7))));
        assert_eq!(
            read(r#"{"fields":{"deep":-3}}"#),
            Ok(Some(Choice::Fields { deep: -3 }))
        );
        assert_eq!(read("null"), Ok(None));
        let outer = parse::<Outer>(
            r#"{"inner":[{"subject":"é\n"},{"subject":["a","b"],"number":255,"share":0.5}]}"#,
        );
        let expected = vec![inner(&["é\n"], 0, 0.0), inner(&["a", "b"], 255, 0.5)];
        assert_eq!(outer.unwrap().inner, expected);
    }

    #[track_caller]
    fn wrong(json: &str, path: &str, message: &str) {
        let problem = parse::<Outer>(json).unwrap_err();
        assert_eq!(
            (problem.path.as_str(), problem.message.as_str()),
            (path, message)
        );
    }

    #[test]
    fn a_mistake_has_its_place() {
        wrong(
            r#"{"inner":[{"subject":"a"},{"subjet":"b"}]}"#,
            "inner[1].subjet",
            "not known here; did you mean `subject`?",
        );
        wrong(
            r#"{"inner":[{"subject":"a","number":"x"}]}"#,
            "inner[0].number",
            "invalid type: string \"x\", expected u8",
        );
        wrong(
            r#"{"inner":[{"subject":"a","number":256}]}"#,
            "inner[0].number",
            "invalid value: integer `256`, expected u8",
        );
        wrong(
            r#"{"inner":[],"zzzzzz":1}"#,
            "zzzzzz",
            "not known here; known are `inner`, `choice`",
        );
        wrong(
            r#"{"inner":[{"subject":["a",7]}]}"#,
            "inner[0].subject[1]",
            "invalid type: integer `7`, expected a string",
        );
        wrong(
            r#"{"inner":[{"subject":[]}]}"#,
            "inner[0].subject",
            "an empty list never matches",
        );
        wrong(
            r#"{"inner":[],"choice":"plane"}"#,
            "choice",
            "`plane` is not known here; did you mean `plain`?",
        );
        wrong(
            r#"{"inner":[],"choice":{"with":"x"}}"#,
            "choice.with",
            "invalid type: string \"x\", expected u16",
        );
        wrong(
            r#"{"inner":[],"choice":"with"}"#,
            "choice",
            "`with` needs a value",
        );
        wrong(
            r#"{"inner":[],"choice":{"plain":1}}"#,
            "choice",
            "`plain` takes no value",
        );
        wrong("{}", "", "missing field `inner`");
        wrong("[", "", "EOF while parsing a list at line 1 column 1");
        wrong("{} x", "", "trailing characters at line 1 column 4");
        wrong(
            r#"{"inner":[],"inner":[]}"#,
            "",
            "the key `inner` is given twice at line 1 column 19",
        );
    }

    #[test]
    fn no_settings_are_the_empty_object() {
        for json in ["", " ", "{}", "null"] {
            assert_eq!(parse::<()>(json), Ok(()));
        }
        assert!(parse::<()>(r#"{"a":1}"#).is_err());
    }
}
