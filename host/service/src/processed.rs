//! A message from its arrival to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waxseal_engine::{Disposition, Outcome, Refused, Transaction};
use waxseal_policy::reply::Reply;

use crate::decisions::Decisions;
use crate::ending::Ending;
use crate::line::{Facts, Line, microseconds};
use crate::metrics;
use crate::record::Record;

/// A message that the policy has decided about. Its front end carries the outcome out, then
/// [concludes](Self::conclude); dropping it is [`Ending::Abandoned`].
pub struct Processed {
    /// Names the message in logs, replies and the record of decisions.
    pub id: String,
    /// What to do.
    pub outcome: Outcome,
    facts: Facts,
    next_hop: Vec<String>,
    decisions: Option<Arc<Decisions>>,
    arrived: Instant,
    wait: Duration,
    decided: Option<Instant>,
    concluded: bool,
    _under_way: Arc<()>,
}

impl Processed {
    pub(crate) fn begin(
        id: String,
        transaction: &Transaction,
        decisions: Option<Arc<Decisions>>,
        under_way: Arc<()>,
    ) -> Self {
        metrics::in_flight(1.0);
        let not_yet = Reply::deferral("4.3.0", "not decided; try again later");
        Self {
            id,
            outcome: undecided(not_yet, ""),
            facts: Facts::of(transaction),
            next_hop: Vec::new(),
            decisions,
            arrived: Instant::now(),
            wait: Duration::ZERO,
            decided: None,
            concluded: false,
            _under_way: under_way,
        }
    }

    pub(crate) fn waited(&mut self, wait: Duration) {
        self.wait = wait;
    }

    pub(crate) fn decided(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.decided = Some(Instant::now());
    }

    /// Notes what the next hop replied to a copy, for log and record.
    pub fn next_hop_replied(&mut self, reply: impl Into<String>) {
        self.next_hop.push(reply.into());
    }

    /// Says how the message ended.
    pub fn conclude(mut self, ending: Ending) {
        self.end(&ending);
    }

    fn end(&mut self, ending: &Ending) {
        if std::mem::replace(&mut self.concluded, true) {
            return;
        }
        metrics::in_flight(-1.0);
        let mut line = Line::new(&self.id, &self.facts, &self.outcome, ending);
        line.next_hop = std::mem::take(&mut self.next_hop);
        line.times.wait = microseconds(self.wait);
        line.times.carry_out = microseconds(self.decided.map_or(Duration::ZERO, |at| at.elapsed()));
        line.times.total = microseconds(self.arrived.elapsed());
        line.log();
        metrics::message(&line, &self.outcome);
        if let Some(decisions) = &self.decisions {
            decisions.keep(&Record::new(
                &line,
                &self.outcome,
                decisions.keeps_filter_logs(),
            ));
        }
    }
}

impl Drop for Processed {
    fn drop(&mut self) {
        self.end(&Ending::Abandoned);
    }
}

/// What is not decided is deferred: nobody gets it, and it is not lost.
pub(crate) fn undecided(reply: Reply, generation: &str) -> Outcome {
    let refused = Refused {
        reply,
        causes: Vec::new(),
    };
    Outcome::undecided(Disposition::Defer(refused), generation)
}
