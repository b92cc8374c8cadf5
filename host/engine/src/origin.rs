//! Whose mail is ours to sign (DESIGN §6 rule 12), and its direction.
//!
//! Decided from the session that the MTA reports, never from addresses alone: anyone can
//! write the chief's address into From.

use std::collections::BTreeMap;

use ipnet::IpNet;
use waxseal_message::Address;
use waxseal_policy::transaction::{Direction, Recipient, Session};

/// The operator's `[origin]` settings. Empty settings call nothing ours.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Clients in these networks submit our mail.
    pub networks: Vec<IpNet>,
    /// Authenticated users submit our mail.
    pub authenticated: bool,
    /// Listeners that only our mail comes through.
    pub listeners: Vec<String>,
    /// Domains that are ours; A-labels, lower case.
    pub domains: Vec<String>,
    /// Which From addresses an authenticated user may use beside its own: addresses,
    /// `*@domain`, or `*`.
    pub users: BTreeMap<String, Vec<String>>,
    /// By what name our results stand in Authentication-Results (RFC 8601 §2.5). `None`: we
    /// write none, and know none as ours.
    pub authserv_id: Option<String>,
}

/// Why a message is not ours to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// The session is none that `[origin]` calls ours.
    Session,
    /// The authenticated user may not use this From.
    From,
}

impl Origin {
    /// Does the session submit mail of ours?
    pub fn is_ours(&self, session: &Session) -> bool {
        let user = self.authenticated && session.auth_user.is_some();
        let network = session.client_ip.is_some_and(|ip| {
            self.networks
                .iter()
                .any(|net| net.contains(&ip.to_canonical()))
        });
        let listener = session
            .listener
            .as_ref()
            .is_some_and(|name| self.listeners.contains(name));
        user || network || listener
    }

    /// May this session send as `author`? An authenticated user is held to the addresses
    /// it may use, wherever it connects from.
    pub fn may_send_as(&self, session: &Session, author: &Address) -> Result<(), NotOurs> {
        if !self.is_ours(session) {
            return Err(NotOurs::Session);
        }
        match &session.auth_user {
            Some(user) if !self.user_may_use(user, author) => Err(NotOurs::From),
            _ => Ok(()),
        }
    }

    fn user_may_use(&self, user: &str, author: &Address) -> bool {
        let own = match Address::parse(user) {
            Ok(address) => address.matches_folded(author),
            Err(_) => {
                author.local().eq_ignore_ascii_case(user)
                    && self.domains.iter().any(|domain| domain == author.domain())
            }
        };
        let granted = self.users.get(user).into_iter().flatten();
        own || granted
            .into_iter()
            .any(|pattern| pattern_matches(pattern, author))
    }

    /// Direction of a message. Mail that is not ours is inbound, whatever it says.
    pub fn direction(&self, session: &Session, recipients: &[Recipient]) -> Direction {
        if !self.is_ours(session) {
            return Direction::Inbound;
        }
        let internal = !recipients.is_empty()
            && recipients
                .iter()
                .all(|recipient| self.domains.iter().any(|d| d == recipient.address.domain()));
        if internal {
            Direction::Internal
        } else {
            Direction::Outbound
        }
    }
}

fn pattern_matches(pattern: &str, author: &Address) -> bool {
    match pattern.strip_prefix("*@") {
        _ if pattern == "*" => true,
        Some(domain) => domain.eq_ignore_ascii_case(author.domain()),
        None => Address::parse(pattern).is_ok_and(|address| address.matches_folded(author)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            authenticated: true,
            listeners: vec!["cli".into()],
            domains: vec!["example.org".into()],
            users: BTreeMap::from([
                (
                    "bob".into(),
                    vec!["sales@example.org".into(), "*@example.net".into()],
                ),
                ("daemon".into(), vec!["*".into()]),
            ]),
            authserv_id: None,
        }
    }

    fn user(name: &str) -> Session {
        Session {
            auth_user: Some(name.into()),
            ..Session::default()
        }
    }

    fn check(session: &Session, author: &str, expected: Result<(), NotOurs>) {
        let author = Address::parse(author).unwrap();
        assert_eq!(
            origin().may_send_as(session, &author),
            expected,
            "{session:?} as {author}"
        );
    }

    #[test]
    fn rule_12_an_authenticated_user_has_its_own_addresses_only() {
        check(&user("alice"), "alice@example.org", Ok(()));
        check(&user("alice@example.org"), "Alice@Example.org", Ok(()));
        check(&user("alice"), "chief@example.org", Err(NotOurs::From));
        check(
            &user("alice"),
            "alice@elsewhere.example",
            Err(NotOurs::From),
        );
        check(&user("bob"), "sales@example.org", Ok(()));
        check(&user("bob"), "anyone@example.net", Ok(()));
        check(&user("bob"), "chief@example.org", Err(NotOurs::From));
        check(&user("daemon"), "chief@example.org", Ok(()));
    }

    #[test]
    fn rule_12_a_stranger_is_not_ours() {
        let stranger = Session {
            client_ip: Some("203.0.113.9".parse().unwrap()),
            ..Session::default()
        };
        check(&stranger, "chief@example.org", Err(NotOurs::Session));
        check(
            &Session::default(),
            "chief@example.org",
            Err(NotOurs::Session),
        );
    }

    #[test]
    fn rule_12_networks_and_listeners_are_ours() {
        for ip in ["10.1.2.3", "::ffff:10.1.2.3"] {
            let client = Session {
                client_ip: Some(ip.parse().unwrap()),
                ..Session::default()
            };
            check(&client, "chief@example.org", Ok(()));
        }
        let cli = Session {
            listener: Some("cli".into()),
            ..Session::default()
        };
        check(&cli, "chief@example.org", Ok(()));
    }

    #[test]
    fn rule_12_a_user_inside_the_network_is_still_that_user() {
        let session = Session {
            client_ip: Some("10.1.2.3".parse().unwrap()),
            ..user("alice")
        };
        check(&session, "chief@example.org", Err(NotOurs::From));
    }
}
