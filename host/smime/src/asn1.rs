//! The octets of BER and DER, without their meaning: a reader that borrows and a writer that
//! splices.
//!
//! The typed structures come from the `cms`, `x509-cert` and `der` crates. They re-encode what
//! they have read, which changes certificates and names that are not strict DER, and they copy
//! content. So whatever must stay octet for octet (certificates, names, signed attributes,
//! content of megabytes) is found and placed by this module instead.
//!
//! Nothing here panics; input that is no BER, deeper than [`MAX_DEPTH`] or cut short is
//! [`Malformed`].

mod normal;
mod read;
mod time;
mod write;

pub(crate) use normal::to_der;
pub(crate) use read::definite;
pub use read::{Element, Malformed, Octets, Reader, joined};
pub use time::time;
pub use write::{
    algorithm, context, context_primitive, header, integer, null, object_identifier, octet_string,
    sequence, set_of, tlv,
};

/// Identifier octets that CMS and X.509 use.
pub mod tag {
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;
    /// SET and SET OF.
    pub const SET: u8 = 0x31;
    /// The bit of what holds other elements.
    pub const CONSTRUCTED: u8 = 0x20;

    /// Context-specific and constructed.
    pub const fn context(number: u8) -> u8 {
        0xa0 | number
    }

    /// Context-specific and primitive.
    pub const fn context_primitive(number: u8) -> u8 {
        0x80 | number
    }
}

/// How deep indefinite lengths and constructed strings may nest. CMS needs six.
pub const MAX_DEPTH: usize = 24;
