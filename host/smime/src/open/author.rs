//! Whether the signer is whom the message comes from (RFC 8550 §3).

use crate::certificate::Certificate;
use crate::open::FromMatch;
use waxseal_message::{Address, Mailbox, Message};

/// Compares the addresses of the signer's certificate with the authors of the message.
///
/// Sender stands in for an author of its own domain that the certificate does not name. RFC 8550
/// §3 has it stand in for anybody, but readers see From, and whoever signs as herself could then
/// write the chief's address there. It never stands in for several From fields, of which nobody
/// can say which one a reader sees (rule 9).
pub(super) fn compared(signer: Option<&Certificate>, message: &Message) -> FromMatch {
    let fields = message.all("From").count();
    let authors = addresses(message.addresses("From"));
    let own = signer.map(Certificate::addresses).unwrap_or_default();
    let is_own = |address: &Address| own.iter().any(|each| each.matches_folded(address));
    if authors.is_empty() {
        return FromMatch::Absent;
    }
    if fields > 1 {
        return FromMatch::Several;
    }
    if own.is_empty() {
        return FromMatch::Unknown;
    }
    let vouches = |sender: &Address| {
        let mut domains = authors.iter().map(Address::domain);
        is_own(sender) && domains.all(|domain| domain == sender.domain())
    };
    if sender(message).as_ref().is_some_and(vouches) {
        return FromMatch::Matches;
    }
    match authors.as_slice() {
        [author] if is_own(author) => FromMatch::Matches,
        [_] => FromMatch::Differs,
        _ => FromMatch::Several,
    }
}

/// The one address of the one Sender field.
fn sender(message: &Message) -> Option<Address> {
    let mut all = addresses(message.addresses("Sender"));
    let is_one = message.all("Sender").count() == 1 && all.len() == 1;
    all.pop().filter(|_| is_one)
}

/// Each address once.
fn addresses(mailboxes: Vec<Mailbox>) -> Vec<Address> {
    let mut all: Vec<Address> = Vec::new();
    for mailbox in mailboxes {
        if !all.iter().any(|each| each.matches_folded(&mailbox.address)) {
            all.push(mailbox.address);
        }
    }
    all
}
