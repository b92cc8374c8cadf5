//! What an operator asks of a path.

use const_oid::ObjectIdentifier;
use std::fmt;
use std::str::FromStr;

/// What is asked of a path beside an anchor. The default is RFC 5280 with the profile of RFC
/// 8550, any policy, and no revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether revoked certificates are looked for.
    pub revocation: RevocationMode,
    /// What is asked of the certificate at the end of the path.
    pub profile: Profile,
    /// user-initial-policy-set (RFC 5280 §6.1.1 (c)). Empty: any policy.
    pub initial_policies: Vec<PolicyIdentifier>,
    /// initial-explicit-policy (RFC 5280 §6.1.1 (f)).
    pub explicit_policy: bool,
    /// initial-any-policy-inhibit (RFC 5280 §6.1.1 (g)).
    pub inhibit_any_policy: bool,
    /// initial-policy-mapping-inhibit (RFC 5280 §6.1.1 (e)).
    pub inhibit_policy_mapping: bool,
    /// Algorithms and key sizes that rule 11 has for reading only are accepted, and reported.
    pub allow_weak: bool,
    /// Seconds by which clocks may differ: of an answer of the future, and of one that is over.
    pub clock_skew: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            revocation: RevocationMode::Off,
            profile: Profile::Rfc8550,
            initial_policies: Vec::new(),
            explicit_policy: false,
            inhibit_any_policy: false,
            inhibit_policy_mapping: false,
            allow_weak: false,
            clock_skew: 300,
        }
    }
}

/// Whether revoked certificates are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationMode {
    /// No.
    Off,
    /// A revoked certificate is not trusted; one of which nobody knows is.
    IfAvailable,
    /// Every certificate below the anchor needs an answer that it is not revoked.
    Required,
}

/// What is asked of the certificate at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Nothing that RFC 5280 does not ask.
    Any,
    /// RFC 8550: key usage and extended key usage for mail (§4.4.2, §4.4.4).
    Rfc8550,
    /// Beyond that, what a relying party can see of the CA/Browser Forum's S/MIME Baseline
    /// Requirements: a policy of theirs, emailProtection, an address in subjectAltName, key
    /// sizes, the longest validity, no SHA-1.
    CaBrowserForum,
}

// Names of configuration and command line, one for each case.
macro_rules! named {
    ($type:ident, $what:literal, { $($case:ident = $name:literal),+ }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$case => $name),+ })
            }
        }

        impl FromStr for $type {
            type Err = String;
            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$case),)+
                    _ => Err(format!(
                        concat!("unknown ", $what, ", known are", $(" ", $name),+, ": {}"), name
                    )),
                }
            }
        }

        impl $type {
            /// The names, in the order of the documentation.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
        }
    };
}

named!(RevocationMode, "revocation mode", {
    Off = "off", IfAvailable = "if-available", Required = "required"
});
named!(Profile, "profile", { Rfc8550 = "rfc8550", CaBrowserForum = "cabf", Any = "any" });

/// A certificate policy by its object identifier, or `anyPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyIdentifier(pub(crate) ObjectIdentifier);

impl PolicyIdentifier {
    /// anyPolicy (RFC 5280 §4.2.1.4).
    pub const ANY: Self = Self(const_oid::db::rfc5280::ANY_POLICY);
}

impl FromStr for PolicyIdentifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anyPolicy" {
            return Ok(Self::ANY);
        }
        ObjectIdentifier::new(text)
            .map(Self)
            .map_err(|_| format!("no object identifier: {text}"))
    }
}

impl fmt::Display for PolicyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for name in RevocationMode::NAMES {
            assert_eq!(name.parse::<RevocationMode>().unwrap().to_string(), *name);
        }
        for name in Profile::NAMES {
            assert_eq!(name.parse::<Profile>().unwrap().to_string(), *name);
        }
        assert_eq!(
            "ca".parse::<Profile>().unwrap_err(),
            "unknown profile, known are rfc8550 cabf any: ca"
        );
    }

    #[test]
    fn policies_by_number_and_any_by_name() {
        let check = |text: &str, expected: &str| {
            let policy: PolicyIdentifier = text.parse().unwrap();
            assert_eq!(policy.to_string(), expected);
        };
        check("anyPolicy", "2.5.29.32.0");
        check("2.23.140.1.5.1.1", "2.23.140.1.5.1.1");
        assert!("gold".parse::<PolicyIdentifier>().is_err());
    }
}
