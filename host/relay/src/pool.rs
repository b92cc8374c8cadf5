//! Connections to one next hop: a bounded number, kept for a while and used again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::capabilities::Capabilities;
use crate::session::Session;
use crate::settings::Settings;
use crate::tls::{self, Starter};

/// An idle connection occupies a process of the next hop.
const IDLE: Duration = Duration::from_secs(10);
/// Next hops end processes after so many messages (Postfix: `max_use`), and so do we.
const USES: usize = 100;
/// How long an offer counts without having been heard again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The connections to one next hop.
pub(crate) struct Pool {
    pub(crate) settings: Settings,
    tls: Option<Starter>,
    idle: Mutex<Vec<Idle>>,
    /// Whether a task looks after `idle`; changed under its lock.
    is_swept: AtomicBool,
    places: Arc<Semaphore>,
    /// Reports have a place of their own: a message that holds places for its copies must not
    /// wait for one that another such message holds.
    report_place: Arc<Semaphore>,
    offers: Mutex<Option<(Capabilities, Instant)>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

/// Permission to have so many connections at a time.
pub(crate) struct Places {
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            tls: tls::starter(&settings)?,
            idle: Mutex::new(Vec::new()),
            is_swept: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(settings.connections.max(1))),
            report_place: Arc::new(Semaphore::new(1)),
            offers: Mutex::new(None),
            settings,
        }))
    }

    /// Waits for so many places, at most `settings.connections`, in the order of asking: a
    /// message takes all that it needs at once, so that two of them never wait for each other.
    pub(crate) async fn places(&self, count: usize, deadline: Instant) -> Result<Places, Error> {
        let count = u32::try_from(count).map_err(|_| Error::Busy)?;
        let places = Arc::clone(&self.places).acquire_many_owned(count);
        Self::place(places, deadline).await
    }

    /// The place for a report.
    pub(crate) async fn report_place(&self, deadline: Instant) -> Result<Places, Error> {
        Self::place(Arc::clone(&self.report_place).acquire_owned(), deadline).await
    }

    async fn place(
        places: impl Future<Output = Result<OwnedSemaphorePermit, tokio::sync::AcquireError>>,
        deadline: Instant,
    ) -> Result<Places, Error> {
        match timeout_at(deadline, places).await {
            Ok(Ok(permit)) => Ok(Places { _permit: permit }),
            _ => Err(Error::Busy),
        }
    }

    /// A connection, an idle one if it still lives. Whoever takes one holds a place.
    pub(crate) async fn take(&self, deadline: Instant) -> Result<Session, Error> {
        while let Some(mut session) = self.pop() {
            match session.revive(deadline).await {
                Ok(()) => {
                    self.remember(&session);
                    return Ok(session);
                }
                Err(error) => {
                    tracing::debug!(%error, hop = self.settings.name, "an idle connection ended");
                }
            }
        }
        let session = Session::open(&self.settings, self.tls.as_ref(), deadline).await?;
        self.remember(&session);
        Ok(session)
    }

    fn remember(&self, session: &Session) {
        *lock(&self.offers) = Some((session.capabilities().clone(), Instant::now()));
    }

    fn pop(&self) -> Option<Session> {
        let mut idle = lock(&self.idle);
        // The youngest is the likeliest to live.
        let youngest = idle.pop()?;
        if youngest.since.elapsed() >= IDLE {
            idle.clear();
            return None;
        }
        Some(youngest.session)
    }

    /// Gives a connection back after a transaction that succeeded; another one is ended.
    pub(crate) async fn give_back(self: &Arc<Self>, session: Session) {
        if !session.is_clean() || session.uses() >= USES {
            return session.quit().await;
        }
        let mut idle = lock(&self.idle);
        idle.push(Idle {
            session,
            since: Instant::now(),
        });
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Takes out what has been idle for too long, and whether anything is left.
    fn outdated(&self) -> (Vec<Idle>, bool) {
        let mut idle = lock(&self.idle);
        let (old, young) = std::mem::take(&mut *idle)
            .into_iter()
            .partition(|idle| idle.since.elapsed() >= IDLE);
        *idle = young;
        let is_left = !idle.is_empty();
        self.is_swept.store(is_left, Ordering::Relaxed);
        (old, is_left)
    }

    /// Is there time for a final dot and its answer? Without, it is not sent: a dot whose answer
    /// nobody waits for makes a duplicate.
    pub(crate) fn is_in_time(&self, deadline: Instant) -> bool {
        Instant::now() + self.settings.stay / 10 < deadline
    }

    /// What the next hop offers: heard in the last minute, or asked now.
    pub(crate) async fn capabilities(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Capabilities, Error> {
        if let Some((offers, since)) = &*lock(&self.offers)
            && since.elapsed() < REMEMBERED
        {
            return Ok(offers.clone());
        }
        let _place = self.places(1, deadline).await?;
        let session = self.take(deadline).await?;
        let offers = session.capabilities().clone();
        self.give_back(session).await;
        Ok(offers)
    }
}

/// Ends idle connections until none is left, or the relay is gone.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        let (old, is_left) = pool.outdated();
        for idle in old {
            idle.session.quit().await;
        }
        if !is_left {
            return;
        }
    }
}

/// A panic of another thread leaves these values whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
