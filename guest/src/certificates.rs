//! Certificates of others. Grant: `certificates`. Private keys stay in the host.

use crate::{Error, bindings::waxseal::filter::certificates as host};

pub use crate::bindings::waxseal::filter::types::Certificate;
pub use host::{Candidates, Rejected};

/// What the host found for one recipient, with the reason for each certificate
/// that it could not use.
pub fn for_recipient(address: &str) -> Result<Candidates, Error> {
    Ok(host::for_recipient(address)?)
}

/// Those of the addresses that have no usable certificate, in one call.
pub fn missing(addresses: &[String]) -> Result<Vec<String>, Error> {
    Ok(host::missing(addresses)?)
}

/// Path, validity and revocation by the operator's trust policy.
pub fn validate(certificate: &Certificate) -> Result<(), Error> {
    Ok(host::validate(certificate)?)
}

/// The name of the granted signing identity for a sender.
pub fn signer_for(address: &str) -> Result<Option<String>, Error> {
    Ok(host::signer_for(address)?)
}
