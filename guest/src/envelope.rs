//! The envelope. Grant: `envelope`.

use crate::{Error, bindings::waxseal::filter::envelope as host, session::Transaction};

/// One recipient more.
pub fn add_recipient(tx: &Transaction, address: &str) -> Result<(), Error> {
    Ok(host::add_recipient(&tx.0, address)?)
}

/// One recipient less.
pub fn remove_recipient(tx: &Transaction, address: &str) -> Result<(), Error> {
    Ok(host::remove_recipient(&tx.0, address)?)
}

/// Another reverse-path; empty for the null one.
pub fn set_sender(tx: &Transaction, address: &str) -> Result<(), Error> {
    Ok(host::set_sender(&tx.0, address)?)
}
