//! Whether a signer is whom a message comes from (RFC 8550 §3).

use super::FromMatch;
use crate::certificate::Certificate;
use waxseal_message::{Address, Message};

/// Compares a signer's certificate with From, and with Sender where that names it.
pub(super) fn compared(signer: Option<&Certificate>, message: &Message) -> FromMatch {
    let names = |address: &Address| {
        let addresses = signer.map(Certificate::addresses).unwrap_or_default();
        addresses.iter().any(|own| own.matches_folded(address))
    };
    let authors = message.addresses("From");
    let senders = message.addresses("Sender");
    if message.first("From").is_none() {
        return FromMatch::Absent;
    }
    // RFC 5322 §3.6.2: one From field; Sender with one mailbox stands beside several authors.
    let is_single = message.all("From").count() == 1;
    if is_single && senders.len() == 1 && senders.iter().all(|it| names(&it.address)) {
        return FromMatch::Matches;
    }
    match authors.as_slice() {
        [author] if is_single => match signer {
            Some(certificate) if !certificate.addresses().is_empty() => {
                if names(&author.address) {
                    FromMatch::Matches
                } else {
                    FromMatch::Differs
                }
            }
            _ => FromMatch::Unknown,
        },
        [] if is_single => FromMatch::Absent,
        _ => FromMatch::Several,
    }
}
