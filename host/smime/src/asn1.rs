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
mod write;

pub(crate) use normal::to_der;
pub(crate) use read::{Element, Malformed, Reader, joined};
pub(crate) use write::{
    algorithm, context, context_primitive, header, integer, null, object_identifier, octet_string,
    sequence, set_of, tlv,
};

/// Identifier octets that CMS and X.509 use.
pub(crate) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    pub(crate) const CONSTRUCTED: u8 = 0x20;

    /// Context-specific and constructed.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }

    /// Context-specific and primitive.
    pub(crate) const fn context_primitive(number: u8) -> u8 {
        0x80 | number
    }
}

/// How deep indefinite lengths and constructed strings may nest. CMS needs six.
pub(crate) const MAX_DEPTH: usize = 24;
