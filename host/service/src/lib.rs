//! An engine in service: what every front end shares.
//!
//! A front end hands [`Service::process`] a transaction, carries the [`Processed`] outcome out,
//! and says how that ended ([`Processed::conclude`]): one log line, the metrics and the recorded
//! decision come from there. [`listen`] is the accept loop of every listener. It knows no mail
//! protocol and no configuration. What it cannot do now is a deferral, never a loss.
//!
//! Beside admission it keeps the [generations](GenerationStatus) that were in service, for
//! rollback, and asks a candidate about live mail ([`Service::shadow_start`]).
//!
//! # Metrics
//!
//! Through the facade `metrics`; [`describe_metrics`] tells the recorder what each one is. The
//! generation is no label of the others: its series would grow with every reload.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `waxseal_messages_total` | counter | `outcome`, `listener` | messages that ended: `delivered`, `deferred`, `refused`, `partly` (LMTP), `quarantined`, `discarded`, `abandoned` |
//! | `waxseal_in_flight` | gauge | | messages between their arrival and their end |
//! | `waxseal_stage_seconds` | histogram | `stage` | `wait` (for a worker), `parse`, `filters`, `copies`, `carry-out` (replies, next hop), `total` |
//! | `waxseal_filter_seconds` | histogram | `filter` | one evaluation, look-ups included |
//! | `waxseal_filter_failures_total` | counter | `filter`, `code` | traps, limits, errors; `filter.suspended` while it rests |
//! | `waxseal_crypto_seconds` | histogram | | opening, signing and encrypting of one message |
//! | `waxseal_overload_total` | counter | `reason` | deferred with 4.3.2: `waiting` (too many wait for a worker), `wait` (it took too long), `octets` (too many are held) |
//! | `waxseal_panics_total` | counter | `in` | contained panics: `process` (the message was deferred), `shadow` |
//! | `waxseal_generation` | gauge | `id` | 1 for the one in service, 0 for those before it |
//! | `waxseal_rollbacks_total` | counter | `by` | `operator`, `trial` |
//! | `waxseal_shadow_messages_total` | counter | `answer`, `shadow="true"` | `same`, `different`, `skipped` |
//! | `waxseal_certificate_expiry_seconds` | gauge | `identity`, `serial` | when it ends, in Unix seconds: alert on `waxseal_certificate_expiry_seconds - time() < 30 * 86400`; NaN once it is not in service |
//! | `waxseal_decisions_lost_total` | counter | `reason` | not recorded: `behind` (the disk is slow), `not-written` |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod decisions;
mod ending;
mod generations;
mod ids;
mod line;
pub mod listen;
mod metrics;
mod processed;
mod record;
mod room;
mod service;
mod shadow;

pub use self::metrics::describe as describe_metrics;
pub use decisions::{DecisionSettings, Decisions};
pub use ending::Ending;
pub use generations::{GenerationState, GenerationStatus, RollbackError, Trial};
pub use processed::Processed;
pub use room::{NoRoom, Room};
pub use service::{Service, Settings, ShadowError};
pub use shadow::{Difference, ShadowReport};
