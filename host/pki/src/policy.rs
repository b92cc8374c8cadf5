//! Certificate policies: the policy graph of RFC 9618, which gives the answers of RFC 5280's
//! policy tree and cannot be made to explode.
//!
//! Qualifiers are not kept: nobody here shows them.

use crate::limits;
use crate::settings::{PolicyIdentifier, Settings};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ANY_POLICY;
use std::collections::{BTreeMap, BTreeSet};

type Policies = BTreeSet<ObjectIdentifier>;

/// A node of the graph; its valid_policy is its key in the level.
#[derive(Debug, Clone, Default)]
struct Node {
    expected: Policies,
    parents: Policies,
}

type Level = BTreeMap<ObjectIdentifier, Node>;

/// Why a certificate's policies will not do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PolicyFault {
    /// RFC 5280 §6.1.3 (f), §6.1.5: a policy is required, and none is left.
    NoPolicy,
    /// RFC 5280 §6.1.4 (a).
    MapsAnyPolicy,
    /// More nodes than an honest path has.
    TooMany,
}

/// What a certificate says about policies.
pub(crate) struct PolicyStatement<'a> {
    pub(crate) policies: Option<&'a [ObjectIdentifier]>,
    pub(crate) mappings: &'a [(ObjectIdentifier, ObjectIdentifier)],
    pub(crate) require_explicit: Option<u64>,
    pub(crate) inhibit_mapping: Option<u64>,
    pub(crate) inhibit_any: Option<u64>,
    pub(crate) is_self_issued: bool,
    /// The certificate that the path is for.
    pub(crate) is_last: bool,
}

/// The state of RFC 5280 §6.1.2 that concerns policies.
pub(crate) struct PolicyState {
    /// valid_policy_graph; empty is NULL.
    levels: Vec<Level>,
    explicit_policy: u64,
    inhibit_any_policy: u64,
    policy_mapping: u64,
    /// Nodes and edges made so far.
    size: usize,
}

impl PolicyState {
    /// RFC 5280 §6.1.2 (a), (d) to (f), for a path of `length` certificates below the anchor.
    pub(crate) fn new(settings: &Settings, length: usize) -> Self {
        let counter = |now: bool| if now { 0 } else { length as u64 + 1 };
        let root = Node {
            expected: Policies::from([ANY_POLICY]),
            parents: Policies::new(),
        };
        Self {
            levels: vec![Level::from([(ANY_POLICY, root)])],
            explicit_policy: counter(settings.explicit_policy),
            inhibit_any_policy: counter(settings.inhibit_any_policy),
            policy_mapping: counter(settings.inhibit_policy_mapping),
            size: 1,
        }
    }

    /// Takes the next certificate: RFC 5280 §6.1.3 (d) to (f), then §6.1.4 (a), (b), (h) to (j)
    /// or, for the last, §6.1.5 (a), (b).
    pub(crate) fn take(&mut self, statement: &PolicyStatement<'_>) -> Result<(), PolicyFault> {
        match statement.policies {
            Some(policies) => self.extend(policies, statement)?,
            None => self.levels.clear(),
        }
        if self.explicit_policy == 0 && self.levels.is_empty() {
            return Err(PolicyFault::NoPolicy);
        }
        if statement.is_last {
            self.wrap_up(statement);
            return Ok(());
        }
        self.map(statement.mappings)?;
        self.count_down(statement);
        Ok(())
    }

    /// RFC 9618 §5.3 (d).
    fn extend(
        &mut self,
        policies: &[ObjectIdentifier],
        statement: &PolicyStatement<'_>,
    ) -> Result<(), PolicyFault> {
        let Some(above) = self.levels.last() else {
            return Ok(());
        };
        let mut level = Level::new();
        let explicit = policies.iter().filter(|policy| **policy != ANY_POLICY);
        for policy in explicit {
            let mut parents = parents_expecting(above, *policy);
            if parents.is_empty() && above.contains_key(&ANY_POLICY) {
                parents.insert(ANY_POLICY);
            }
            if !parents.is_empty() {
                level.insert(*policy, node(*policy, parents));
            }
        }
        let any_counts =
            self.inhibit_any_policy > 0 || (!statement.is_last && statement.is_self_issued);
        if policies.contains(&ANY_POLICY) && any_counts {
            let expected: Policies = above
                .values()
                .flat_map(|node| &node.expected)
                .copied()
                .collect();
            for policy in expected {
                let parents = parents_expecting(above, policy);
                level.entry(policy).or_insert_with(|| node(policy, parents));
            }
        }
        self.size += level
            .values()
            .map(|node| 1 + node.parents.len())
            .sum::<usize>();
        if self.size > limits::POLICY_NODES {
            return Err(PolicyFault::TooMany);
        }
        self.levels.push(level);
        self.prune();
        Ok(())
    }

    /// Takes nodes out that nothing hangs below, from the level above the last upwards. When the
    /// root goes, the graph is NULL.
    fn prune(&mut self) {
        for at in (1..self.levels.len()).rev() {
            let (above, below) = self.levels.split_at_mut(at);
            if let (Some(above), Some(below)) = (above.last_mut(), below.first()) {
                let used: Policies = below
                    .values()
                    .flat_map(|node| &node.parents)
                    .copied()
                    .collect();
                above.retain(|policy, _| used.contains(policy));
            }
        }
        if self.levels.first().is_none_or(Level::is_empty) {
            self.levels.clear();
        }
    }

