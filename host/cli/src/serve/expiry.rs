//! Signing certificates that are about to expire (DESIGN §6 rule 14), as a metric. When each of
//! them ends is a metric of the service's.

use waxseal_engine::Generation;
use waxseal_smime::Time;

/// Days ahead that an operator wants to hear of it.
const WARN_DAYS: i64 = 30;

/// Counts the signing identities that are to be renewed.
pub(crate) fn measure(generation: &Generation, now: Time) {
    let soon = now.plus(WARN_DAYS * 86_400);
    let signing = generation.identities().iter().filter(|own| own.signs);
    let ending = signing.filter(|own| own.identity.certificate.not_after() < soon);
    let count = u32::try_from(ending.count()).unwrap_or(u32::MAX);
    metrics::gauge!("waxseal_identities_expiring").set(f64::from(count));
}
