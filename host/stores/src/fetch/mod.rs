//! Fetches what certificates name: revocation lists, certificates of issuers, and answers of
//! OCSP responders.
//!
//! Certificates are strangers' text, and so are the URLs in them. Only `http:` is spoken (what is
//! fetched is signed, and TLS would need a certificate to be judged first: RFC 5280 §8); never
//! `https:`, `ldap:` or `file:`. Addresses that are not of the public network are refused, at
//! each redirect again, unless the operator allows them ([`Networks`]); the address that was
//! checked is the one that is spoken to. No proxy and no credentials are used, and no cookies.
//!
//! Everything is bounded: the time for one fetch with its redirects, the octets of an answer, the
//! number of redirects, requests to one host at a time, entries and octets of the cache. What was
//! fetched is kept until its nextUpdate (RFC 5280 §5.1.2.5, RFC 6960 §4.2.2.1), and no longer
//! than [`FetchOptions::max_age`]; a failure is kept for a short while, so that a host that is
//! down delays one mail and not every mail.
//!
//! Nothing fetched is looked into beyond its lifetime: whether it is to be believed is
//! `waxseal-pki`'s to say.

mod cache;
mod http;
mod lifetime;
mod network;

use cache::{Cache, Key};
use http::{Client, Gate};
use lifetime::{Lifetime, lifetime};
pub use network::Networks;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use waxseal_pki::{Fetch, FetchError};
use waxseal_smime::Clock;

/// Octets of a URL, and of an OCSP request: longer ones are nobody's.
const MAX_REQUEST: usize = 4096;

/// How things are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchOptions {
    /// For one fetch, redirects and waiting for a turn included.
    pub timeout: Duration,
    /// Octets of one answer.
    pub limit: u64,
    /// Redirects that are followed.
    pub redirects: u32,
    /// Requests to one host at a time.
    pub per_host: usize,
    /// Whom it may speak to.
    pub networks: Networks,
    /// Answers and failures that are kept.
    pub cache_entries: usize,
    /// Octets of answers that are kept.
    pub cache_octets: usize,
    /// Seconds that an answer is kept at most.
    pub max_age: i64,
    /// Seconds that a failure is kept, and an answer that says that it is old already.
    pub short_age: i64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            limit: 10 << 20,
            redirects: 3,
            per_host: 2,
            networks: Networks::Public,
            cache_entries: 1000,
            cache_octets: 64 << 20,
            max_age: 86_400,
            short_age: 120,
        }
    }
}

/// Fetches over HTTP, with a cache in memory.
pub struct Fetcher {
    options: FetchOptions,
    clock: Arc<dyn Clock>,
    client: Client,
    gate: Gate,
    cache: Mutex<Cache>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher with an empty cache.
    pub fn new(options: FetchOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: Client::new(&options),
            gate: Gate::new(options.per_host),
            cache: Mutex::new(Cache::new(options.cache_entries, options.cache_octets)),
            options,
            clock,
        }
    }

    fn fetch(&self, url: &str, request: &[u8]) -> Result<Vec<u8>, FetchError> {
        if url.len() > MAX_REQUEST || request.len() > MAX_REQUEST {
            return Err(FetchError::Refused("request too long".to_owned()));
        }
        let deadline = Instant::now() + self.options.timeout;
        let key = Key::new(url, request);
        if let Some(known) = self.cached(&key) {
            return known;
        }
        let host = http::host(url)?;
        let _turn = self.gate.wait(&host, deadline)?;
        // While we waited, somebody else may have asked the same.
        if let Some(known) = self.cached(&key) {
            return known;
        }
        let answer = self.client.fetch(url, request, deadline);
        self.keep(key, &answer);
        answer
    }

    fn cached(&self, key: &Key) -> Option<Result<Vec<u8>, FetchError>> {
        self.lock().find(key, self.clock.now())
    }

    fn keep(&self, key: Key, answer: &Result<Vec<u8>, FetchError>) {
        let now = self.clock.now();
        let (short, longest) = (
            now.plus(self.options.short_age),
            now.plus(self.options.max_age),
        );
        let until = match answer.as_deref().map(lifetime) {
            Ok(Lifetime::Until(time)) => time.min(longest).max(short),
            Ok(Lifetime::Unsaid) => longest,
            Ok(Lifetime::Short) | Err(_) => short,
        };
        self.lock().keep(key, answer.clone(), until, now);
    }

    /// A poisoned cache is still a cache: every entry was inserted whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetch for Fetcher {
    fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.fetch(url, &[])
    }

    fn ocsp(&self, url: &str, request: &[u8]) -> Result<Vec<u8>, FetchError> {
        self.fetch(url, request)
    }
}
