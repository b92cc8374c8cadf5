//! One fetch: requests, redirects, and turns at a host.

use super::FetchOptions;
use super::network::{GuardedResolver, NotPublic};
use std::collections::HashMap;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};
use waxseal_pki::FetchError;

/// Octets of the header of an answer.
const MAX_HEADER: usize = 16 << 10;

pub(super) struct Client {
    agent: Agent,
    limit: u64,
    redirects: u32,
}

impl Client {
    pub(super) fn new(options: &FetchOptions) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // We follow them ourselves, to look at each address.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would connect for us, and to whom we could not say.
            .proxy(None)
            .max_response_header_size(MAX_HEADER)
            .input_buffer_size(2 * MAX_HEADER)
            .max_idle_connections(0)
            .user_agent(concat!("waxseal/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = GuardedResolver {
            networks: options.networks,
            ..GuardedResolver::default()
        };
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            limit: options.limit,
            redirects: options.redirects,
        }
    }

    /// GET, or POST of an OCSP request (RFC 6960 appendix A.1).
    pub(super) fn fetch(
        &self,
        url: &str,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, FetchError> {
        let mut uri = allowed(url)?;
        for _ in 0..=self.redirects {
            let response = self.ask(&uri, request, deadline)?;
            let status = response.status();
            if status == StatusCode::OK {
                return self.read(response);
            }
            // What was posted is not posted elsewhere.
            let moved = status.is_redirection() && request.is_empty();
            match location(&uri, &response) {
                Some(next) if moved => uri = allowed(&next)?,
                _ => return Err(FetchError::Unreachable(format!("HTTP {status}: {uri}"))),
            }
        }
        Err(FetchError::Unreachable(format!(
            "too many redirects: {url}"
        )))
    }

    fn ask(
        &self,
        uri: &Uri,
        request: &[u8],
        deadline: Instant,
    ) -> Result<Response<Body>, FetchError> {
        let left = Some(remaining(deadline)?);
        let sent = if request.is_empty() {
            let get = self.agent.get(uri).config().timeout_global(left);
            get.build().call()
        } else {
            let post = self.agent.post(uri).config().timeout_global(left);
            let post = post.build().content_type("application/ocsp-request");
            post.header(header::ACCEPT, "application/ocsp-response")
                .send(request)
        };
        sent.map_err(|error| failed(&error, uri))
    }

    fn read(&self, response: Response<Body>) -> Result<Vec<u8>, FetchError> {
        let body = response.into_body().into_with_config();
        body.limit(self.limit)
            .read_to_vec()
            .map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(limit) => {
                    FetchError::TooLarge(format!("more than {limit} octets"))
                }
                error => FetchError::Unreachable(error.to_string()),
            })
    }
}

/// The host of a URL that may be fetched, with its port: what takes turns.
pub(super) fn host(url: &str) -> Result<String, FetchError> {
    let uri = allowed(url)?;
    let authority = uri.authority().map(ToString::to_string);
    Ok(authority.unwrap_or_default().to_lowercase())
}

/// An absolute `http:` URL without user and password.
fn allowed(url: &str) -> Result<Uri, FetchError> {
    let refused = || FetchError::Refused(printable(url));
    let uri: Uri = url.trim().parse().map_err(|_| refused())?;
    let authority = uri.authority().ok_or_else(refused)?;
    let is_plain = uri.scheme_str() == Some("http")
        && !authority.as_str().contains('@')
        && !authority.host().is_empty();
    if is_plain { Ok(uri) } else { Err(refused()) }
}

/// Where a redirect leads: another URL, or another path of the same host (RFC 9110 §10.2.2).
fn location(uri: &Uri, response: &Response<Body>) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(format!("http://{}{location}", uri.authority()?));
    }
    Some(location.to_owned())
}

fn remaining(deadline: Instant) -> Result<Duration, FetchError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(FetchError::Unreachable("out of time".to_owned()));
    }
    Ok(left)
}

fn failed(error: &ureq::Error, uri: &Uri) -> FetchError {
    let is_refused =
        |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<NotPublic>());
    match error {
        ureq::Error::Io(inner) if is_refused(inner) => {
            FetchError::Refused(format!("{inner}: {uri}"))
        }
        error => FetchError::Unreachable(format!("{error}: {uri}")),
    }
}

/// URLs come from certificates, and errors go to logs and terminals.
fn printable(url: &str) -> String {
    let shown = url.chars().take(200);
    shown
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Lets so many ask one host at a time.
pub(super) struct Gate {
    per_host: usize,
    asking: Mutex<HashMap<String, usize>>,
    done: Condvar,
}

/// A turn at a host, given back when dropped.
pub(super) struct Turn<'g> {
    gate: &'g Gate,
    host: String,
}

impl Gate {
    pub(super) fn new(per_host: usize) -> Self {
        Self {
            per_host: per_host.max(1),
            asking: Mutex::default(),
            done: Condvar::new(),
        }
    }

    pub(super) fn wait(&self, host: &str, deadline: Instant) -> Result<Turn<'_>, FetchError> {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |asking: &mut HashMap<String, usize>| {
            asking
                .get(host)
                .is_some_and(|count| *count >= self.per_host)
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.done.wait_timeout_while(asking, left, is_full);
        let (mut asking, result) = waited.unwrap_or_else(PoisonError::into_inner);
        if result.timed_out() {
            return Err(FetchError::Unreachable(format!(
                "too many wait for it: {host}"
            )));
        }
        *asking.entry(host.to_owned()).or_default() += 1;
        Ok(Turn {
            gate: self,
            host: host.to_owned(),
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut asking = (self.gate.asking.lock()).unwrap_or_else(PoisonError::into_inner);
        match asking.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(asking.remove(&self.host)),
        }
        drop(asking);
        self.gate.done.notify_all();
    }
}
