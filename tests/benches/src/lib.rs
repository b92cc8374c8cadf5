//! What a message costs, beside what else there is. `tests/run speed` runs it and writes
//! docs/performance.md; nothing fails for being slow, everything fails for being wrong.
//!
//! Contestants take turns within one run ([`paired`]), because times on one machine differ by a
//! factor of two from hour to hour, and ratios of neighbours do not. What a contestant makes is
//! read back by itself, and by OpenSSL once before it is timed.
#![allow(clippy::unwrap_used, clippy::panic)]

pub mod cores;
pub mod decision;
pub mod files;
pub mod gateway;
pub mod growth;
pub mod large;
pub mod machine;
pub mod mail;
pub mod milter;
pub mod page;
pub mod paired;
pub mod peers;
pub mod people;
pub mod plot;
pub mod process;
pub mod smime;
pub mod table;

use std::sync::Arc;

use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::Provider;

/// The provider that everything in this process uses. The binary `waxseal` has its own default.
pub const PROVIDER: AwsLc = AwsLc;

/// The same, for what shares it.
pub fn provider() -> Arc<dyn Provider> {
    Arc::new(PROVIDER)
}

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// About a minute and a half: does everything work, and are the ratios about right?
    Quick,
    /// About six minutes: figures to publish.
    Full,
}

impl Effort {
    /// One value or the other.
    pub fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Effort::Quick => quick,
            Effort::Full => full,
        }
    }
}
