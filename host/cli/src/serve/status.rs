//! What `waxseal status` shows: as JSON over the control socket, as text for people.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use waxseal_policy::{FilterHealth, FilterInfo, FilterState};
use waxseal_service::{Difference, GenerationState, ShadowReport};
use waxseal_smime::Time;

use crate::serve::reload::{Changes, Known, Outcome, Report};

/// The state of a running service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Status {
    /// Of the program.
    pub(crate) version: String,
    /// Its process.
    pub(crate) pid: u32,
    /// `running` or `stopping`.
    pub(crate) state: String,
    /// Since when (RFC 3339).
    pub(crate) since: String,
    /// The policy directory.
    pub(crate) policy: String,
    /// The generation that new messages get.
    pub(crate) active: GenerationStatus,
    /// Earlier ones that `rollback` can take, the newest first.
    pub(crate) earlier: Vec<GenerationStatus>,
    /// A candidate that is asked about live mail.
    pub(crate) shadow: Option<ShadowStatus>,
    /// Ids of generations that were taken out of service.
    pub(crate) rolled_back: Vec<String>,
    /// What came of the last change.
    pub(crate) last_change: Report,
    /// What is not as it should be although mail flows.
    pub(crate) degraded: Vec<String>,
    /// Messages between their arrival and their end.
    pub(crate) in_flight: usize,
    /// What became of `serve.toml` since the start.
    pub(crate) pending: Option<String>,
    /// What is listened on.
    pub(crate) listeners: Vec<ListenerStatus>,
    /// Where mail goes on to.
    pub(crate) next_hops: Vec<NextHopStatus>,
}

/// A generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct GenerationStatus {
    pub(crate) id: String,
    /// Since when it is in service, or was (RFC 3339).
    pub(crate) since: String,
    /// Messages that it decided about.
    pub(crate) messages: u64,
    /// Of these, messages of which a filter failed.
    pub(crate) failures: u64,
    pub(crate) filters: Vec<FilterStatus>,
    /// Fixtures that passed before it went into service.
    pub(crate) fixtures: usize,
    pub(crate) warnings: Vec<String>,
}

/// A filter of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FilterStatus {
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) grants: Vec<String>,
    /// `running`, `suspended` by its circuit breaker, or `probing` whether it is well again.
    pub(crate) state: String,
    /// Evaluations that ended, and how many of them failed.
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) failures_in_a_row: u32,
    /// Messages that went by it while it was suspended.
    pub(crate) suspended: u64,
    /// The last failure: when, its code, what happened.
    pub(crate) last_failure: Option<String>,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ShadowStatus {
    pub(crate) candidate: GenerationStatus,
    /// Messages that it was asked about, decides otherwise, was not asked about.
    pub(crate) compared: u64,
    pub(crate) different: u64,
    pub(crate) skipped: u64,
    /// The last differences, the oldest first.
    pub(crate) differences: Vec<DifferenceStatus>,
}

/// A message that the candidate decides otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DifferenceStatus {
    pub(crate) id: String,
    /// When (RFC 3339).
    pub(crate) at: String,
    /// The generation whose decision was carried out.
    pub(crate) active: String,
    /// `- ` as the active generation has it, `+ ` as the candidate has.
    pub(crate) lines: Vec<String>,
}

/// A next hop, as it last answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NextHopStatus {
    pub(crate) name: String,
    pub(crate) address: String,
    /// When it was asked (RFC 3339); nothing: not yet.
    pub(crate) asked: Option<String>,
    /// Why it cannot be reached.
    pub(crate) error: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListenerStatus {
    pub(crate) name: String,
    pub(crate) protocol: String,
    /// Where it is bound.
    pub(crate) address: String,
    pub(crate) next_hop: Option<String>,
}

