//! What S/MIME asks of the certificate at the end of a path: RFC 8550, and the CA/Browser
//! Forum's S/MIME Baseline Requirements as far as a relying party can see them.
//!
//! Of the Baseline Requirements are checked: a policy of theirs (§7.1.6.1), keys (§6.1.5),
//! signature algorithms (§7.1.3.2), validity (§6.3.2), key usage, extended key usage, an address
//! in subjectAltName and a distribution point (§7.1.2.3), and that the Legacy generation ended
//! (§1.1). How an authority validates addresses and keeps records is not in a certificate.

use crate::defect::{Defect, Fault};
use crate::names::GeneralName;
use crate::parsed::{Entry, Parsed};
use crate::search::fault;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use waxseal_smime::{KeyAlgorithm, Purpose, Time, signature_scheme};

/// RFC 8550 §4.4.2 and §4.4.4; an extendedKeyUsage of an authority below the anchor bounds
/// those of what it issues, as every implementation has it.
pub(crate) fn check_rfc8550(path: &[Entry], purpose: Purpose) -> Result<(), Fault> {
    let Some(last) = path.first() else {
        return Ok(());
    };
    if !allows_mail(last) {
        return Err(fault(Defect::ExtendedKeyUsage, last));
    }
    let allowed = match purpose {
        Purpose::Sign => last.certificate.can_sign(),
        Purpose::Encrypt => last.certificate.can_encrypt(),
    };
    if !allowed {
        return Err(fault(Defect::Usage, last));
    }
    let below_anchor = path
        .split_last()
        .map(|(_, below)| below)
        .unwrap_or_default();
    match below_anchor
        .iter()
        .skip(1)
        .find(|entry| !allows_mail(entry))
    {
        Some(entry) => Err(fault(Defect::ExtendedKeyUsage, entry)),
        None => Ok(()),
    }
}

fn allows_mail(entry: &Parsed) -> bool {
    let purposes = entry.extensions.extended_key_usage.as_ref();
    purposes.is_none_or(|purposes| {
        [
            rfc5280::ID_KP_EMAIL_PROTECTION,
            rfc5280::ANY_EXTENDED_KEY_USAGE,
        ]
        .iter()
        .any(|known| purposes.contains(known))
    })
}

/// The generations of the Baseline Requirements' profiles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    Legacy,
    Multipurpose,
    Strict,
}

const DAY: i64 = 86_400;
/// 2025-07-15, from when on no Legacy certificates are issued.
const LEGACY_ENDS: Time = Time::from_unix(1_752_537_600);

/// The Baseline Requirements for S/MIME.
pub(crate) fn check_baseline(path: &[Entry]) -> Result<(), Fault> {
    let Some((last, above)) = path.split_first() else {
        return Ok(());
    };
    let refuse = |why| Err(fault(Defect::Profile(why), last));
    let Some(generation) = generation(last) else {
        return refuse("no policy of theirs");
    };
    let extensions = &last.extensions;
    let purposes = extensions.extended_key_usage.as_deref().unwrap_or_default();
    if !purposes.contains(&rfc5280::ID_KP_EMAIL_PROTECTION)
        || purposes.contains(&rfc5280::ANY_EXTENDED_KEY_USAGE)
    {
        return refuse("extended key usage");
    }
    if extensions.key_usage.is_none() {
        return refuse("no key usage");
    }
    if last.is_authority() {
        return refuse("an authority");
    }
    let is_mail = |name: &GeneralName| matches!(name, GeneralName::Mail(_));
    if !extensions.alternative_names.iter().any(is_mail) {
        return refuse("no address in subjectAltName");
    }
    if extensions.distribution_points.is_empty() {
        return refuse("no distribution point of revocation lists");
    }
    check_validity(last, generation)?;
    check_algorithms(last, above)
}

/// §7.1.6.1: 2.23.140.1.5.TYPE.GENERATION.
fn generation(last: &Parsed) -> Option<Generation> {
    let policies = last.extensions.policies.as_deref().unwrap_or_default();
    policies.iter().find_map(|policy| generation_of(*policy))
}

fn generation_of(policy: ObjectIdentifier) -> Option<Generation> {
    let arcs: Vec<u32> = policy.arcs().collect();
    match arcs.as_slice() {
        [2, 23, 140, 1, 5, 1..=4, 1] => Some(Generation::Legacy),
        [2, 23, 140, 1, 5, 1..=4, 2] => Some(Generation::Multipurpose),
        [2, 23, 140, 1, 5, 1..=4, 3] => Some(Generation::Strict),
        _ => None,
    }
}

/// §6.3.2: 1185 days for Legacy, 825 for the others.
fn check_validity(last: &Entry, generation: Generation) -> Result<(), Fault> {
    let (begins, ends) = (last.certificate.not_before(), last.certificate.not_after());
    if generation == Generation::Legacy && begins >= LEGACY_ENDS {
        return Err(fault(
            Defect::Profile("issued after the Legacy generation"),
            last,
        ));
    }
    let days = match generation {
        Generation::Legacy => 1185,
        Generation::Multipurpose | Generation::Strict => 825,
    };
    // Both ends are within the period.
    match ends.unix() - begins.unix() < days * DAY {
        true => Ok(()),
        false => Err(fault(Defect::Profile("valid for too long"), last)),
    }
}

/// §6.1.5, §7.1.3.2: no RSA below 2048 bits or of odd sizes, and no SHA-1, whatever is allowed
/// elsewhere.
fn check_algorithms(last: &Entry, above: &[Entry]) -> Result<(), Fault> {
    let mut subject = last;
    for issuer in above {
        let key = issuer.certificate.key_algorithm();
        let identifier = subject.certificate.signature_algorithm_der();
        let scheme = signature_scheme(identifier, &key, None);
        if scheme.is_none_or(|scheme| scheme.is_weak()) {
            return Err(fault(Defect::Profile("signature algorithm"), subject));
        }
        let key = subject.certificate.key_algorithm();
        let is_odd = matches!(key, KeyAlgorithm::Rsa { bits } if bits % 8 != 0);
        if is_odd || !key.is_within_floor() {
            return Err(fault(Defect::Profile("key"), subject));
        }
        subject = issuer;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_the_baseline_requirements() {
        let check = |policy: &str, expected: bool| {
            let policy = ObjectIdentifier::new(policy).unwrap();
            assert_eq!(generation_of(policy).is_some(), expected, "{policy}");
        };
        check("2.23.140.1.5.1.1", true);
        check("2.23.140.1.5.4.3", true);
        check("2.23.140.1.5.5.1", false);
        check("2.23.140.1.5.1.4", false);
        check("2.23.140.1.2.1", false);
    }
}
