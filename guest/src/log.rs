//! The filter's log. What it says may be stored, so put no content of mails in.

use std::cell::RefCell;

use crate::bindings::waxseal::filter::{log as host, types::NameValue};

pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warn as warn};
pub use host::Level;

/// Would a line of this level be kept?
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

/// One line, with named values for programs.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    with_pairs(fields, |fields| host::emit(level, message, fields));
}

/// Lends pairs to a call of the host. Their memory serves the next call too.
pub(crate) fn with_pairs(pairs: &[(&str, &str)], call: impl FnOnce(&[NameValue])) {
    thread_local! {
        static LENT: RefCell<Vec<NameValue>> = const { RefCell::new(Vec::new()) };
    }
    if pairs.is_empty() {
        return call(&[]);
    }
    LENT.with_borrow_mut(|lent| {
        lent.resize_with(pairs.len(), || NameValue {
            name: String::new(),
            value: String::new(),
        });
        for (pair, (name, value)) in lent.iter_mut().zip(pairs) {
            (*name).clone_into(&mut pair.name);
            (*value).clone_into(&mut pair.value);
        }
        call(lent);
    });
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
