//! Log lines on standard error. Without `-v` only warnings; `WAXSEAL_LOG` sets it by target,
//! as in `warn,waxseal_engine=debug`. Logs hold ids, addresses, plans and times; never content
//! or keys.

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

use crate::args::Command;
use crate::commands::serve::LogForm;

/// Starts the subscriber: a service says more than a command, and in the form that was asked
/// for. A `WAXSEAL_LOG` that does not parse is reported and not obeyed.
pub(crate) fn start(verbose: u8, command: &Command) {
    let form = match command {
        Command::Serve(args) => Some(args.log),
        _ => None,
    };
    let level = match (verbose, form) {
        (0, Some(_)) => "info",
        (0, None) => "warn",
        (1, None) => {
            "waxseal=info,waxseal_engine=info,waxseal_policy=info,waxseal_config=info,warn"
        }
        (1 | 2, _) => {
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
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // Only a second subscriber could fail, and there is one `main`.
    let _ = match form {
        Some(LogForm::Json) => {
            let lines = subscriber.json().flatten_event(true);
            tracing::subscriber::set_global_default(lines.finish())
        }
        _ => tracing::subscriber::set_global_default(subscriber.finish()),
    };
}
