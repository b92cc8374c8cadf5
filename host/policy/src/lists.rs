//! The operator's lists: sets of domains and addresses, for `config.in-list`.
//!
//! Entries and keys are folded: domains to lower-case A-labels, local parts to lower case.
//! A domain entry also answers yes for an address in that domain; an entry that starts with
//! a dot (`.example.org`) answers yes for every domain below it, not for the domain itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use waxseal_message::Address;

/// Lists by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    lists: BTreeMap<String, Arc<HashSet<String>>>,
}

/// An entry is neither a domain nor an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a domain or an address: {entry}")]
pub struct ListError {
    /// As it stands in the list.
    pub entry: String,
}

impl Lists {
    /// Adds a list; one of the same name is replaced.
    pub fn insert<'a>(
        &mut self,
        name: impl Into<String>,
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ListError> {
        let entries = entries
            .into_iter()
            .map(|entry| {
                fold(entry).ok_or_else(|| ListError {
                    entry: entry.to_owned(),
                })
            })
            .collect::<Result<HashSet<_>, _>>()?;
        self.lists.insert(name.into(), Arc::new(entries));
        Ok(())
    }

    /// Names of all lists.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lists.keys().map(String::as_str)
    }

    /// Is there a list of that name?
    pub fn has(&self, name: &str) -> bool {
        self.lists.contains_key(name)
    }

    /// Is `key` in the list? `None`: there is no such list. A key that is neither domain
    /// nor address is in no list.
    pub fn contains(&self, name: &str, key: &str) -> Option<bool> {
        let list = self.lists.get(name)?;
        let Some(key) = fold(key) else {
            return Some(false);
        };
        if list.contains(&key) {
            return Some(true);
        }
        let domain = match key.rsplit_once('@') {
            Some((_, domain)) => {
                if list.contains(domain) {
                    return Some(true);
                }
                domain
            }
            None => key.as_str(),
        };
        let above = domain
            .match_indices('.')
            .any(|(dot, _)| list.contains(&domain[dot..]));
        Some(above)
    }
}

/// A domain or an address in the form that is compared.
fn fold(entry: &str) -> Option<String> {
    let entry = entry.trim();
    if let Some(parent) = entry.strip_prefix('.') {
        return domain(parent).map(|parent| format!(".{parent}"));
    }
    if !entry.contains('@') {
        return domain(entry);
    }
    let address = Address::parse(entry).ok()?;
    Some(format!(
        "{}@{}",
        address.local().to_lowercase(),
        address.domain()
    ))
}

fn domain(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let address = Address::parse(&format!("x@{text}")).ok()?;
    Some(address.domain().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[&str], key: &str, expected: bool) {
        let mut lists = Lists::default();
        lists.insert("l", entries.iter().copied()).unwrap();
        assert_eq!(
            lists.contains("l", key),
            Some(expected),
            "{entries:?} {key}"
        );
    }

    #[test]
    fn domains_and_addresses_are_folded() {
        check(&["Example.ORG"], "example.org", true);
        check(&["example.org"], "EXAMPLE.org.", true);
        check(&["example.org"], "someone@example.org", true);
        check(&["example.org"], "sub.example.org", false);
        check(&["Anna@Example.org"], "anna@example.ORG", true);
        check(&["anna@example.org"], "example.org", false);
        check(&["anna@example.org"], "ben@example.org", false);
        check(&["bücher.example"], "xn--bcher-kva.example", true);
    }

    #[test]
    fn a_leading_dot_means_every_domain_below() {
        check(&[".example.org"], "a.b.example.org", true);
        check(&[".example.org"], "x@a.example.org", true);
        check(&[".example.org"], "example.org", false);
        check(&[".example.org"], "notexample.org", false);
    }

    #[test]
    fn what_is_neither_is_in_no_list() {
        check(&["example.org"], "", false);
        check(&["example.org"], "two words", false);
        assert_eq!(Lists::default().contains("l", "example.org"), None);
        let mut lists = Lists::default();
        assert!(lists.insert("l", ["two words"]).is_err());
    }
}
