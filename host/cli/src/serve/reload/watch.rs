//! Says when a policy directory has changed and come to rest.
//!
//! Watched are the directory with all below it, and the place of each link on the way to it,
//! so that a rename into it, a link that flips, and a directory that is replaced are all seen.
//! After each change everything is watched anew, before anybody reads: what changes while a
//! policy is loaded is seen, too. What lies behind links inside the directory is not watched;
//! SIGHUP or `waxseal reload` is for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::serve::reload::copy::is_left_out;

/// The directory is at rest when nothing has happened for so long…
const QUIET: Duration = Duration::from_millis(250);
/// … and is taken as it is after so long without rest.
const RESTLESS: Duration = Duration::from_secs(5);
/// Links on the way to a directory.
const LINKS: usize = 8;
/// The name of the link that flips in directories of Kubernetes.
const DATA_LINK: &str = "..data";

/// Watches a policy directory.
pub(crate) struct Watch {
    policy: PathBuf,
    /// What the service itself writes.
    state: PathBuf,
    changed: Arc<Notify>,
    /// Dropping it ends it.
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches a directory from now on.
    pub(crate) fn new(policy: &Path, state: &Path) -> Self {
        let mut watch = Self {
            policy: policy.to_owned(),
            state: fs::canonicalize(state).unwrap_or_else(|_| state.to_owned()),
            changed: Arc::default(),
            watcher: None,
        };
        watch.arm();
        watch
    }

    /// Waits for a change, and for the rest after it.
    pub(crate) async fn changed(&mut self) {
        self.changed.notified().await;
        let restless = Instant::now() + RESTLESS;
        loop {
            let quiet = restless.min(Instant::now() + QUIET);
            let more = timeout_at(quiet, self.changed.notified()).await;
            if more.is_err() || Instant::now() >= restless {
                break;
            }
        }
        self.arm();
    }

    /// Watches everything anew; the old watcher ends after the new one has begun.
    fn arm(&mut self) {
        let filter = Filter {
            policy: self.policy.clone(),
            real: fs::canonicalize(&self.policy).unwrap_or_else(|_| self.policy.clone()),
            state: self.state.clone(),
        };
        let (places, real) = (links(&self.policy), filter.real.clone());
        let changed = Arc::clone(&self.changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is a queue that ran over: something happened.
            if event.map_or(true, |event| filter.is_a_change(&event)) {
                changed.notify_one();
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "the policy directory is not watched: send SIGHUP or use `waxseal reload`");
                return;
            }
        };
        for place in places.iter().filter_map(|link| link.parent()) {
            self.add(&mut watcher, place, RecursiveMode::NonRecursive);
        }
        self.add(&mut watcher, &real, RecursiveMode::Recursive);
        self.watcher = Some(watcher);
    }

    fn add(&self, watcher: &mut RecommendedWatcher, path: &Path, mode: RecursiveMode) {
        if let Err(error) = watcher.watch(path, mode) {
            tracing::warn!(%error, path = %path.display(), "not watched: send SIGHUP or use `waxseal reload`");
        }
    }
}

/// The path, and where each link on the way leads.
fn links(path: &Path) -> Vec<PathBuf> {
    let mut links = vec![path.to_owned()];
    while let (Some(last), true) = (links.last(), links.len() <= LINKS) {
        let Ok(target) = fs::read_link(last) else {
            break;
        };
        let target = last.parent().unwrap_or(Path::new("/")).join(target);
        links.push(target);
    }
    links
}

/// Tells what concerns the policy from what does not.
struct Filter {
    policy: PathBuf,
    real: PathBuf,
    state: PathBuf,
}

impl Filter {
    fn is_a_change(&self, event: &Event) -> bool {
        let reads = matches!(event.kind, EventKind::Access(_));
        let touched = matches!(event.kind, EventKind::Modify(ModifyKind::Other));
        !reads && !touched && event.paths.iter().any(|path| self.concerns(path))
    }

    fn concerns(&self, path: &Path) -> bool {
        if path.starts_with(&self.state) {
            return false;
        }
        if let Ok(inside) = path.strip_prefix(&self.real) {
            return inside
                .iter()
                .all(|name| name == DATA_LINK || !is_left_out(Path::new(name)));
        }
        links(&self.policy).iter().any(|link| link == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Does the watch report what this does? A change that must not count is followed by one
    /// that must, so that no test waits for nothing to happen.
    async fn seen(watch: &mut Watch, change: impl FnOnce()) {
        change();
        tokio::time::timeout(Duration::from_secs(20), watch.changed())
            .await
            .expect("the change is seen");
    }

    #[tokio::test]
    async fn every_way_to_change_a_directory_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for name in ["v1/lists", "v2/lists", "state"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        symlink("v1", at("current")).unwrap();
        let mut watch = Watch::new(&at("current"), &at("state"));
        let write = |name: &str| fs::write(at(name), "x").unwrap();
        seen(&mut watch, || write("v1/waxseal.toml")).await;
        seen(&mut watch, || write("v1/lists/partners.txt")).await;
        seen(&mut watch, || {
            write("v1/new");
            fs::rename(at("v1/new"), at("v1/waxseal.toml")).unwrap();
        })
        .await;
        seen(&mut watch, || {
            symlink("v2", at("next")).unwrap();
            fs::rename(at("next"), at("current")).unwrap();
        })
        .await;
        // What it leads to now is watched.
        seen(&mut watch, || write("v2/waxseal.toml")).await;
        // A directory that takes the place of another one.
        seen(&mut watch, || {
            fs::rename(at("v2"), at("old")).unwrap();
            fs::create_dir_all(at("v2")).unwrap();
            write("v2/waxseal.toml");
        })
        .await;
        seen(&mut watch, || write("v2/rules.json")).await;
    }

    #[test]
    fn what_does_not_concern_the_policy() {
        let filter = Filter {
            policy: "/etc/waxseal".into(),
            real: "/srv/v1".into(),
            state: "/srv/v1/state".into(),
        };
        let check = |path: &str, expected: bool| {
            assert_eq!(filter.concerns(Path::new(path)), expected, "{path}");
        };
        check("/srv/v1/waxseal.toml", true);
        check("/srv/v1/lists/a.txt", true);
        check("/srv/v1/..data", true);
        check("/etc/waxseal", true);
        check("/srv/v1/certificates.sqlite", false);
        check("/srv/v1/certificates.sqlite-wal", false);
        check("/srv/v1/.waxseal.toml.swp", false);
        check("/srv/v1/waxseal.toml~", false);
        check("/srv/v1/state/decisions/1", false);
        check("/etc/passwd", false);
    }
}
