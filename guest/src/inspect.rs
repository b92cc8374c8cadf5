//! Looks at protected messages; needs no private key. Grant: `inspect`.

use crate::{Error, bindings::waxseal::filter::inspect as host, mail::Message};

pub use host::{Layer, Signature};

/// The S/MIME layers from the outside in, no further than the first closed one.
/// Empty: not S/MIME.
pub fn layers(message: &Message) -> Result<Vec<Layer>, Error> {
    Ok(host::layers(&message.0)?)
}

/// The signed content without its signature.
pub fn unwrap_signature(message: &Message) -> Result<Message, Error> {
    Ok(Message(host::unwrap_signature(&message.0)?))
}
