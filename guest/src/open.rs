//! Decrypts with the operator's identities. Grant: `open` and `identity:NAME`.

use crate::{Error, bindings::waxseal::filter::open as host, mail::Message};

/// Is there a key for it?
pub fn can_decrypt(message: &Message) -> bool {
    host::can_decrypt(&message.0)
}

/// Without its outermost encrypted layer.
pub fn decrypt(message: &Message) -> Result<Message, Error> {
    Ok(Message(host::decrypt(&message.0)?))
}
