//! `serve.toml` as the service began with it, and whether it says something else by now.

use std::path::PathBuf;

use waxseal_config::serve::{self, Serve};

/// What the service began with.
pub(crate) struct Settings {
    /// The file.
    pub(crate) file: PathBuf,
    /// The policy directory.
    pub(crate) policy: PathBuf,
    /// What it said.
    pub(crate) begun_with: Serve,
}

impl Settings {
    /// What an operator who changed the file should know.
    pub(crate) fn pending(&self) -> Option<String> {
        let file = self.file.display();
        match serve::read(&self.file, &self.policy) {
            Ok(now) if now == self.begun_with => None,
            Ok(_) => Some(format!("changed, takes effect at the next start: {file}")),
            Err(errors) => {
                let first = errors.problems().first();
                let first = first.map(ToString::to_string).unwrap_or_default();
                Some(format!("changed, and the next start would fail: {first}"))
            }
        }
    }
}
