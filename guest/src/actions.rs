//! What is sent. Grant: `actions`.
//!
//! The plan has a row for each recipient: message, profile, must-encrypt. A call
//! sets cells, later calls over earlier ones; nothing takes effect before the
//! last filter has returned.

use crate::{
    Error, Recipients, Reply, bindings::waxseal::filter::actions as host, mail::Message,
    session::Transaction,
};

/// The message of every recipient that no [`route`] names.
pub fn set_message(tx: &Transaction, message: &Message) -> Result<(), Error> {
    Ok(host::set_message(&tx.0, &message.0)?)
}

/// The message of just these recipients.
pub fn route(tx: &Transaction, recipients: &[String], message: &Message) -> Result<(), Error> {
    Ok(host::route(&tx.0, recipients, &message.0)?)
}

/// No copy for these leaves unencrypted, whatever any filter does or fails to do
/// afterwards. Never taken back.
pub fn require_encryption<'a>(
    tx: &Transaction,
    recipients: impl Into<Recipients<'a>>,
) -> Result<(), Error> {
    Ok(host::require_encryption(&tx.0, recipients.into().list())?)
}

/// Refuses these recipients; the others get theirs.
pub fn refuse(tx: &Transaction, recipients: &[String], reply: Reply) -> Result<(), Error> {
    Ok(host::refuse(&tx.0, recipients, &reply.into())?)
}
