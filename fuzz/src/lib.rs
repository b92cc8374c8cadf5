//! What the targets share: how much a message may hold, and an `Opening`.
//!
//! The limits are those of a small installation, so that a run is fast and what is unbounded
//! shows as memory or time at once.

use std::sync::LazyLock;
use waxseal_message::Limits;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::open::{Opening, Secret};
use waxseal_smime::{Certificate, Identity, Time};

/// The time at which everything is judged: 2026-11-24.
pub const NOW: Time = Time::from_unix(1_795_478_400);

/// Limits of all targets.
pub fn limits() -> Limits {
    Limits {
        octets: 4 << 20,
        ..Limits::default()
    }
}

/// The identities of the files in `$WAXSEAL_FUZZ_KEYS`, which `fuzz/seeds` fills.
pub static IDENTITIES: LazyLock<Vec<Identity>> = LazyLock::new(identities);

fn identities() -> Vec<Identity> {
    let directory = std::env::var_os("WAXSEAL_FUZZ_KEYS").expect("fuzz/run sets WAXSEAL_FUZZ_KEYS");
    let files = std::fs::read_dir(directory).expect("fuzz/seeds made the directory of keys");
    let mut found = Vec::new();
    for file in files {
        let octets = std::fs::read(file.expect("a file").path()).expect("a key");
        found.extend(
            waxseal_stores::read_identities("fuzz", &octets, None, &RustCrypto)
                .expect("fuzz/seeds copies what can be read"),
        );
    }
    found
}

/// Opens with these identities, whatever the algorithm, and without a judge of paths.
pub fn opening<'a>(
    limits: &'a Limits,
    keys: &'a [Identity],
    secrets: &'a [Secret],
    certificates: &'a [Certificate],
) -> Opening<'a> {
    Opening {
        provider: &RustCrypto,
        now: NOW,
        limits,
        keys: keys.iter().collect(),
        secrets,
        trust: None,
        certificates,
        allow_weak: true,
        clock_skew: 300,
    }
}
