//! Writes to the certificate store. Grant: `harvest`.

use crate::{
    Error, bindings::waxseal::filter::harvest as host, mail::Message, session::Transaction,
};

/// Keeps the certificates of a verified message for later encryption, by the
/// operator's rules, once the message itself is done. Give it the message of
/// which the signature was looked at, even when it is taken off by then: the host
/// knows what was on it. Fails with a code that begins with `harvest.` where there is
/// no store, or the rules keep nothing of this message; that is no reason to defer it.
pub fn harvest(tx: &Transaction, message: &Message) -> Result<(), Error> {
    Ok(host::harvest(&tx.0, &message.0)?)
}
