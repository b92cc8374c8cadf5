//! The keys of `[trust]` that say what may be fetched: `fetch`, `fetch-timeout`, `fetch-limit`,
//! `fetch-private`.

use std::sync::Arc;
use std::time::Duration;

use waxseal_pki::Fetch;
use waxseal_stores::{FetchOptions, Fetcher, Networks, SystemClock};

use crate::document::Section;

/// What fetches; `None` unless `fetch = true`. Its cache begins empty with each generation.
pub(crate) fn read(section: &Section<'_>) -> Option<Arc<dyn Fetch>> {
    let default = FetchOptions::default();
    let enabled = section.flag("fetch").unwrap_or(false);
    let timeout = section.number("fetch-timeout", 1..=60);
    let limit = section.number("fetch-limit", 1..=256);
    let networks = match section.flag("fetch-private") {
        Some(true) => Networks::Any,
        _ => Networks::Public,
    };
    let options = FetchOptions {
        timeout: timeout.map_or(default.timeout, Duration::from_secs),
        limit: limit.map_or(default.limit, |mebibytes| mebibytes << 20),
        networks,
        ..default
    };
    let fetcher = || Arc::new(Fetcher::new(options, Arc::new(SystemClock))) as Arc<dyn Fetch>;
    enabled.then(fetcher)
}
