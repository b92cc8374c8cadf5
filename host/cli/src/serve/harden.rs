//! What the process does to itself: files that only it can read, and no core dumps, since its
//! memory holds keys and mail (DESIGN §8).

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Files that we make from here on are ours alone.
pub(crate) fn private_files() {
    umask(Mode::from_bits_truncate(0o077));
}

/// No core dumps, and no other process of this user looks into our memory. Call it after the
/// wasm engine is made: the kernel refuses PAGEMAP_SCAN to a process that is not dumpable.
pub(crate) fn no_core_dumps() {
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let limited = limited.and(nix::sys::prctl::set_dumpable(false));
    if let Err(error) = limited {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
}

/// The name of this host, for greetings and `Received`.
pub(crate) fn hostname() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