    /// RFC 9618 §5.4 (a), (b).
    fn map(
        &mut self,
        mappings: &[(ObjectIdentifier, ObjectIdentifier)],
    ) -> Result<(), PolicyFault> {
        let mut by_issuer: BTreeMap<ObjectIdentifier, Policies> = BTreeMap::new();
        for (issuer, subject) in mappings {
            if *issuer == ANY_POLICY || *subject == ANY_POLICY {
                return Err(PolicyFault::MapsAnyPolicy);
            }
            by_issuer.entry(*issuer).or_default().insert(*subject);
        }
        self.size += mappings.len();
        if self.size > limits::POLICY_NODES {
            return Err(PolicyFault::TooMany);
        }
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        for (issuer, subjects) in by_issuer {
            if self.policy_mapping == 0 {
                level.remove(&issuer);
            } else if let Some(node) = level.get_mut(&issuer) {
                node.expected = subjects;
            } else if level.contains_key(&ANY_POLICY) {
                let parents = Policies::from([ANY_POLICY]);
                let expected = subjects;
                level.insert(issuer, Node { expected, parents });
            }
        }
        self.prune();
        Ok(())
    }

    /// RFC 5280 §6.1.4 (h) to (j).
    fn count_down(&mut self, statement: &PolicyStatement<'_>) {
        if !statement.is_self_issued {
            self.explicit_policy = self.explicit_policy.saturating_sub(1);
            self.policy_mapping = self.policy_mapping.saturating_sub(1);
            self.inhibit_any_policy = self.inhibit_any_policy.saturating_sub(1);
        }
        let lower = |counter: &mut u64, to: Option<u64>| {
            *counter = to.map_or(*counter, |to| to.min(*counter));
        };
        lower(&mut self.explicit_policy, statement.require_explicit);
        lower(&mut self.policy_mapping, statement.inhibit_mapping);
        lower(&mut self.inhibit_any_policy, statement.inhibit_any);
    }

    /// RFC 5280 §6.1.5 (a), (b).
    fn wrap_up(&mut self, statement: &PolicyStatement<'_>) {
        self.explicit_policy = self.explicit_policy.saturating_sub(1);
        if statement.require_explicit == Some(0) {
            self.explicit_policy = 0;
        }
    }

    /// RFC 9618 §5.5 (g): the user-constrained-policy-set.
    pub(crate) fn finish(
        &self,
        acceptable: &[PolicyIdentifier],
    ) -> Result<Vec<String>, PolicyFault> {
        let constrained = self.authority_constrained();
        let any = acceptable.is_empty() || acceptable.contains(&PolicyIdentifier::ANY);
        let wanted = acceptable.iter().map(|policy| policy.0);
        let policies: Policies = if any {
            constrained
        } else if constrained.contains(&ANY_POLICY) {
            wanted.collect()
        } else {
            wanted
                .filter(|policy| constrained.contains(policy))
                .collect()
        };
        if self.explicit_policy == 0 && policies.is_empty() {
            return Err(PolicyFault::NoPolicy);
        }
        Ok(policies.iter().map(ToString::to_string).collect())
    }

    /// Policies in the words of the anchor's domain: nodes that hang below anyPolicy.
    fn authority_constrained(&self) -> Policies {
        let nodes = self.levels.iter().skip(1).flatten();
        let under_any = nodes
            .filter(|(policy, node)| **policy != ANY_POLICY && node.parents.contains(&ANY_POLICY));
        let mut policies: Policies = under_any.map(|(policy, _)| *policy).collect();
        let last = self.levels.last().filter(|_| self.levels.len() > 1);
        if last.is_some_and(|level| level.contains_key(&ANY_POLICY)) {
            policies.insert(ANY_POLICY);
        }
        policies
    }
}

fn node(policy: ObjectIdentifier, parents: Policies) -> Node {
    Node {
        expected: Policies::from([policy]),
        parents,
    }
}

fn parents_expecting(above: &Level, policy: ObjectIdentifier) -> Policies {
    let expecting = above
        .iter()
        .filter(|(_, node)| node.expected.contains(&policy));
    expecting.map(|(policy, _)| *policy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(number: usize) -> ObjectIdentifier {
        ObjectIdentifier::new(&format!("1.3.6.1.4.1.{number}")).unwrap()
    }

    fn statement<'a>(
        policies: &'a [ObjectIdentifier],
        mappings: &'a [(ObjectIdentifier, ObjectIdentifier)],
    ) -> PolicyStatement<'a> {
        PolicyStatement {
            policies: Some(policies),
            mappings,
            require_explicit: None,
            inhibit_mapping: None,
            inhibit_any: None,
            is_self_issued: false,
            is_last: false,
        }
    }

    #[test]
    fn mappings_that_square_at_every_step_reach_a_bound_not_the_memory() {
        let policies: Vec<_> = (0..40).map(oid).collect();
        let mappings: Vec<_> = policies
            .iter()
            .flat_map(|one| policies.iter().map(|other| (*one, *other)))
            .collect();
        let mut state = PolicyState::new(&Settings::default(), 10);
        let results: Vec<_> = (0..10)
            .map(|_| state.take(&statement(&policies, &mappings)))
            .collect();
        assert!(results.contains(&Err(PolicyFault::TooMany)));
    }

    #[test]
    fn a_mapped_policy_is_named_in_the_words_of_the_anchor() {
        let mut state = PolicyState::new(&Settings::default(), 2);
        let mapping = [(oid(1), oid(2))];
        assert_eq!(state.take(&statement(&[oid(1)], &mapping)), Ok(()));
        let policies = [oid(2)];
        let last = PolicyStatement {
            is_last: true,
            ..statement(&policies, &[])
        };
        assert_eq!(state.take(&last), Ok(()));
        assert_eq!(state.finish(&[]), Ok(vec![oid(1).to_string()]));
        assert_eq!(state.finish(&[PolicyIdentifier(oid(2))]), Ok(Vec::new()));
    }
}
