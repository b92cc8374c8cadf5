//! Name constraints (RFC 5280 §4.2.1.10).
//!
//! Understood are rfc822Name (SmtpUTF8Mailbox and the subject's emailAddress with it), dNSName,
//! uniformResourceIdentifier, directoryName and iPAddress. A name of any other kind is refused
//! when that kind is constrained. Intersections are not computed: a name must be within every
//! set of permitted subtrees along the path.

use crate::extensions::number;
use crate::limits;
use crate::names::{GeneralName, Name};
use waxseal_smime::asn1::{Element, Malformed, tag};

/// What one certificate says.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameConstraints {
    permitted: Vec<GeneralName>,
    excluded: Vec<GeneralName>,
}

impl NameConstraints {
    pub(crate) fn of(whole: Element<'_>) -> Result<Self, Malformed> {
        let mut fields = whole.children();
        let permitted = fields.optional(tag::context(0))?;
        let excluded = fields.optional(tag::context(1))?;
        let all = |subtrees: Option<Element<'_>>| subtrees.map_or(Ok(Vec::new()), subtrees_of);
        Ok(Self {
            permitted: all(permitted)?,
            excluded: all(excluded)?,
        })
    }
}

fn subtrees_of(whole: Element<'_>) -> Result<Vec<GeneralName>, Malformed> {
    let elements = whole.children().elements()?;
    if elements.len() > limits::NAMES {
        return Err(Malformed);
    }
    elements.into_iter().map(subtree).collect()
}

/// GeneralSubtree. RFC 5280 §4.2.1.10: minimum is zero, maximum is absent.
fn subtree(element: Element<'_>) -> Result<GeneralName, Malformed> {
    let mut fields = element.children();
    let base = GeneralName::of(fields.any()?)?;
    let minimum = fields.optional(tag::context_primitive(0))?;
    let minimum = minimum.map(number).transpose()?.unwrap_or(0);
    if minimum != 0 || !fields.is_empty() {
        return Err(Malformed);
    }
    Ok(base)
}

/// A name that may not be there, or too many to look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    Name(String),
    TooMany,
}

/// permitted_subtrees and excluded_subtrees of RFC 5280 §6.1.2 (b) and (c).
#[derive(Debug, Default)]
pub(crate) struct Subtrees {
    sets: Vec<NameConstraints>,
    comparisons: usize,
}

impl Subtrees {
    /// RFC 5280 §6.1.4 (g).
    pub(crate) fn add(&mut self, constraints: &NameConstraints) {
        self.sets.push(constraints.clone());
    }

    /// RFC 5280 §6.1.3 (b) and (c), for the subject and every alternative name.
    pub(crate) fn check(
        &mut self,
        subject: &Name,
        alternatives: &[GeneralName],
    ) -> Result<(), Violation> {
        if self.sets.is_empty() {
            return Ok(());
        }
        // The subject's addresses too, whatever else there is: addresses are compared with them.
        let mails = subject
            .emails()
            .map(|mail| GeneralName::Mail(mail.to_owned()));
        let directory = (!subject.is_empty()).then(|| GeneralName::Directory(subject.clone()));
        for name in mails.chain(directory) {
            self.check_name(&name)?;
        }
        alternatives
            .iter()
            .try_for_each(|name| self.check_name(name))
    }

    fn check_name(&mut self, name: &GeneralName) -> Result<(), Violation> {
        let count = |set: &NameConstraints| set.permitted.len() + set.excluded.len();
        self.comparisons += self.sets.iter().map(count).sum::<usize>();
        if self.comparisons > limits::COMPARISONS {
            return Err(Violation::TooMany);
        }
        let is_bad = self.sets.iter().any(|set| !is_allowed(name, set));
        match is_bad {
            true => Err(Violation::Name(name.to_string())),
            false => Ok(()),
        }
    }
}

fn is_allowed(name: &GeneralName, set: &NameConstraints) -> bool {
    let of_kind = |base: &&GeneralName| base.kind() == name.kind();
    let mut permitted = set.permitted.iter().filter(of_kind).peekable();
    let mut excluded = set.excluded.iter().filter(of_kind).peekable();
    if matches!(name, GeneralName::Other(_)) {
        return permitted.peek().is_none() && excluded.peek().is_none();
    }
    // What cannot be compared is not within what is permitted, and within what is excluded.
    let inside =
        permitted.peek().is_none() || permitted.any(|base| within(name, base) == Some(true));
    inside && excluded.all(|base| within(name, base) == Some(false))
}

