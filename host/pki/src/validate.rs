//! Validates a whole path (RFC 5280 §6.1), from the anchor down.
//!
//! Beyond what §6.1.1 (d) takes from an anchor, constraints in its certificate hold as well (RFC
//! 5937): its times, its path length, its name constraints.

use crate::constraints::{Subtrees, Violation};
use crate::defect::{Defect, Fault};
use crate::judgement::Judgement;
use crate::key::Key;
use crate::parsed::Entry;
use crate::policy::{PolicyFault, PolicyState, PolicyStatement};
use crate::search::fault;
use crate::settings::{Profile, RevocationMode, Settings};
use crate::{profile, status};
use waxseal_smime::{Purpose, Revocation};

/// What a path is wanted for.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// A holder who signs mail, or whom it is encrypted to.
    Mail(Purpose),
    /// An authority that signs lists (RFC 5280 §6.3.3 (f)). Policies are not asked for.
    Lists,
}

/// A path that holds, the anchor last.
#[derive(Debug)]
pub(crate) struct Validated {
    pub(crate) path: Vec<Entry>,
    /// The key of each certificate, with its parameters.
    pub(crate) keys: Vec<Key>,
    pub(crate) policies: Vec<String>,
    pub(crate) revocation: Revocation,
}

/// What is carried from one certificate down to the next (RFC 5280 §6.1.2).
struct State {
    key: Key,
    names: Subtrees,
    policies: PolicyState,
    path_length: u64,
}

impl Judgement<'_> {
    /// RFC 5280 §6.1 for a path that begins with the certificate and ends with an anchor.
    pub(crate) fn validate(&mut self, path: &[Entry], goal: &Goal) -> Result<Validated, Fault> {
        let Some((anchor, below)) = path.split_last() else {
            let subject = String::new();
            let defect = Defect::Limit("certificates");
            return Err(Fault { defect, subject });
        };
        let mut state = self.begin(anchor, below.len(), goal)?;
        let mut keys = vec![state.key.clone()];
        let mut issuer = anchor;
        for (left, entry) in below.iter().enumerate().rev() {
            self.check_signature(entry, issuer, &state.key)?;
            self.check_time(entry)?;
            state.take(entry, left == 0)?;
            keys.push(state.key.clone());
            issuer = entry;
        }
        keys.reverse();
        let policies = self.finish(&state, path, goal)?;
        let mut validated = Validated {
            path: path.to_vec(),
            keys,
            policies,
            revocation: Revocation::NotChecked,
        };
        validated.revocation = self.check_revocation(&validated)?;
        Ok(validated)
    }

    /// RFC 5280 §6.1.2.
    fn begin(&self, anchor: &Entry, length: usize, goal: &Goal) -> Result<State, Fault> {
        self.check_time(anchor)?;
        check_understood(anchor)?;
        let mut names = Subtrees::default();
        if let Some(constraints) = &anchor.extensions.name_constraints {
            names.add(constraints);
        }
        let any = Settings::default();
        let settings = match goal {
            Goal::Mail(_) => &self.policy.settings,
            Goal::Lists => &any,
        };
        Ok(State {
            key: Key::of(anchor, None).ok_or_else(|| fault(Defect::Malformed, anchor))?,
            names,
            policies: PolicyState::new(settings, length),
            path_length: anchor.extensions.path_length.unwrap_or(length as u64),
        })
    }

    /// RFC 5280 §6.1.5 (g), and what the profile asks of the certificate itself.
    fn finish(&mut self, state: &State, path: &[Entry], goal: &Goal) -> Result<Vec<String>, Fault> {
        let Some(last) = path.first() else {
            return Ok(Vec::new());
        };
        let Goal::Mail(purpose) = goal else {
            return Ok(Vec::new());
        };
        let policy = |error| fault(defect_of(error), last);
        let acceptable = &self.policy.settings.initial_policies;
        let policies = match path.len() {
            // An anchor for itself: there is no path that policies could be of.
            1 => Vec::new(),
            _ => state.policies.finish(acceptable).map_err(policy)?,
        };
        let key = last.certificate.key_algorithm();
        self.verifier
            .accept_key(&key)
            .map_err(|defect| fault(defect, last))?;
        if self.policy.settings.profile != Profile::Any {
            profile::check_rfc8550(path, *purpose)?;
        }
        if self.policy.settings.profile == Profile::CaBrowserForum {
            profile::check_baseline(path)?;
        }
        Ok(policies)
    }

    /// RFC 5280 §6.1.3 (a) (3) for every certificate below the anchor, the highest first.
    fn check_revocation(&mut self, validated: &Validated) -> Result<Revocation, Fault> {
        let mode = self.policy.settings.revocation;
        if mode == RevocationMode::Off {
            return Ok(Revocation::NotChecked);
        }
        let mut known = Revocation::Good;
        for at in (0..validated.path.len().saturating_sub(1)).rev() {
            let Some(subject) = status::Subject::new(validated, at) else {
                continue;
            };
            match self.status(&subject) {
                Ok(()) => {}
                // Nobody gets past a list by bringing a hundred others.
                Err(Defect::RevocationUnknown(_)) if self.verifier.is_spent() => {
                    return Err(fault(Defect::Limit("signatures"), subject.certificate));
                }
                Err(Defect::RevocationUnknown(_)) if mode == RevocationMode::IfAvailable => {
                    known = Revocation::NotChecked;
                }
                Err(defect) => return Err(fault(defect, subject.certificate)),
            }
        }
        Ok(known)
    }
}

