//! Revocation by CertificateLists (RFC 5280 §6.3): complete and delta lists, by distribution
//! point and by reason, direct and indirect.
//!
//! Of several lists that cover a certificate, the newest is heard first. A delta list is heard
//! where it follows on the complete one. A list needs a nextUpdate: without one it could be
//! shown for ever.

use crate::crl::{Crl, List, REMOVE_FROM_CRL, is_at_most};
use crate::defect::Unknown;
use crate::extensions::{DistributionPoint, PointName};
use crate::judgement::Judgement;
use crate::key::{Key, Signed};
use crate::names::{GeneralName, Name};
use crate::parsed::{Entry, Parsed};
use crate::status::{Subject, Verdict};
use crate::validate::Goal;
use std::cmp::Reverse;
use waxseal_smime::asn1::Element;

/// All reasons of ReasonFlags but `unused` (RFC 5280 §4.2.1.13).
const ALL_REASONS: u16 = 0x7f80;

impl Judgement<'_> {
    /// RFC 5280 §6.3.3 for one certificate.
    pub(crate) fn by_lists(
        &mut self,
        subject: &Subject<'_>,
        known: &[Crl],
    ) -> Result<Verdict, Unknown> {
        let parsed = subject.certificate;
        let mut complete: Vec<&List> = known.iter().map(Crl::list).collect();
        complete.retain(|list| list.scope_may_be_of(parsed));
        let deltas: Vec<&List> = complete
            .iter()
            .copied()
            .filter(|list| list.base.is_some())
            .collect();
        complete.retain(|list| list.base.is_none());
        complete.sort_by_key(|list| Reverse(list.this_update));
        let mut covered = 0;
        let mut why = match complete.is_empty() {
            true => Unknown::NoSource,
            false => Unknown::Scope,
        };
        for point in points_of(parsed) {
            for list in &complete {
                let reasons = reasons_covered(parsed, &point, list).unwrap_or(0);
                if reasons & !covered == 0 {
                    continue;
                }
                match self.hear(subject, list, &deltas) {
                    Ok(Verdict::Good) => covered |= reasons,
                    Ok(revoked) => return Ok(revoked),
                    Err(unknown) => why = why.max(unknown),
                }
            }
        }
        match covered {
            ALL_REASONS => Ok(Verdict::Good),
            0 => Err(why),
            _ => Err(why.max(Unknown::Reasons)),
        }
    }

    /// What a list, with the delta list that follows it, says of a certificate of its scope.
    fn hear(
        &mut self,
        subject: &Subject<'_>,
        list: &List,
        deltas: &[&List],
    ) -> Result<Verdict, Unknown> {
        self.check_usable(list)?;
        let key = self.key_of(subject, list)?;
        let (issuer, serial) = (&subject.certificate.issuer, serial_of(subject.certificate));
        let mut newest: Option<&List> = None;
        for delta in deltas.iter().filter(|delta| follows(delta, list)) {
            let is_usable = self.check_usable(delta).is_ok() && self.is_signed(delta, &key);
            if is_usable && newest.is_none_or(|newest| newest.this_update < delta.this_update) {
                newest = Some(delta);
            }
        }
        // RFC 5280 §6.3.3 (i) to (k).
        let finding = match newest.and_then(|delta| delta.find(issuer, serial)) {
            Some(finding) => Some(finding),
            None => list.find(issuer, serial),
        };
        Ok(match finding {
            Some(finding) if finding.reason != REMOVE_FROM_CRL => Verdict::Revoked(finding),
            _ => Verdict::Good,
        })
    }

    fn check_usable(&self, list: &List) -> Result<(), Unknown> {
        // RFC 5280 §5.2, §5.3: such a list must not be used.
        if list.not_understood {
            return Err(Unknown::CriticalExtension);
        }
        let begins = list.this_update.is_some_and(|time| self.has_come(time));
        let ends = list.next_update.is_some_and(|time| self.is_ahead(time));
        match begins && ends {
            true => Ok(()),
            false => Err(Unknown::Stale),
        }
    }

    fn is_signed(&mut self, list: &List, key: &Key) -> bool {
        let whole = list.sha256(|octets| self.verifier.sha256(octets));
        let signed = Signed {
            whole: Some(whole),
            octets: list.signed(),
            algorithm: list.algorithm(),
            signature: list.signature(),
        };
        self.verifier.verify(&signed, key).is_ok()
    }

    /// RFC 5280 §6.3.3 (f), (g): the key that signed the list, of an authority with a path to
    /// the same anchor.
    fn key_of(&mut self, subject: &Subject<'_>, list: &List) -> Result<Key, Unknown> {
        let mut why = Unknown::Issuer;
        let authority_key = list.authority_key.as_deref();
        let is_issuer =
            |entry: &Parsed| entry.subject == list.issuer && entry.may_have_signed(authority_key);
        let on_path = subject.above.iter().zip(subject.keys);
        for (entry, key) in on_path.filter(|(entry, _)| is_issuer(entry)) {
            if !entry.signs_lists() {
                why = why.max(Unknown::KeyUsage);
            } else if self.is_signed(list, key) {
                return Ok(key.clone());
            } else {
                why = why.max(Unknown::Signature);
            }
        }
        for entry in self.intermediates(&list.issuer) {
            let is_known = subject
                .above
                .iter()
                .any(|above| above.fingerprint == entry.fingerprint);
            if is_known || !is_issuer(&entry) {
                continue;
            }
            match self.key_of_other(subject, list, &entry) {
                Ok(key) => return Ok(key),
                Err(unknown) => why = why.max(unknown),
            }
        }
        Err(why)
    }

    /// The key of an issuer of lists that is not on the path.
    fn key_of_other(
        &mut self,
        subject: &Subject<'_>,
        list: &List,
        entry: &Entry,
    ) -> Result<Key, Unknown> {
        if !entry.signs_lists() {
            return Err(Unknown::KeyUsage);
        }
        // The cheap check first; a key that inherits its parameters signs no lists here.
        let key = Key::of(entry, None).ok_or(Unknown::Issuer)?;
        if !self.is_signed(list, &key) {
            return Err(Unknown::Signature);
        }
        let anchors = [subject.anchor.clone()];
        let path = self.find_path(entry, &anchors, &Goal::Lists);
        path.map(|_| key).map_err(|_| Unknown::Issuer)
    }

    /// Fetches the lists that a certificate names (RFC 5280 §4.2.1.13, §4.2.1.15).
    pub(crate) fn fetch_lists(&mut self, certificate: &Parsed) -> Vec<Crl> {
        let extensions = &certificate.extensions;
        let points = extensions
            .distribution_points
            .iter()
            .chain(&extensions.freshest);
        let names = points.filter_map(|point| point.names.as_ref());
        let urls: Vec<String> = names.flat_map(PointName::urls).map(str::to_owned).collect();
        let mut fetched = Vec::new();
        for url in urls {
            let list = self
                .fetch(&url)
                .and_then(|octets| Crl::from_der(&octets).ok());
            fetched.extend(list);
        }
        self.lists.extend(fetched.iter().cloned());
        fetched
    }
}