/// Whether the name is within the subtree; `None` when that cannot be said.
fn within(name: &GeneralName, base: &GeneralName) -> Option<bool> {
    match (name, base) {
        (GeneralName::Mail(mail), GeneralName::Mail(base)) => mail_within(mail, base),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Some(dns_within(name, base)),
        (GeneralName::Uri(uri), GeneralName::Uri(base)) => host_within(host_of(uri)?, base),
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Some(name.is_within(base)),
        (GeneralName::Address(address), GeneralName::Address(base)) => {
            address_within(address, base)
        }
        _ => None,
    }
}

/// A mailbox, a host, or a domain with a leading period.
fn mail_within(mail: &str, base: &str) -> Option<bool> {
    let (local, host) = mail.rsplit_once('@')?;
    match base.rsplit_once('@') {
        Some((base_local, base_host)) => {
            Some(local == base_local && host.eq_ignore_ascii_case(base_host))
        }
        None => host_within(host, base),
    }
}

/// A host, or a domain with a leading period.
fn host_within(host: &str, base: &str) -> Option<bool> {
    let (host, base) = (host.to_ascii_lowercase(), base.to_ascii_lowercase());
    Some(base.is_empty() || host == base || base.starts_with('.') && host.ends_with(&base))
}

/// A domain and everything below it.
fn dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let (name, base) = (name.trim_end_matches('.'), base.trim_end_matches('.'));
    let above = name.strip_suffix(base);
    base.is_empty()
        || above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.') || base.starts_with('.'))
}

/// The host of a URI. RFC 5280 §4.2.1.10: without one, or with an address in its place, a
/// constraint cannot be met.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    (!host.is_empty() && !is_address).then_some(host)
}

/// An address, and a network with its mask.
fn address_within(address: &[u8], base: &[u8]) -> Option<bool> {
    let (network, mask) = base.split_at(base.len() / 2);
    if !matches!(base.len(), 8 | 32) || !matches!(address.len(), 4 | 16) {
        return None;
    }
    if network.len() != address.len() {
        return Some(false);
    }
    let octets = address.iter().zip(network).zip(mask);
    Some(
        octets
            .into_iter()
            .all(|((address, network), mask)| address & mask == network & mask),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: GeneralName, base: GeneralName, expected: Option<bool>) {
        assert_eq!(within(&name, &base), expected, "{name} in {base}");
    }

    #[test]
    fn mail_addresses() {
        let mail = |text: &str| GeneralName::Mail(text.into());
        let anna = || mail("Anna@Mail.Example.org");
        check(anna(), mail("mail.example.org"), Some(true));
        check(anna(), mail("example.org"), Some(false));
        check(anna(), mail(".example.org"), Some(true));
        check(anna(), mail("Anna@mail.example.ORG"), Some(true));
        check(anna(), mail("anna@mail.example.org"), Some(false));
        check(mail("a@evilexample.org"), mail(".example.org"), Some(false));
        check(mail("nobody"), mail("example.org"), None);
    }

    #[test]
    fn hosts() {
        let dns = |text: &str| GeneralName::Dns(text.into());
        check(dns("a.example.org"), dns("EXAMPLE.org"), Some(true));
        check(dns("example.org"), dns("example.org"), Some(true));
        check(dns("myexample.org"), dns("example.org"), Some(false));
        let uri = |text: &str| GeneralName::Uri(text.into());
        check(
            uri("http://u:p@a.example.org:80/x"),
            uri(".example.org"),
            Some(true),
        );
        check(
            uri("http://example.org/x"),
            uri(".example.org"),
            Some(false),
        );
        check(uri("http://192.0.2.1/"), uri(".example.org"), None);
        check(uri("urn:x:y"), uri("example.org"), None);
    }

    #[test]
    fn networks() {
        let address = |octets: &[u8]| GeneralName::Address(octets.to_vec());
        let network = || address(&[192, 0, 2, 0, 255, 255, 255, 0]);
        check(address(&[192, 0, 2, 9]), network(), Some(true));
        check(address(&[192, 0, 3, 9]), network(), Some(false));
        check(address(&[0; 16]), network(), Some(false));
        check(address(&[1]), network(), None);
    }

    #[test]
    fn a_kind_that_nobody_understands_is_refused_when_constrained() {
        let mut subtrees = Subtrees::default();
        let name = [GeneralName::Other(8)];
        subtrees.add(&NameConstraints {
            permitted: vec![GeneralName::Mail("example.org".into())],
            excluded: Vec::new(),
        });
        assert_eq!(subtrees.check(&Name::default(), &name), Ok(()));
        subtrees.add(&NameConstraints {
            permitted: Vec::new(),
            excluded: vec![GeneralName::Other(8)],
        });
        assert_eq!(
            subtrees.check(&Name::default(), &name),
            Err(Violation::Name("name of kind 8".into()))
        );
    }
}