impl State {
    /// RFC 5280 §6.1.3 (b) to (f), then §6.1.4 or §6.1.5.
    fn take(&mut self, entry: &Entry, is_last: bool) -> Result<(), Fault> {
        let extensions = &entry.extensions;
        let is_self_issued = entry.is_self_issued();
        if is_last || !is_self_issued {
            self.names
                .check(&entry.subject, &extensions.alternative_names)
                .map_err(|violation| fault(violated(violation), entry))?;
        }
        let statement = PolicyStatement {
            policies: extensions.policies.as_deref(),
            mappings: &extensions.mappings,
            require_explicit: extensions.require_explicit_policy,
            inhibit_mapping: extensions.inhibit_policy_mapping,
            inhibit_any: extensions.inhibit_any_policy,
            is_self_issued,
            is_last,
        };
        let taken = self.policies.take(&statement);
        taken.map_err(|error| fault(defect_of(error), entry))?;
        check_understood(entry)?;
        // §6.1.4 (d) to (f), §6.1.5 (c) to (e).
        let key = Key::of(entry, Some(&self.key));
        self.key = key.ok_or_else(|| fault(Defect::Malformed, entry))?;
        if !is_last {
            self.descend(entry, is_self_issued)?;
        }
        Ok(())
    }

    /// RFC 5280 §6.1.4 (g), (l), (m).
    fn descend(&mut self, entry: &Entry, is_self_issued: bool) -> Result<(), Fault> {
        if let Some(constraints) = &entry.extensions.name_constraints {
            self.names.add(constraints);
        }
        if !is_self_issued {
            self.path_length = self
                .path_length
                .checked_sub(1)
                .ok_or_else(|| fault(Defect::TooLong, entry))?;
        }
        if let Some(length) = entry.extensions.path_length {
            self.path_length = self.path_length.min(length);
        }
        Ok(())
    }
}

/// RFC 5280 §6.1.4 (o), §6.1.5 (f).
fn check_understood(entry: &Entry) -> Result<(), Fault> {
    match entry.extensions.not_understood {
        Some(oid) => Err(fault(Defect::CriticalExtension(oid), entry)),
        None => Ok(()),
    }
}

fn violated(violation: Violation) -> Defect {
    match violation {
        Violation::Name(name) => Defect::NameConstraints(name),
        Violation::TooMany => Defect::Limit("names"),
    }
}

fn defect_of(error: PolicyFault) -> Defect {
    match error {
        PolicyFault::NoPolicy => Defect::Policy,
        PolicyFault::MapsAnyPolicy => Defect::PolicyMapping,
        PolicyFault::TooMany => Defect::Limit("policies"),
    }
}
