//! What systemd hears of the service (sd_notify(3)). Without `NOTIFY_SOCKET` nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;

/// Mail is taken from now on.
pub(crate) fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A policy is being loaded. `ready` ends it.
pub(crate) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    // systemd 253 and newer wants to know when it began.
    states.extend(NotifyState::monotonic_usec_now().ok());
    say(&states);
}

/// No more connections are taken.
pub(crate) fn stopping(limit: Duration) {
    let micros = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
    say(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Says that the service lives, twice in each interval that `WatchdogSec=` sets. It runs on the
/// threads that carry mail: when those hang, it is silent.
pub(crate) async fn watchdog() {
    let mut micros = 0;
    if !sd_notify::watchdog_enabled(false, &mut micros) || micros < 2 {
        return std::future::pending().await;
    }
    let mut interval = tokio::time::interval(Duration::from_micros(micros / 2));
    loop {
        interval.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}
