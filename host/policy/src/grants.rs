//! What the operator allows a filter.
//!
//! A grant is `INTERFACE`, `INTERFACE:NAME` (profiles), `KIND:NAME` (list, dictionary,
//! identity), or a verdict (`accept`, `quarantine`, `discard`). What the world `decider`
//! imports needs no grant. An interface with names is granted for those only.

use std::collections::BTreeSet;
use std::fmt;

/// Interfaces that every filter may import.
pub(crate) const DECIDER: [&str; 8] = [
    "types", "mail", "session", "config", "log", "explain", "metrics", "clock",
];

/// Interfaces that need a grant.
pub(crate) const GRANTABLE: [&str; 8] = [
    "actions",
    "envelope",
    "certificates",
    "profiles",
    "protect",
    "inspect",
    "harvest",
    "open",
];

/// Verdicts that need a grant.
const VERDICTS: [&str; 3] = ["accept", "quarantine", "discard"];

/// A set of grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    interfaces: BTreeSet<String>,
    verdicts: BTreeSet<String>,
    profiles: Names,
    lists: BTreeSet<String>,
    dictionaries: BTreeSet<String>,
    identities: BTreeSet<String>,
    /// What `from_iter` could not make sense of; refused at load.
    unknown: Vec<GrantError>,
}

/// Names that an interface is granted for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Names {
    #[default]
    None,
    These(BTreeSet<String>),
    All,
}

/// A grant that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Not an interface, a kind or a verdict.
    #[error("unknown grant: {0}")]
    Unknown(String),
    /// Every filter has it.
    #[error("every filter may do this without a grant: {0}")]
    Needless(String),
    /// `actions:x`.
    #[error("this is granted as a whole, without a name: {0}")]
    TakesNoName(String),
    /// `list` alone.
    #[error("this is granted by name: {0}:NAME")]
    NeedsName(String),
    /// The name stands for nothing in this policy.
    #[error("grant names a {kind} that the policy does not have: {name}")]
    NoSuch {
        /// `profile`, `list`, `dictionary`.
        kind: &'static str,
        /// The name.
        name: String,
    },
}

impl Grants {
    /// Grants as they stand in the configuration.
    pub fn parse(grants: &[String]) -> Result<Self, GrantError> {
        let mut parsed = Self::default();
        for grant in grants {
            parsed.add(grant)?;
        }
        Ok(parsed)
    }

    fn add(&mut self, grant: &str) -> Result<(), GrantError> {
        let (kind, name) = match grant.split_once(':') {
            Some((kind, name)) => (kind.trim(), Some(name.trim())),
            None => (grant.trim(), None),
        };
        if name == Some("") {
            return Err(GrantError::NeedsName(kind.to_owned()));
        }
        match (kind, name) {
            ("profiles", None) => self.profiles = Names::All,
            ("profiles", Some(name)) => self.profiles.add(name),
            ("list", Some(name)) => drop(self.lists.insert(name.to_owned())),
            ("dictionary", Some(name)) => drop(self.dictionaries.insert(name.to_owned())),
            ("identity", Some(name)) => drop(self.identities.insert(name.to_owned())),
            ("list" | "dictionary" | "identity", None) => {
                return Err(GrantError::NeedsName(kind.to_owned()));
            }
            _ if DECIDER.contains(&kind) => return Err(GrantError::Needless(grant.to_owned())),
            _ if !GRANTABLE.contains(&kind) && !VERDICTS.contains(&kind) => {
                return Err(GrantError::Unknown(grant.to_owned()));
            }
            (_, Some(_)) => return Err(GrantError::TakesNoName(grant.to_owned())),
            _ if VERDICTS.contains(&kind) => drop(self.verdicts.insert(kind.to_owned())),
            _ => {}
        }
        if GRANTABLE.contains(&kind) {
            self.interfaces.insert(kind.to_owned());
        }
        Ok(())
    }

    /// May the filter import this interface of `waxseal:filter`?
    pub fn interface(&self, name: &str) -> bool {
        DECIDER.contains(&name) || self.interfaces.contains(name)
    }

    /// May it return this verdict?
    pub fn verdict(&self, name: &str) -> bool {
        !VERDICTS.contains(&name) || self.verdicts.contains(name)
    }

    /// May it use this sending profile?
    pub fn profile(&self, name: &str) -> bool {
        match &self.profiles {
            Names::None => false,
            Names::These(names) => names.contains(name),
            Names::All => true,
        }
    }

    /// May it ask this list?
    pub fn list(&self, name: &str) -> bool {
        self.lists.contains(name)
    }

    /// May it use this dictionary?
    pub fn dictionary(&self, name: &str) -> bool {
        self.dictionaries.contains(name)
    }

    /// May it sign with this identity, by its name? (A granted profile brings its own.)
    pub fn identity(&self, name: &str) -> bool {
        self.identities.contains(name)
    }

