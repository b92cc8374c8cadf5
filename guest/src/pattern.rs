//! Patterns that an operator writes in settings: text, domains, addresses.
//!
//! Matching takes time linear in the text for each piece between stars, and
//! there is no backtracking.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::domain;

/// Text in which `*` stands for any run of characters; `\*` is a star and `\\` a
/// backslash. Compared without regard to case, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands between the stars, lower case; never empty.
    pieces: Vec<String>,
}

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Self {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' => pieces.push(String::new()),
                '\\' => push(&mut pieces, characters.next().unwrap_or('\\')),
                other => push(&mut pieces, other),
            }
        }
        let fold = |piece: String| piece.to_lowercase();
        Pattern {
            pieces: pieces.into_iter().map(fold).collect(),
        }
    }

    /// Is the whole text of this form?
    pub fn matches(&self, text: &str) -> bool {
        let shortest: usize = self.pieces.iter().map(String::len).sum();
        if text.is_ascii() && text.len() < shortest {
            return false;
        }
        let text = text.to_lowercase();
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces[0] == text;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        // Leftmost finds are enough: an earlier end leaves the others more room.
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

fn push(pieces: &mut [String], character: char) {
    if let Some(piece) = pieces.last_mut() {
        piece.push(character);
    }
}

/// Which addresses.
///
/// | written | matches |
/// |---|---|
/// | `example.org` | everyone in this domain |
/// | `.example.org` | in it and in the domains below it |
/// | `*.example.org` | in the domains below it |
/// | `alice@example.org` | this address |
/// | `*-team@*.example.org` | `*` stands for any run of characters |
/// | `<>` | the null reverse-path |
///
/// Domains compare as lower-case A-labels, local parts without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Domain(DomainPattern),
    Mailbox(Pattern, DomainPattern),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DomainPattern {
    Wild(Pattern),
    AtOrBelow(String),
}

impl AddressPattern {
    /// Reads one of the forms above.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kind = match text.rsplit_once('@') {
            _ if text == "<>" => Kind::Null,
            Some(("", domain)) => Kind::Domain(DomainPattern::parse(domain)?),
            Some((local, domain)) => {
                Kind::Mailbox(Pattern::new(local), DomainPattern::parse(domain)?)
            }
            None => Kind::Domain(DomainPattern::parse(text)?),
        };
        Ok(AddressPattern {
            text: text.to_owned(),
            kind,
        })
    }

    /// Does an address match? The empty text is the null reverse-path.
    pub fn matches(&self, address: &str) -> bool {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        match &self.kind {
            Kind::Null => address.is_empty(),
            Kind::Domain(pattern) => pattern.matches(domain),
            Kind::Mailbox(user, pattern) => user.matches(local) && pattern.matches(domain),
        }
    }
}

impl DomainPattern {
    fn parse(text: &str) -> Result<Self, String> {
        let domain = domain::to_ascii(text);
        let name = domain.strip_prefix('.').unwrap_or(&domain);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.*[]:".contains(c);
        if name.is_empty() || name.contains("..") || !name.chars().all(allowed) {
            return Err(format!("not a domain or an address: {text}"));
        }
        Ok(match domain.strip_prefix('.') {
            Some(name) => DomainPattern::AtOrBelow(name.to_owned()),
            None => DomainPattern::Wild(Pattern::new(&domain)),
        })
    }

    fn matches(&self, domain: &str) -> bool {
        let domain = domain::to_ascii(domain);
        match self {
            DomainPattern::Wild(pattern) => !domain.is_empty() && pattern.matches(&domain),
            DomainPattern::AtOrBelow(name) => domain
                .strip_suffix(name.as_str())
                .is_some_and(|above| above.is_empty() || above.ends_with('.')),
        }
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Pattern::new(&text))
    }
}

impl<'de> Deserialize<'de> for AddressPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        AddressPattern::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            Pattern::new(pattern).matches(text),
            expected,
            "{pattern} on {text}"
        );
    }

    #[test]
    fn stars_stand_for_any_run() {
        check("[secure]*", "[Secure] hello", true);
        check("[secure]*", "Re: [secure] hello", false);
        check("*[secure]*", "Re: [secure]", true);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("a*a", "a", false);
        check("a*b*a", "aba", true);
        check("*ab*ab", "ab", false);
        check(r"50\* of *", "50* of all", true);
        check(r"50\* of *", "500 of all", false);
        check(r"a\\b", r"a\b", true);
        check("ÄRZTE*", "ärzte ohne", true);
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(1000) + "b";
        check(&pattern, &"a".repeat(100_000), false);
    }

    #[track_caller]
    fn address(pattern: &str, address: &str, expected: bool) {
        let pattern = AddressPattern::parse(pattern).unwrap();
        assert_eq!(pattern.matches(address), expected, "{pattern} on {address}");
    }

    #[test]
    fn addresses_match_by_domain_and_local_part() {
        address("example.org", "a@Example.ORG", true);
        address("example.org", "a@sub.example.org", false);
        address("@example.org", "a@example.org", true);
        address(".example.org", "a@example.org", true);
        address(".example.org", "a@x.y.example.org", true);
        address(".example.org", "a@badexample.org", false);
        address("*.example.org", "a@x.example.org", true);
        address("*.example.org", "a@example.org", false);
        address("Alice@example.org", "alice@example.org", true);
        address("*-team@example.org", "red-team@example.org", true);
        address("bücher.example", "a@xn--bcher-kva.example", true);
        address("example.org", "\"a@evil\"@example.org", true);
        address("evil", "\"a@evil\"@example.org", false);
        address("<>", "", true);
        address("<>", "a@example.org", false);
        address("*", "", false);
        address("*", "a@example.org", true);
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in ["", "@", "a@", "a b", "exa mple.org", "a..b", "."] {
            assert!(AddressPattern::parse(text).is_err(), "{text}");
        }
    }
}
