//! Octets ⇄ [`Message`]: header fields and the MIME tree as spans over the octets
//! received, edits of header fields, and the canonical form that is signed and encrypted.
//!
//! What it does not do: no I/O, no cryptography, no judgement of what a mail means.
//!
//! What happens on failure: parsing is total. Odd mail (no blank line, obsolete syntax,
//! bare CR, NUL, broken MIME) parses, and an unedited message writes out as the octets that
//! came in. The only errors of [`Message::parse`] are [`Limits`], each with a name; the only
//! errors of edits are values that may not stand in a header field.
//!
//! mail-parser decodes charsets; everything that decides where one part ends and another
//! begins is here, because two readings of one mail are a security hole.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod address;
pub mod base64;
mod charset;
mod date;
mod edit;
mod encoded_word;
pub mod entity;
mod error;
mod field;
mod fold;
mod head;
mod limits;
mod line;
mod media;
mod message;
mod parameter;
mod part;
mod quoted_printable;
mod tree;

pub use address::{Address, Mailbox, parse_mailboxes};
pub use base64::base64_lines;
pub use date::{Date, DateTime, unix_seconds};
pub use edit::FieldEdit;
pub use error::Error;
pub use field::{Field, Fields};
pub use limits::Limits;
pub use line::LineEnds;
pub use media::TransferEncoding;
pub use message::Message;
pub use part::Part;
