//! This filter's settings and the operator's lists.

use crate::{ConfigProblem, Error, bindings::waxseal::filter::config as host};

/// The settings as text. [`Filter::new`](crate::Filter::new) has them parsed.
pub fn json() -> String {
    host::json()
}

/// Is the key in one of the operator's lists of domains and addresses? An
/// unknown or ungranted list is an error, not a no. Grant: `list:NAME`.
pub fn in_list(list: &str, key: &str) -> Result<bool, Error> {
    Ok(host::in_list(list, key)?)
}

/// For [`Filter::check`](crate::Filter::check): the setting at `path` names a
/// list that this filter may ask.
pub fn check_list(path: &str, list: &str) -> Vec<ConfigProblem> {
    match in_list(list, "example.invalid") {
        Ok(_) => Vec::new(),
        Err(error) => vec![ConfigProblem::new(path, error.to_string())],
    }
}
