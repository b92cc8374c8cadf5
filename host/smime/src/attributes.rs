//! Signed attributes.
