//! The operator's dictionaries: terms and patterns looked for in parts of the message.
//!
//! Compiled once for each generation; matching takes time linear in the text (Aho-Corasick
//! for terms, the `regex` crate for patterns), so that no text can stall the gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex::{RegexSet, RegexSetBuilder};

/// Compiled patterns of one dictionary may take this much memory.
const PATTERN_OCTETS: usize = 16 << 20;

/// Dictionaries by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Dictionaries {
    dictionaries: BTreeMap<String, Arc<Dictionary>>,
}

impl Dictionaries {
    /// Adds a dictionary; one of the same name is replaced.
    pub fn insert(&mut self, name: impl Into<String>, dictionary: Dictionary) {
        self.dictionaries.insert(name.into(), Arc::new(dictionary));
    }

    /// Names of all dictionaries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.dictionaries.keys().map(String::as_str)
    }

    /// The dictionary of that name.
    pub fn find(&self, name: &str) -> Option<&Dictionary> {
        self.dictionaries.get(name).map(Arc::as_ref)
    }
}

/// A term that is looked for without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Anywhere in the text.
    Plain(String),
    /// Not inside a longer word.
    Word(String),
}

impl Term {
    fn text(&self) -> &str {
        match self {
            Term::Plain(text) | Term::Word(text) => text,
        }
    }
}

/// Terms and patterns, compiled.
#[derive(Debug)]
pub struct Dictionary {
    terms: AhoCorasick,
    /// For each term of `terms`: must it be a whole word?
    whole_word: Vec<bool>,
    patterns: RegexSet,
}

/// A dictionary does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DictionaryError {
    /// Nothing would match everything.
    #[error("a term is empty")]
    EmptyTerm,
    /// Too many or too long.
    #[error("terms cannot be compiled: {0}")]
    Terms(String),
    /// Not a pattern, or too large.
    #[error("pattern cannot be compiled: {0}")]
    Pattern(String),
}

impl Dictionary {
    /// Compiles terms, and patterns in the syntax of the `regex` crate.
    pub fn compile(terms: &[Term], patterns: &[String]) -> Result<Self, DictionaryError> {
        if terms.iter().any(|term| term.text().trim().is_empty()) {
            return Err(DictionaryError::EmptyTerm);
        }
        let folded = terms.iter().map(|term| fold(term.text()));
        Ok(Self {
            terms: AhoCorasick::new(folded)
                .map_err(|error| DictionaryError::Terms(error.to_string()))?,
            whole_word: terms
                .iter()
                .map(|term| matches!(term, Term::Word(_)))
                .collect(),
            patterns: RegexSetBuilder::new(patterns)
                .size_limit(PATTERN_OCTETS)
                .dfa_size_limit(PATTERN_OCTETS)
                .build()
                .map_err(|error| DictionaryError::Pattern(error.to_string()))?,
        })
    }

    /// Does any term or pattern match?
    pub fn matches(&self, text: &str) -> bool {
        self.term_matches(text) || (!self.patterns.is_empty() && self.patterns.is_match(text))
    }

    fn term_matches(&self, text: &str) -> bool {
        if self.whole_word.is_empty() {
            return false;
        }
        let text = fold(text);
        self.terms.find_overlapping_iter(&text).any(|found| {
            !self.whole_word[found.pattern().as_usize()]
                || stands_alone(&text, found.start(), found.end())
        })
    }
}

/// Is `text[start..end]` no part of a longer word?
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let letter = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    !letter(before) && !letter(after)
}

/// Lower case, character for character.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terms: &[Term], patterns: &[&str], text: &str, expected: bool) {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        let dictionary = Dictionary::compile(terms, &patterns).unwrap();
        assert_eq!(dictionary.matches(text), expected, "{terms:?} {patterns:?}");
    }

    #[test]
    fn terms_match_without_regard_to_case() {
        let plain = [Term::Plain("Geheim".into())];
        check(&plain, &[], "streng geheim!", true);
        check(&plain, &[], "GEHEIMNIS", true);
        check(&plain, &[], "offen", false);
        check(&[Term::Plain("ÄRGER".into())], &[], "viel ärger", true);
    }

    #[test]
    fn a_word_is_no_part_of_a_longer_one() {
        let word = [Term::Word("iban".into())];
        check(&word, &[], "my IBAN: DE00", true);
        check(&word, &[], "Taliban", false);
        check(&word, &[], "libanon, IBAN.", true);
        check(&word, &[], "ibanü", false);
    }

    #[test]
    fn patterns_match_in_linear_time() {
        check(&[], &[r"\b\d{4}-\d{4}\b"], "card 1234-5678.", true);
        check(
            &[],
            &[r"(a+)+$"],
            &format!("{}b", "a".repeat(100_000)),
            false,
        );
    }

    #[test]
    fn nonsense_is_named() {
        let empty = Dictionary::compile(&[Term::Plain("  ".into())], &[]);
        assert_eq!(empty.unwrap_err(), DictionaryError::EmptyTerm);
        let pattern = Dictionary::compile(&[], &["(".to_owned()]);
        assert!(matches!(pattern, Err(DictionaryError::Pattern(_))));
    }
}
