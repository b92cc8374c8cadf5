//! Log lines on standard error. Without `-v` only warnings; `WAXSEAL_LOG` sets it by target,
//! as in `warn,waxseal_engine=debug`. Logs hold ids, addresses, plans and times; never content
//! or keys.

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Starts the subscriber. A `WAXSEAL_LOG` that does not parse is reported and not obeyed.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "waxseal=info,waxseal_engine=info,waxseal_policy=info,waxseal_config=info,warn",
        2 => {
            "waxseal=debug,waxseal_engine=debug,waxseal_policy=debug,waxseal_config=debug,\
              waxseal_smime=debug,waxseal_stores=debug,info"
        }
        _ => "trace",
    };
    let filter = match std::env::var("WAXSEAL_LOG") {
        Ok(setting) if !setting.is_empty() => {
            EnvFilter::try_new(&setting).unwrap_or_else(|error| {
                crate::report::warn(format_args!(
                    "WAXSEAL_LOG does not parse ({error}): {setting}"
                ));
                EnvFilter::new(level)
            })
        }
        _ => EnvFilter::new(level),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .finish();
    // Only a second subscriber could fail, and there is one `main`.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
