//! One generation's filters.

use std::sync::Arc;

use serde::Serialize;

use crate::capabilities::Capabilities;
use crate::config::PolicyConfig;
use crate::decision::Decision;
use crate::error::{LoadError, LoadReason, LoadStep};
use crate::runtime::Runtime;
use crate::transaction::Transaction;

/// One generation's filters, ready to run.
pub struct Policy {
    filters: Vec<FilterInfo>,
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
    /// Loads every filter, step by step. The first failure is returned.
    pub fn load(_runtime: &Arc<Runtime>, _config: PolicyConfig) -> Result<Self, LoadError> {
        Err(LoadError::new(
            LoadStep::Runtime,
            LoadReason::Engine("not built yet".into()),
        ))
    }

    /// Runs the chain over one transaction.
    pub fn decide(
        &self,
        _transaction: &Arc<Transaction>,
        _capabilities: Arc<dyn Capabilities>,
    ) -> Decision {
        unimplemented!()
    }

    /// The filters, in order.
    pub fn filters(&self) -> impl Iterator<Item = FilterInfo> + '_ {
        self.filters.iter().cloned()
    }
}
