//! A TOML file read key by key. A [`Section`] remembers which keys it was asked for: what is
//! left over is unknown, and the keys asked for are those to suggest. Every problem is
//! collected with its line; a value of the wrong kind reads as absent.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest;
use crate::problem::{Collector, Problem};

/// A file, its text and where its problems go.
pub(crate) struct Source<'a> {
    pub(crate) file: PathBuf,
    pub(crate) text: &'a str,
    pub(crate) problems: &'a Collector,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &Path, text: &'a str, problems: &'a Collector) -> Self {
        Self {
            file: file.to_owned(),
            text,
            problems,
        }
    }

    /// Parses; syntax errors are collected, and what could be read is given.
    pub(crate) fn parse(&self) -> Spanned<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map(|span| self.line(&span));
            let message = error.message().replace('\n', ", ");
            self.problems
                .add(Problem::with_file(&self.file, message).on_line(line));
        }
        table
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|octet| **octet == b'\n').count() + 1
    }

    fn problem(&self, path: &str, span: &Range<usize>, message: impl Into<String>) -> Problem {
        Problem::with_file(&self.file, message)
            .at(path)
            .on_line(self.line(span))
    }
}

/// A table with known keys.
pub(crate) struct Section<'a> {
    source: &'a Source<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(crate) fn root(source: &'a Source<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(source, String::new(), table.span(), table.get_ref())
    }

    fn new(
        source: &'a Source<'a>,
        path: String,
        span: Range<usize>,
        table: &'a DeTable<'a>,
    ) -> Self {
        Self {
            source,
            path,
            span,
            table,
            known: RefCell::default(),
        }
    }

    /// Where it is: `filter[1]`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The line that it begins on.
    pub(crate) fn line(&self) -> usize {
        self.source.line(&self.span)
    }

    /// The line of a key, when it is there.
    pub(crate) fn line_of(&self, key: &str) -> Option<usize> {
        let (key, _) = self.table.get_key_value(key)?;
        Some(self.source.line(&key.span()))
    }

    /// Collects a problem with this section as a whole.
    pub(crate) fn problem(&self, message: impl Into<String>, hint: Option<String>) {
        let problem = self.source.problem(&self.path, &self.span, message);
        self.source.problems.add(problem.hint(hint));
    }

    /// The value of a key, of whatever kind.
    pub(crate) fn value(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        Some(Value {
            source: self.source,
            path: join(&self.path, key),
            value,
        })
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&self, key: &'static str) -> Option<Value<'a>> {
        let value = self.value(key);
        if value.is_none() {
            self.problem(format!("missing key: {key}"), None);
        }
        value
    }

    /// A text.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        self.value(key)?.text()
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        match value.value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => value.wrong_kind("true or false"),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value.value.get_ref() else {
            return value.wrong_kind("a whole number");
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix());
        match number.ok().and_then(|number| u64::try_from(number).ok()) {
            Some(number) if bounds.contains(&number) => Some(number),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                value.problem(
                    format!("not from {least} to {most}: {}", integer.as_str()),
                    None,
                );
                None
            }
        }
    }

    /// A list of texts; absent is empty.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<Value<'a>> {
        self.value(key)
            .map(|value| value.many())
            .unwrap_or_default()
    }

    /// One of a set of words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.value(key)?.word(words)
    }

    /// One of the values that print as their names.
    pub(crate) fn one_of<T: Copy + Display>(&self, key: &'static str, all: &[T]) -> Option<T> {
        let names: Vec<String> = all.iter().map(T::to_string).collect();
        let words: Vec<_> = names
            .iter()
            .map(String::as_str)
            .zip(all.iter().copied())
            .collect();
        self.word(key, &words)
    }

    /// A table of known keys.
    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        self.value(key)?.section()
    }

    /// The tables of `[[key]]`, in order.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.value.get_ref().as_array() else {
            value.problem(format!("not a list of tables: write [[{key}]]"), None);
            return Vec::new();
        };
        let at = |(index, item)| {
            let path = format!("{}[{index}]", value.path);
            Value {
                source: self.source,
                path,
                value: item,
            }
            .section()
        };
        items.iter().enumerate().filter_map(at).collect()
    }

    /// The tables of `[key.NAME]`, by the name that the operator gave.
    pub(crate) fn named(&self, key: &'static str) -> Vec<(&'a str, Section<'a>)> {
        let Some(section) = self.section(key) else {
            return Vec::new();
        };
        let entries = section.entries().into_iter();
        entries
            .filter_map(|(name, value)| Some((name, value.section()?)))
            .collect()
    }

    /// All entries, for a table whose keys are the operator's own.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let key: &'a std::borrow::Cow<'a, str> = key.get_ref();
            let path = join(&self.path, key);
            (
                key.as_ref(),
                Value {
                    source: self.source,
                    path,
                    value,
                },
            )
        };
        self.table.iter().map(entry).collect()
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let path = join(&self.path, name);
            let problem = self
                .source
                .problem(&path, &key.span(), format!("unknown key: {name}"));
            self.source
                .problems
                .add(problem.hint(nearest::hint(name, known.iter().copied())));
        }
    }
}

