//! Header protection.
