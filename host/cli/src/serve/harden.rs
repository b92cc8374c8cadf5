//! What the process does to itself: files that only it can read, and no core dumps, since its
//! memory holds keys and mail (DESIGN §8).

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::process::{set_dumpable_behavior, setrlimit, umask};

/// Files that we make from here on are ours alone.
pub(crate) fn private_files() {
    umask(Mode::from_bits_truncate(0o077));
}

/// No core dumps, and no other process of this user looks into our memory. Call it after the
/// wasm engine is made: the kernel refuses PAGEMAP_SCAN to a process that is not dumpable.
pub(crate) fn no_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let limited = limited.and(set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = limited {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
}

/// The name of this host, for greetings and `Received`.
pub(crate) fn hostname() -> String {
    let system = rustix::system::uname();
    match system.nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}