/// A value with its place.
pub(crate) struct Value<'a> {
    source: &'a Source<'a>,
    path: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    /// Collects a problem with this value.
    pub(crate) fn problem(&self, message: impl Into<String>, hint: Option<String>) {
        let problem = self.source.problem(&self.path, &self.value.span(), message);
        self.source.problems.add(problem.hint(hint));
    }

    fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        self.problem(
            format!(
                "not {wanted}: a {} stands here",
                self.value.get_ref().type_str()
            ),
            None,
        );
        None
    }

    /// It as a text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text.as_ref()),
            _ => self.wrong_kind("a text in quotes"),
        }
    }

    /// It as a list of texts.
    pub(crate) fn many(&self) -> Vec<Value<'a>> {
        let Some(items) = self.value.get_ref().as_array() else {
            self.wrong_kind::<()>("a list of texts in brackets");
            return Vec::new();
        };
        let at = |(index, item)| Value {
            source: self.source,
            path: format!("{}[{index}]", self.path),
            value: item,
        };
        items
            .iter()
            .enumerate()
            .map(at)
            .filter(|item| item.text().is_some())
            .collect()
    }

    /// It as a list of texts, or as one text alone.
    pub(crate) fn one_or_many(&self) -> Vec<Value<'a>> {
        match self.value.get_ref() {
            DeValue::String(_) => {
                vec![Value {
                    source: self.source,
                    path: self.path.clone(),
                    value: self.value,
                }]
            }
            _ => self.many(),
        }
    }

    /// It as a table with known keys.
    pub(crate) fn section(&self) -> Option<Section<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Section::new(
                self.source,
                self.path.clone(),
                self.value.span(),
                table,
            )),
            _ => self.wrong_kind("a table"),
        }
    }

    /// It as one of a set of words.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            let all = known.clone().collect::<Vec<_>>().join(", ");
            let hint = nearest::nearest(text, known).map(|near| format!("did you mean `{near}`?"));
            self.problem(format!("none of {all}: {text}"), hint);
        }
        found.map(|(_, value)| *value)
    }

    /// `auto` (which gives an inner `None`), or one of the values that print as their names.
    pub(crate) fn word_or_auto<T: Copy + Display>(&self, all: &[T]) -> Option<Option<T>> {
        let names: Vec<String> = all.iter().map(T::to_string).collect();
        let fixed = names
            .iter()
            .map(String::as_str)
            .zip(all.iter().copied().map(Some));
        let words: Vec<_> = [("auto", None)].into_iter().chain(fixed).collect();
        self.word(&words)
    }

    /// Is it a table?
    pub(crate) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// It as JSON, for settings that only a filter understands.
    pub(crate) fn json(&self) -> serde_json::Value {
        to_json(self.value.get_ref())
    }
}

/// A whole TOML table as JSON.
pub(crate) fn table_to_json(table: &DeTable<'_>) -> serde_json::Value {
    let entries = table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref())));
    serde_json::Value::Object(entries.collect())
}

fn to_json(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Json::from(integer.as_str()), Json::from),
        DeValue::Float(float) => float
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| Json::from(float.as_str()), Json::from),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => table_to_json(table),
    }
}

fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let key = if key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
