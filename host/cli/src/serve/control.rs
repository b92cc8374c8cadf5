//! The control socket: a JSON text on one line asks, one line answers.
//!
//! Who may connect is said by the socket's permissions. Requests are bounded, and a peer that
//! does not speak or does not listen is let go.

pub(crate) mod client;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waxseal_service::listen::{self, Connection, Socket};

use crate::serve::Running;
use crate::serve::reload::{As, Report, Request};
use crate::serve::status::ShadowStatus;

/// The longest request, in octets.
const MAX_REQUEST: u64 = 16 << 10;
/// What is read of a longer one, and passed by.
const MAX_REST: u64 = 1 << 20;
/// Connections at a time.
const CONNECTIONS: usize = 16;
/// How long a peer may take to ask, or to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// The state of the service.
    Status,
    /// Load the policy directory; beside the active generation with `shadow`.
    Reload {
        /// As a candidate that is asked about live mail, and not followed.
        #[serde(default)]
        shadow: bool,
    },
    /// What the candidate would have decided otherwise.
    ShadowReport,
    /// Make the candidate active.
    ShadowPromote,
    /// Let the candidate go.
    ShadowStop,
    /// What was decided about a message.
    Decision {
        /// The id of the message.
        id: String,
    },
    /// Go back to an earlier generation: the one named, or the one before.
    Rollback {
        /// The id of a generation.
        to: Option<String>,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// What was asked for.
    Ok(Value),
    /// Why not.
    Error(String),
}

/// Serves the socket, also while the service stops.
pub(crate) async fn serve(socket: Socket, running: Arc<Running>) {
    let never = CancellationToken::new();
    listen::serve(socket, CONNECTIONS, never, move |connection| {
        let running = Arc::clone(&running);
        async move {
            if let Err(error) = converse(connection, &running).await {
                tracing::debug!(%error, "control connection");
            }
        }
    })
    .await;
}

async fn converse(connection: Connection, running: &Running) -> std::io::Result<()> {
    let mut stream = BufReader::new(connection.stream);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(MAX_REQUEST);
        let read = timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let answer = match serde_json::from_slice(&line) {
            _ if !whole => Answer::Error(format!("not a line of up to {MAX_REQUEST} octets")),
            Ok(ask) => answer(ask, running).await,
            Err(error) => Answer::Error(format!("not a request: {error}")),
        };
        let mut octets = serde_json::to_vec(&answer)?;
        octets.push(b'\n');
        timeout(PATIENCE, stream.write_all(&octets)).await??;
        timeout(PATIENCE, stream.flush()).await??;
        if !whole {
            // A peer that is still at it would not get the answer if we just closed.
            let mut rest = (&mut stream).take(MAX_REST);
            timeout(PATIENCE, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await??;
            return Ok(());
        }
    }
}

async fn answer(ask: Ask, running: &Running) -> Answer {
    let asked = match ask {
        Ask::Status => return ok(&running.status()),
        Ask::ShadowReport => return candidate(running.shadow()),
        Ask::ShadowStop => return candidate(running.stop_shadow()),
        Ask::Decision { id } => return decision(running, id).await,
        Ask::ShadowPromote => request(running, Request::Promote).await,
        Ask::Rollback { to } => request(running, |reply| Request::Rollback(to, reply)).await,
        Ask::Reload { shadow } => {
            let what = if shadow { As::Shadow } else { As::Active };
            request(running, |reply| Request::Reload(what, reply)).await
        }
    };
    match asked {
        Some(report) => ok(&report),
        None => Answer::Error("the service is stopping".to_owned()),
    }
}

fn ok(value: &impl Serialize) -> Answer {
    match serde_json::to_value(value) {
        Ok(value) => Answer::Ok(value),
        Err(error) => Answer::Error(error.to_string()),
    }
}

fn candidate(report: Option<ShadowStatus>) -> Answer {
    match report {
        Some(report) => ok(&report),
        None => Answer::Error("no candidate: `waxseal reload --shadow` loads one".to_owned()),
    }
}

/// Reads the record on a thread that may wait for the disk.
async fn decision(running: &Running, id: String) -> Answer {
    let Some(decisions) = running.decisions.clone() else {
        return Answer::Error("decisions are not recorded: [decisions] days".to_owned());
    };
    let find = tokio::task::spawn_blocking(move || (decisions.find(&id), id));
    match find.await {
        Ok((Ok(Some(record)), _)) => Answer::Ok(record),
        Ok((Ok(None), id)) => {
            Answer::Error(format!("no decision is recorded of this message: {id}"))
        }
        Ok((Err(error), _)) => Answer::Error(format!("the record cannot be read: {error}")),
        Err(error) => Answer::Error(error.to_string()),
    }
}

/// Hands a request to the task that changes the policy, and waits for what comes of it.
async fn request(
    running: &Running,
    request: impl FnOnce(oneshot::Sender<Report>) -> Request,
) -> Option<Report> {
    if running.stopping.is_cancelled() {
        return None;
    }
    let (reply, answer) = oneshot::channel();
    running.requests.send(request(reply)).await.ok()?;
    answer.await.ok()
}
