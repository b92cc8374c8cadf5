//! The trait that a filter implements and the macro that exports it.

use serde::de::DeserializeOwned;

use crate::{Error, Verdict, session::Transaction};

/// One thing that is wrong with a filter's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where in the settings: `rules[3].when.subject`; empty for the whole.
    pub path: String,
    /// What is wrong, lower case.
    pub message: String,
}

impl ConfigProblem {
    /// A problem at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        ConfigProblem {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// A mail filter.
///
/// An instance sees one message only. Whatever `new` makes of the settings may
/// be kept between loading and that message, so `new` must depend on nothing
/// but the settings.
pub trait Filter: Sized + 'static {
    /// Read from the operator's JSON with serde. `()` takes no settings. Put
    /// `#[serde(deny_unknown_fields)]` on a struct, so that a misspelt key is
    /// reported and not ignored.
    type Settings: DeserializeOwned;

    /// Makes the filter, or says what is wrong with the settings. Calls no host.
    fn new(settings: Self::Settings) -> Result<Self, Vec<ConfigProblem>>;

    /// What only the host can tell about the settings, asked when the policy is
    /// loaded or checked, never with a message: the names of profiles and lists.
    fn check(&self) -> Vec<ConfigProblem> {
        Vec::new()
    }

    /// Decides about one message. An error is the filter's own failure.
    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error>;
}

/// Makes a [`Filter`] the component's filter. Once for each crate.
#[macro_export]
macro_rules! filter {
    ($filter:ty) => {
        const _: () = {
            use $crate::bindings::exports::waxseal::filter::{handler, preparation};

            ::std::thread_local! {
                static READY: $crate::run::Ready<$filter> = const { $crate::run::Ready::new() };
            }

            struct Component;

            impl handler::Guest for Component {
                fn evaluate(tx: handler::Transaction) -> Result<handler::Verdict, String> {
                    READY.with(|ready| ready.evaluate(tx))
                }

                fn validate_config(json: String) -> Result<(), Vec<handler::ConfigProblem>> {
                    READY.with(|ready| ready.validate_config(json))
                }
            }

            impl preparation::Guest for Component {
                fn prepare(json: String) {
                    READY.with(|ready| ready.prepare(&json));
                }
            }

            $crate::bindings::export_handler! { Component with_types_in $crate::bindings }
        };
    };
}

/// What `filter!` expands to calls this; not for direct use.
#[doc(hidden)]
pub mod run {
    use std::cell::OnceCell;

    use super::{ConfigProblem, Filter};
    use crate::{
        Error,
        bindings::{exports::waxseal::filter::handler, waxseal::filter::log as host_log},
        config, settings,
    };

    /// The filter made from its settings, in an instance that was prepared; empty in any
    /// other.
    pub struct Ready<F>(OnceCell<F>);

    impl<F: Filter> Ready<F> {
        #[allow(clippy::new_without_default)]
        pub const fn new() -> Self {
            Ready(OnceCell::new())
        }

        pub fn validate_config(&self, json: String) -> Result<(), Vec<handler::ConfigProblem>> {
            report_panics();
            let filter = make::<F>(&json).map_err(for_host)?;
            match filter.check() {
                problems if problems.is_empty() => Ok(()),
                problems => Err(for_host(problems)),
            }
        }

        /// What is wrong with the settings is for `evaluate` to say.
        pub fn prepare(&self, json: &str) {
            if let Ok(filter) = make::<F>(json) {
                let _ = self.0.set(filter);
            }
        }

        pub fn evaluate(&self, tx: handler::Transaction) -> Result<handler::Verdict, String> {
            report_panics();
            let tx = tx.into();
            let verdict = match self.0.get() {
                Some(filter) => filter.evaluate(&tx),
                None => make::<F>(&config::json())
                    .map_err(unusable)
                    .and_then(|filter| filter.evaluate(&tx)),
            };
            verdict.map(Into::into).map_err(|error| error.to_string())
        }
    }

    fn make<F: Filter>(json: &str) -> Result<F, Vec<ConfigProblem>> {
        settings::parse(json)
            .map_err(|problem| vec![problem])
            .and_then(F::new)
    }

    fn for_host(problems: Vec<ConfigProblem>) -> Vec<handler::ConfigProblem> {
        let one = |ConfigProblem { path, message }| handler::ConfigProblem { path, message };
        problems.into_iter().map(one).collect()
    }

    fn unusable(problems: Vec<ConfigProblem>) -> Error {
        let list: Vec<String> = problems
            .into_iter()
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect();
        Error::new("filter.settings", list.join("; "))
    }

    /// A panic ends the instance without a word; this leaves the word in the log.
    fn report_panics() {
        std::panic::set_hook(Box::new(|panic| {
            host_log::emit(host_log::Level::Error, &panic.to_string(), &[]);
        }));
    }
}
