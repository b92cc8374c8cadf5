//! Decrypts with the operator's identities. Grant: `open`.
//!
//! Keys are assigned to recipients: a message is opened for those whose key opens
//! it, and whatever is done with the result, everybody else gets what it came out
//! of.
//!
//! ```no_run
//! use waxseal_guest::{actions, open, prelude::*};
//!
//! fn open_for_readers(tx: &Transaction) -> Result<(), Error> {
//!     let message = tx.message();
//!     if open::can_decrypt(&message) {
//!         actions::set_message(tx, &open::decrypt(&message)?)?;
//!     }
//!     Ok(())
//! }
//! ```

use crate::{Error, bindings::waxseal::filter::open as host, mail::Message};

/// Is there a key of one of the recipients for the outermost encrypted layer?
pub fn can_decrypt(message: &Message) -> bool {
    host::can_decrypt(&message.0)
}

/// Without everything up to and with its outermost encrypted layer. Why that
/// failed, [`inspect::layers`](crate::inspect::layers) of the same message says
/// from then on.
pub fn decrypt(message: &Message) -> Result<Message, Error> {
    Ok(Message(host::decrypt(&message.0)?))
}

/// Without any encrypted layer for which there is a key; nothing when not one came
/// off. A layer that cannot be opened stays as it is, and its state says why.
pub fn decrypt_all(message: &Message) -> Option<Message> {
    let mut opened = None;
    loop {
        // The host bounds the number of layers.
        let closed = opened.as_ref().unwrap_or(message);
        match can_decrypt(closed).then(|| decrypt(closed)) {
            Some(Ok(inside)) => opened = Some(inside),
            Some(Err(_)) | None => return opened,
        }
    }
}
