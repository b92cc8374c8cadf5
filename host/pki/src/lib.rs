//! Whom to trust: certificate paths, policies, names and revocation by RFC 5280, RFC 6960 and
//! RFC 8550.
//!
//! [`TrustPolicy`] is what an operator trusts, and implements [`waxseal_smime::Trust`]. It is
//! made once and asked often: certificates and lists are parsed when it is made. Signatures are
//! checked by the provider, and what must be fetched is asked of [`Fetch`]; without a fetcher
//! nothing is. The crate reads no file, no clock and no network.
//!
//! What is not trusted is a [`waxseal_smime::Distrust`] with a stable code. Whatever comes from
//! outside is bounded: the number of paths and signature checks, policy nodes, names, list sizes.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod answers;
mod constraints;
mod crl;
mod defect;
mod extensions;
mod fetch;
mod fetched;
mod judgement;
mod key;
mod limits;
mod lists;
mod names;
mod ocsp;
mod parsed;
mod policy;
mod profile;
mod right;
mod search;
mod settings;
mod status;
mod trust_policy;
mod validate;

pub use crl::{Crl, MalformedCrl};
pub use fetch::{Fetch, FetchError};
pub use settings::{PolicyIdentifier, Profile, RevocationMode, Settings};
pub use trust_policy::TrustPolicy;