impl List {
    /// Whether the list could cover a certificate of this issuer at all.
    fn scope_may_be_of(&self, certificate: &Parsed) -> bool {
        let is_indirect = self.scope.as_ref().is_some_and(|scope| scope.indirect);
        self.issuer == certificate.issuer || is_indirect
    }
}

/// The distribution points of a certificate, and the one that is implied (RFC 5280 §6.3.3, last
/// paragraph).
fn points_of(certificate: &Parsed) -> Vec<DistributionPoint> {
    let implied = DistributionPoint {
        names: Some(PointName::Full(vec![GeneralName::Directory(
            certificate.issuer.clone(),
        )])),
        ..DistributionPoint::default()
    };
    let named = certificate.extensions.distribution_points.iter().cloned();
    named.chain([implied]).collect()
}

/// RFC 5280 §6.3.3 (b), (d): the reasons for which a list covers a certificate by way of a
/// distribution point; `None` when it does not.
fn reasons_covered(certificate: &Parsed, point: &DistributionPoint, list: &List) -> Option<u16> {
    let scope = list.scope.as_ref();
    let is_issuer = match point.issuers.is_empty() {
        true => list.issuer == certificate.issuer,
        false => scope.is_some_and(|scope| scope.indirect) && names(&point.issuers, &list.issuer),
    };
    if !is_issuer {
        return None;
    }
    let all = point.reasons.unwrap_or(ALL_REASONS) & ALL_REASONS;
    let Some(scope) = scope else {
        return Some(all);
    };
    let is_authority = certificate.is_authority();
    if scope.only_attributes
        || scope.only_users && is_authority
        || scope.only_authorities && !is_authority
    {
        return None;
    }
    if let Some(own) = &scope.names {
        let own = own.resolve(&list.issuer);
        let wanted = match &point.names {
            Some(names) => names.resolve(&list.issuer),
            None => point.issuers.clone(),
        };
        if !own.iter().any(|name| wanted.contains(name)) {
            return None;
        }
    }
    Some(all & scope.reasons.unwrap_or(ALL_REASONS))
}

fn names(names: &[GeneralName], issuer: &Name) -> bool {
    names.iter().any(|name| match name {
        GeneralName::Directory(name) => name == issuer,
        _ => false,
    })
}

/// RFC 5280 §5.2.4, §6.3.3 (c): the delta list is of the same scope, and builds on this list.
fn follows(delta: &List, list: &List) -> bool {
    let raw = |list: &List| list.scope.as_ref().map(|scope| scope.raw.clone());
    let (Some(base), Some(later)) = (&delta.base, &delta.number) else {
        return false;
    };
    let Some(number) = &list.number else {
        return false;
    };
    delta.issuer == list.issuer
        && raw(delta) == raw(list)
        && delta.authority_key == list.authority_key
        && is_at_most(base, number)
        && is_at_most(number, later)
}

fn serial_of(certificate: &Parsed) -> &[u8] {
    let serial = Element::only(certificate.certificate.serial_der());
    serial.map(|serial| serial.value).unwrap_or_default()
}
