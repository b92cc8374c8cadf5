//! A spinner for work that takes seconds, on standard error and only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Turns until it is dropped.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// Starts; the text says what is being done.
    pub(crate) fn start(text: impl Into<String>) -> Self {
        // Draws to standard error, and nothing when that is no terminal.
        let bar = ProgressBar::new_spinner()
            .with_style(ProgressStyle::default_spinner().tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "))
            .with_message(text.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
