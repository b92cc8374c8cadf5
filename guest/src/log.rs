//! The filter's log. What it says may be stored, so put no content of mails in.

use crate::bindings::waxseal::filter::{log as host, types::NameValue};

pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warn as warn};
pub use host::Level;

/// Would a line of this level be kept?
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

/// One line, with named values for programs.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    host::emit(level, message, &pairs(fields));
}

pub(crate) fn pairs(fields: &[(&str, &str)]) -> Vec<NameValue> {
    let pair = |(name, value): &(&str, &str)| NameValue {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    fields.iter().map(pair).collect()
}

/// `log::debug!("{count} attachments")`
#[macro_export]
macro_rules! log_debug {
    ($($text:tt)+) => { $crate::log_at!($crate::log::Level::Debug, $($text)+) };
}

/// `log::info!("{count} attachments")`
#[macro_export]
macro_rules! log_info {
    ($($text:tt)+) => { $crate::log_at!($crate::log::Level::Info, $($text)+) };
}

/// `log::warn!("no subject")`
#[macro_export]
macro_rules! log_warn {
    ($($text:tt)+) => { $crate::log_at!($crate::log::Level::Warn, $($text)+) };
}

/// `log::error!("no subject")`
#[macro_export]
macro_rules! log_error {
    ($($text:tt)+) => { $crate::log_at!($crate::log::Level::Error, $($text)+) };
}

/// Formats nothing that nobody keeps.
#[doc(hidden)]
#[macro_export]
macro_rules! log_at {
    ($level:expr, $($text:tt)+) => {
        if $crate::log::enabled($level) {
            $crate::log::emit($level, &::std::format!($($text)+), &[]);
        }
    };
}
