//! How long a guest has worked.
//!
//! On Unix this is the thread's processor time, so that a busy machine does not kill an
//! innocent filter; elsewhere it is the time on the wall. Time in host calls that may wait
//! is left out of it.

use std::time::Duration;

/// The time that a guest has used of what it may use.
pub(crate) struct GuestTime {
    limit: Duration,
    started: Duration,
    paused: Duration,
}

/// A host call that is not the guest's work.
pub(crate) struct Pause(Duration);

impl GuestTime {
    pub(crate) fn start(limit: Duration) -> Self {
        Self {
            limit,
            started: now(),
            paused: Duration::ZERO,
        }
    }

    pub(crate) fn pause(&self) -> Pause {
        Pause(now())
    }

    pub(crate) fn resume(&mut self, pause: Pause) {
        self.paused += now().saturating_sub(pause.0);
    }

    /// What is left; `None` when nothing is.
    pub(crate) fn left(&self) -> Option<Duration> {
        let used = now()
            .saturating_sub(self.started)
            .saturating_sub(self.paused);
        self.limit.checked_sub(used).filter(|left| !left.is_zero())
    }
}

#[cfg(unix)]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn now() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