impl GenerationStatus {
    /// What the service and the reloader know of a generation.
    pub(crate) fn new(status: &waxseal_service::GenerationStatus, known: Option<&Known>) -> Self {
        let filters = status.filters.iter().zip(&status.health);
        Self {
            id: status.id.clone(),
            since: Time::from_unix(status.since).to_string(),
            messages: status.messages,
            failures: status.failures,
            filters: filters
                .map(|(info, health)| FilterStatus::new(info, health))
                .collect(),
            fixtures: known.map_or(0, |known| known.fixtures),
            warnings: known
                .map(|known| known.warnings.clone())
                .unwrap_or_default(),
        }
    }

    /// All of them in a state.
    pub(crate) fn all(
        loaded: &[waxseal_service::GenerationStatus],
        state: GenerationState,
        changes: &Changes,
    ) -> Vec<Self> {
        let loaded = loaded.iter().filter(|each| each.state == state);
        loaded
            .map(|each| Self::new(each, changes.known.get(&each.id)))
            .collect()
    }
}

impl FilterStatus {
    fn new(info: &FilterInfo, health: &FilterHealth) -> Self {
        let state = match health.state {
            FilterState::Running => "running",
            FilterState::Suspended => "suspended",
            FilterState::Probing => "probing",
        };
        let last = health.last_failure.as_ref();
        Self {
            name: info.name.clone(),
            sha256: info.sha256.clone(),
            grants: info.grants.clone(),
            state: state.to_owned(),
            runs: health.runs,
            failures: health.failures,
            failures_in_a_row: health.failures_in_a_row,
            suspended: health.suspended,
            last_failure: last.map(|last| {
                format!(
                    "{} {}: {}",
                    Time::from_unix(last.at),
                    last.code,
                    last.message
                )
            }),
        }
    }
}

impl ShadowStatus {
    pub(crate) fn new(report: &ShadowReport, changes: &Changes) -> Self {
        let known = changes.known.get(&report.candidate.id);
        Self {
            candidate: GenerationStatus::new(&report.candidate, known),
            compared: report.compared,
            different: report.different,
            skipped: report.skipped,
            differences: report
                .differences
                .iter()
                .map(DifferenceStatus::from)
                .collect(),
        }
    }

    /// How the candidate fares, for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        for difference in &self.differences {
            let DifferenceStatus {
                id,
                at,
                active,
                lines,
            } = difference;
            let _ = writeln!(text, "\n{at} message {id}, decided by {active}");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            compared,
            different,
            skipped,
            ..
        } = self;
        self.candidate.write(out, "shadow")?;
        writeln!(
            out,
            "  {compared} messages compared, {different} different, {skipped} skipped"
        )
    }
}

impl From<&Difference> for DifferenceStatus {
    fn from(difference: &Difference) -> Self {
        Self {
            id: difference.id.clone(),
            at: Time::from_unix(difference.at).to_string(),
            active: difference.active.clone(),
            lines: difference.lines.clone(),
        }
    }
}

/// What is not as it should be although mail flows.
pub(crate) fn degraded(changes: &Changes, active: &GenerationStatus) -> Vec<String> {
    let mut degraded = Vec::new();
    if let Some(rejected) = &changes.from_last_good {
        degraded.push(format!(
            "the last-good policy is active, not the directory's: {rejected}"
        ));
    } else if let Some(rejected) = &changes.rejected {
        degraded.push(format!("the directory does not load: {rejected}"));
    }
    let resting = active
        .filters
        .iter()
        .filter(|filter| filter.state != "running");
    degraded.extend(resting.map(|filter| {
        let FilterStatus {
            name,
            state,
            last_failure,
            ..
        } = filter;
        format!(
            "filter {name} is {state}: {}",
            last_failure.as_deref().unwrap_or("it failed")
        )
    }));
    degraded
}

