//! One generation's filters, and the chain.

use std::sync::Arc;

use serde::Serialize;

use crate::breaker::FilterHealth;
use crate::capabilities::Capabilities;
use crate::config::{OnError, PolicyConfig};
use crate::decision::{Decision, FilterFailure};
use crate::error::LoadError;
use crate::filter::{Answer, Evaluated, Filter};
use crate::host::{Evaluation, Failure};
use crate::load;
use crate::plan::Verdict;
use crate::reply::Reply;
use crate::runtime::Runtime;
use crate::table::Table;
use crate::trace::{FilterTrace, Trace};
use crate::transaction::Transaction;

/// One generation's filters, ready to run.
pub struct Policy {
    runtime: Arc<Runtime>,
    filters: Vec<Filter>,
}

/// A loaded filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FilterInfo {
    /// Its name.
    pub name: String,
    /// SHA-256 of the component, hexadecimal.
    pub sha256: String,
    /// What it imports, versions included.
    pub imports: Vec<String>,
    /// What it may do, as configured.
    pub grants: Vec<String>,
}

impl Policy {
    /// Loads every filter, step by step. The first failure is returned, and nothing of the
    /// policy is in service.
    pub fn load(runtime: &Arc<Runtime>, config: PolicyConfig) -> Result<Self, LoadError> {
        Ok(Self {
            filters: load::filters(runtime, config)?,
            runtime: runtime.clone(),
        })
    }

    /// Runs the chain over one transaction. Blocks the calling thread: for a slot when the
    /// pool is in use, for the filters, and for what they look up.
    pub fn decide(
        &self,
        transaction: &Arc<Transaction>,
        capabilities: Arc<dyn Capabilities>,
    ) -> Decision {
        let mut chain = Chain::new(transaction, &capabilities);
        let verdict = match self.filters.is_empty() {
            true => None,
            false => match self.runtime.slots.acquire() {
                Some(_slot) => self.run(&mut chain),
                None => Some(chain.overloaded()),
            },
        };
        if verdict.is_none() {
            let table = chain.evaluation.table_mut();
            table.settle_on_delivery(capabilities.as_ref());
        }
        Decision {
            verdict: verdict.unwrap_or(Verdict::Deliver),
            plan: Arc::unwrap_or_clone(chain.evaluation.table).plan,
            trace: chain.trace,
            decided_by: chain.decided_by,
            failures: chain.failures,
        }
    }

    /// The verdict that ends the chain; `None` when the plan is to be carried out.
    fn run(&self, chain: &mut Chain) -> Option<Verdict> {
        for filter in &self.filters {
            if chain.accepted && !filter.always {
                continue;
            }
            if let Some(verdict) = chain.step(&self.runtime, filter) {
                return Some(verdict);
            }
        }
        None
    }

    /// How the filters have fared, in order.
    pub fn health(&self) -> Vec<FilterHealth> {
        let filters = self.filters.iter();
        filters.map(|filter| filter.breaker.health()).collect()
    }

    /// The filters, in order.
    pub fn filters(&self) -> impl Iterator<Item = FilterInfo> + '_ {
        self.filters.iter().map(|filter| filter.info.clone())
    }
}

/// One transaction on its way through the filters.
struct Chain {
    evaluation: Evaluation,
    accepted: bool,
    decided_by: Option<String>,
    trace: Trace,
    failures: Vec<FilterFailure>,
}

impl Chain {
    fn new(transaction: &Arc<Transaction>, capabilities: &Arc<dyn Capabilities>) -> Self {
        Self {
            evaluation: Evaluation {
                transaction: transaction.clone(),
                capabilities: capabilities.clone(),
                table: Arc::new(Table::new(transaction)),
                notes: Arc::default(),
            },
            accepted: false,
            decided_by: None,
            trace: Trace::default(),
            failures: Vec::new(),
        }
    }

    /// One filter. Its changes stand when it answered; its obligations stand in any case.
    fn step(&mut self, runtime: &Runtime, filter: &Filter) -> Option<Verdict> {
        let pass = match filter.breaker.admit(runtime.now()) {
            Ok(pass) => pass,
            Err(failure) => {
                return self.failed(filter, FilterTrace::named(&filter.settings.name), failure);
            }
        };
        let Evaluated {
            evaluation,
            trace,
            answer,
        } = filter.evaluate(runtime, self.evaluation.clone());
        match answer {
            Ok(answer) => {
                pass.passed();
                self.evaluation = evaluation;
                self.evaluation.table_mut().oblige_encrypted();
                self.trace.filters.push(trace);
                self.answered(&filter.settings.name, answer)
            }
            Err(failure) => {
                let at = self.evaluation.transaction.time;
                pass.failed(&failure, at, runtime.now());
                let left = Arc::unwrap_or_clone(evaluation.table);
                self.evaluation.table_mut().undo(left);
                self.failed(filter, trace, failure)
            }
        }
    }

    /// The filter did not answer, or was not asked.
    fn failed(
        &mut self,
        filter: &Filter,
        mut trace: FilterTrace,
        failure: Failure,
    ) -> Option<Verdict> {
        let failure = named(filter, failure);
        trace.failure = Some(failure.clone());
        self.trace.filters.push(trace);
        self.failures.push(failure);
        self.on_error(&filter.settings.name, filter.on_error)
    }

    fn answered(&mut self, name: &str, answer: Answer) -> Option<Verdict> {
        match answer {
            Answer::Proceed => None,
            Answer::Accept => {
                self.accepted = true;
                self.decided_by.get_or_insert_with(|| name.to_owned());
                None
            }
            Answer::End(verdict) => {
                self.decided_by = Some(name.to_owned());
                Some(verdict)
            }
        }
    }

    fn on_error(&mut self, name: &str, on_error: OnError) -> Option<Verdict> {
        let verdict = match on_error {
            OnError::Skip => return None,
            OnError::Defer => Verdict::Defer(Reply::deferral(
                "4.3.0",
                "the mail policy failed; try again later",
            )),
            OnError::Reject => Verdict::Reject(Reply::new(550, "5.3.0", "the mail policy failed")),
        };
        self.decided_by = Some(name.to_owned());
        Some(verdict)
    }

    fn overloaded(&mut self) -> Verdict {
        self.failures.push(FilterFailure {
            filter: String::new(),
            code: "policy.overloaded",
            message: "no slot is free to evaluate this message in".to_owned(),
            on_error: OnError::Defer,
        });
        // RFC 3463 §3.4: system not accepting messages.
        Verdict::Defer(Reply::deferral("4.3.2", "too busy; try again later"))
    }
}

fn named(filter: &Filter, failure: Failure) -> FilterFailure {
    let Failure { code, message } = failure;
    let name = filter.settings.name.as_str();
    if code != "filter.suspended" {
        tracing::warn!(filter = name, code, message, "a filter failed");
    }
    FilterFailure {
        filter: name.to_owned(),
        code,
        message,
        on_error: filter.on_error,
    }
}
