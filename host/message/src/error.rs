//! What can be wrong with a message or with what somebody asks of it.

/// Why a message was not read, or an edit not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message has more octets than [`crate::Limits::octets`].
    #[error("message too large: {size} octets, limit {limit}")]
    TooLarge {
        /// Octets of the message.
        size: usize,
        /// The limit it exceeds.
        limit: usize,
    },
    /// One header section (of the message or of a part) has too many fields.
    #[error("too many header fields: limit {limit}")]
    TooManyFields {
        /// The limit it exceeds.
        limit: usize,
    },
    /// One header section (of the message or of a part) is too long.
    #[error("header section too long: limit {limit} octets")]
    HeaderTooLong {
        /// The limit it exceeds.
        limit: usize,
    },
    /// Parts nest too deep.
    #[error("MIME parts nested too deep: limit {limit}")]
    TooDeep {
        /// The limit it exceeds.
        limit: usize,
    },
    /// The message has too many parts.
    #[error("too many MIME parts: limit {limit}")]
    TooManyParts {
        /// The limit it exceeds.
        limit: usize,
    },
    /// Not a header field name (RFC 5322 §3.6.8).
    #[error("invalid header field name: {0:?}")]
    InvalidName(String),
    /// A value with a control character: it could end the field and begin another.
    #[error("control character U+{code:04X} in the value of header field: {name}")]
    ControlCharacter {
        /// The field it was meant for.
        name: String,
        /// The character.
        code: u32,
    },
    /// `Content-*` and `MIME-Version` belong to the content and cannot be edited alone.
    #[error("header field belongs to the content: {0}")]
    ContentField(String),
    /// No header field at this position.
    #[error("no header field at position: {index}")]
    NoSuchField {
        /// The position asked for.
        index: usize,
    },
    /// Not an address of the form local@domain.
    #[error("invalid address: {0:?}")]
    InvalidAddress(String),
}