impl Status {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            version,
            pid,
            since,
            ..
        } = self;
        writeln!(
            out,
            "waxseal {version}, process {pid}, {} since {since}",
            self.state
        )?;
        writeln!(out, "policy {}", self.policy)?;
        for reason in &self.degraded {
            writeln!(out, "degraded: {reason}")?;
        }
        writeln!(out)?;
        self.active.write(out, "active")?;
        for warning in &self.active.warnings {
            writeln!(out, "  warning: {warning}")?;
        }
        for earlier in &self.earlier {
            earlier.write(out, "earlier")?;
        }
        if let Some(shadow) = &self.shadow {
            shadow.write(out)?;
        }
        for id in &self.rolled_back {
            writeln!(out, "rolled back: {id}")?;
        }
        writeln!(out)?;
        writeln!(out, "last change: {}", self.last_change.one_line())?;
        self.last_change.write_problems(out)?;
        writeln!(out)?;
        writeln!(out, "messages under way: {}", self.in_flight)?;
        if let Some(pending) = &self.pending {
            writeln!(out, "serve.toml: {pending}")?;
        }
        for listener in &self.listeners {
            listener.write(out)?;
        }
        self.next_hops.iter().try_for_each(|hop| hop.write(out))
    }
}

impl GenerationStatus {
    fn write(&self, out: &mut String, word: &str) -> std::fmt::Result {
        let Self {
            id,
            since,
            messages,
            failures,
            fixtures,
            ..
        } = self;
        writeln!(out, "{word}: generation {id} since {since}")?;
        writeln!(
            out,
            "  {messages} messages, {failures} with a failed filter; {fixtures} fixtures passed"
        )?;
        self.filters.iter().try_for_each(|filter| filter.write(out))
    }
}

impl FilterStatus {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            name,
            state,
            runs,
            failures,
            ..
        } = self;
        let digits = self.sha256.get(..12).unwrap_or(&self.sha256);
        let may = match self.grants.is_empty() {
            true => "read and decide".to_owned(),
            false => self.grants.join(", "),
        };
        writeln!(
            out,
            "  filter {name}: {state}, {failures} of {runs} runs failed, sha256 {digits}…, may: {may}"
        )?;
        match &self.last_failure {
            Some(last) => writeln!(out, "    last failure: {last}"),
            None => Ok(()),
        }
    }
}

impl NextHopStatus {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let state = match (&self.asked, &self.error) {
            (None, _) => "not asked yet".to_owned(),
            (Some(_), None) => "there".to_owned(),
            (Some(asked), Some(error)) => format!("away at {asked}: {error}"),
        };
        writeln!(out, "next hop {}: {}, {state}", self.name, self.address)
    }
}

impl ListenerStatus {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            name,
            protocol,
            address,
            ..
        } = self;
        write!(out, "listener {name}: {protocol} on {address}")?;
        match &self.next_hop {
            Some(hop) => writeln!(out, ", next hop {hop}"),
            None => writeln!(out),
        }
    }
}

impl Report {
    /// What came of it, in a line.
    pub(crate) fn one_line(&self) -> String {
        format!("{}, {}: {}", self.at, self.trigger, self.words())
    }

    /// The same without its time.
    pub(crate) fn words(&self) -> String {
        let generation = &self.generation;
        match self.result {
            Outcome::Activated => format!("generation {generation} is active"),
            Outcome::Unchanged => format!("unchanged: generation {generation}"),
            Outcome::RolledBackBefore => {
                format!("rolled back before, generation {generation} stays")
            }
            Outcome::Rejected => format!("rejected, generation {generation} stays"),
            Outcome::RolledBack => format!("rolled back to generation {generation}"),
            Outcome::NothingToRollBackTo => "nothing to roll back to".to_owned(),
            Outcome::Shadow => {
                let candidate = self.candidate.as_deref().unwrap_or_default();
                format!("generation {candidate} is asked beside generation {generation}")
            }
            Outcome::NoCandidate => "no candidate".to_owned(),
        }
    }

    /// Everything that was wrong, with the step and the filter.
    pub(crate) fn write_problems(&self, out: &mut String) -> std::fmt::Result {
        let Some(rejected) = &self.rejected else {
            return Ok(());
        };
        write!(out, "  step: {}", rejected.step)?;
        match &rejected.filter {
            Some(filter) => writeln!(out, ", filter: {filter}")?,
            None => writeln!(out)?,
        }
        for problem in &rejected.problems {
            writeln!(out, "  error: {}", problem.message)?;
            if let Some(hint) = &problem.hint {
                writeln!(out, "  hint: {hint}")?;
            }
        }
        Ok(())
    }
}