    /// Identities granted by name.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.identities.iter().map(String::as_str)
    }

    /// Anything beyond what the world `decider` and look-ups can do?
    pub fn exceeds_decider(&self) -> bool {
        !self.interfaces.is_empty() || !self.verdicts.is_empty() || !self.identities.is_empty()
    }

    /// Does every name stand for something?
    pub(crate) fn check(
        &self,
        profiles: &[String],
        lists: impl Fn(&str) -> bool,
        dictionaries: impl Fn(&str) -> bool,
    ) -> Result<(), GrantError> {
        if let Some(error) = self.unknown.first() {
            return Err(error.clone());
        }
        let no_such = |kind, name: &String| GrantError::NoSuch {
            kind,
            name: name.clone(),
        };
        if let Names::These(names) = &self.profiles
            && let Some(name) = names.iter().find(|name| !profiles.contains(name))
        {
            return Err(no_such("profile", name));
        }
        if let Some(name) = self.lists.iter().find(|name| !lists(name)) {
            return Err(no_such("list", name));
        }
        match self.dictionaries.iter().find(|name| !dictionaries(name)) {
            Some(name) => Err(no_such("dictionary", name)),
            None => Ok(()),
        }
    }
}

impl Names {
    fn add(&mut self, name: &str) {
        match self {
            Names::None => *self = Names::These(BTreeSet::from([name.to_owned()])),
            Names::These(names) => drop(names.insert(name.to_owned())),
            Names::All => {}
        }
    }
}

/// For code that states its grants; a grant that means nothing is refused at load.
impl<'a> FromIterator<&'a str> for Grants {
    fn from_iter<I: IntoIterator<Item = &'a str>>(grants: I) -> Self {
        let mut parsed = Self::default();
        for grant in grants {
            if let Err(error) = parsed.add(grant) {
                parsed.unknown.push(error);
            }
        }
        parsed
    }
}

impl fmt::Display for Grants {
    /// As in the configuration, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_strings().join(", "))
    }
}

impl Grants {
    /// As in the configuration, sorted by kind and name.
    pub fn to_strings(&self) -> Vec<String> {
        let named = |kind: &'static str, names: &BTreeSet<String>| -> Vec<String> {
            names.iter().map(|name| format!("{kind}:{name}")).collect()
        };
        let mut all: Vec<String> = self
            .interfaces
            .iter()
            .filter(|interface| *interface != "profiles")
            .cloned()
            .collect();
        match &self.profiles {
            Names::None => {}
            Names::All => all.push("profiles".to_owned()),
            Names::These(names) => all.extend(named("profiles", names)),
        }
        all.extend(named("identity", &self.identities));
        all.extend(named("list", &self.lists));
        all.extend(named("dictionary", &self.dictionaries));
        all.extend(self.verdicts.iter().cloned());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(grant: &str) -> GrantError {
        Grants::parse(&[grant.to_owned()]).unwrap_err()
    }

    #[test]
    fn an_interface_with_names_is_granted_for_those_only() {
        let grants: Grants = ["profiles:corporate", "actions"].into_iter().collect();
        assert!(grants.interface("profiles") && grants.interface("actions"));
        assert!(grants.profile("corporate"));
        assert!(!grants.profile("other"));
        assert!(!grants.interface("open"));
        assert!(grants.interface("mail"));
        let all: Grants = ["profiles:corporate", "profiles"].into_iter().collect();
        assert!(all.profile("other"));
    }

    #[test]
    fn some_verdicts_are_authority() {
        let grants: Grants = ["accept"].into_iter().collect();
        assert!(grants.verdict("accept") && grants.verdict("reject") && grants.verdict("defer"));
        assert!(!grants.verdict("discard") && !grants.verdict("quarantine"));
    }

    #[test]
    fn a_grant_that_means_nothing_is_an_error() {
        assert_eq!(error("actoins"), GrantError::Unknown("actoins".into()));
        assert_eq!(
            error("actions:x"),
            GrantError::TakesNoName("actions:x".into())
        );
        assert_eq!(error("list"), GrantError::NeedsName("list".into()));
        assert_eq!(error("profiles:"), GrantError::NeedsName("profiles".into()));
        assert_eq!(error("mail"), GrantError::Needless("mail".into()));
        assert_eq!(error("reject"), GrantError::Unknown("reject".into()));
    }

    #[test]
    fn look_ups_are_no_more_than_a_decider() {
        let look: Grants = ["list:a", "dictionary:b"].into_iter().collect();
        assert!(!look.exceeds_decider());
        for grant in ["accept", "inspect", "identity:x", "profiles:y"] {
            let grants: Grants = [grant].into_iter().collect();
            assert!(grants.exceeds_decider(), "{grant}");
        }
    }

    #[test]
    fn grants_print_as_they_are_written() {
        let written = [
            "actions",
            "profiles:a",
            "identity:i",
            "list:l",
            "dictionary:d",
            "accept",
        ];
        let grants: Grants = written.into_iter().collect();
        assert_eq!(grants.to_strings(), written);
    }
}
