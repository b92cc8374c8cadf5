//! How a command ends: exit codes, and `error:` and `hint:` on standard error.
//!
//! A message is lower case, has no final period, and ends with the value that it is about.
//! Failing to write to standard error is not reported: nobody would read it.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// The exit codes of sysexits.h that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Not what was hoped for: not decrypted, not valid.
    Failed = 1,
    /// EX_USAGE: the command line is wrong.
    Usage = 64,
    /// EX_DATAERR: what was read is not what it should be.
    Data = 65,
    /// EX_NOINPUT: a file is not there or cannot be read.
    NoInput = 66,
    /// EX_UNAVAILABLE: refused, or something needed is lacking.
    Unavailable = 69,
    /// EX_SOFTWARE: our own fault.
    Software = 70,
    /// EX_CANTCREAT: an output file cannot be made.
    CannotCreate = 73,
    /// EX_IOERR: reading or writing failed.
    Io = 74,
    /// EX_TEMPFAIL: try again.
    TempFail = 75,
    /// EX_NOPERM: not allowed.
    Denied = 77,
    /// EX_CONFIG: the configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do its work. Printed once, by `main`.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    kind: &'static str,
    text: String,
}

impl Failure {
    /// A failure with its message.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            lines: Vec::new(),
        }
        .and(message)
    }

    /// A failure that says nothing: standard output went away, or all has been said.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            exit,
            lines: Vec::new(),
        }
    }

    /// A file that cannot be read: 66 when it is not there, 77 when it is closed to us, 74
    /// otherwise.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Exit::NoInput,
            io::ErrorKind::PermissionDenied => Exit::Denied,
            _ => Exit::Io,
        };
        Self::new(
            exit,
            format_args!("cannot read ({}): {}", plain(error), path.display()),
        )
    }

    /// A file that cannot be written: 77 when it is closed to us, 73 otherwise.
    pub(crate) fn creating(path: &Path, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::Denied,
            io::ErrorKind::StorageFull => Exit::Io,
            _ => Exit::CannotCreate,
        };
        Self::new(
            exit,
            format_args!("cannot write ({}): {}", plain(error), path.display()),
        )
    }

    /// The same with a hint, which belongs to the last error.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.lines.push(Line {
            kind: "hint",
            text: hint.to_string(),
        });
        self
    }

    /// The same with one more error.
    #[must_use]
    pub(crate) fn and(mut self, message: impl fmt::Display) -> Self {
        self.lines.push(Line {
            kind: "error",
            text: message.to_string(),
        });
        self
    }

    /// Prints it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        for line in &self.lines {
            say(line.kind, &line.text);
        }
        self.exit.into()
    }
}

impl From<waxseal_smime::Error> for Failure {
    fn from(error: waxseal_smime::Error) -> Self {
        use waxseal_smime::Error;
        let exit = match &error {
            _ if error.is_passing() => Exit::TempFail,
            Error::NoRecipients => Exit::Usage,
            Error::Provider(_) => Exit::Unavailable,
            Error::ReadBack(_) | Error::Encoding(_) => Exit::Software,
            _ => Exit::Data,
        };
        let failure = Self::new(exit, &error);
        match smime_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn smime_hint(error: &waxseal_smime::Error) -> Option<&'static str> {
    use waxseal_smime::Error;
    match error {
        Error::NotTransportSafe => Some("sign it opaque: --opaque"),
        Error::Expired { .. } => Some("renew it; an expired certificate is never used"),
        Error::ReadBack(_) | Error::Encoding(_) => {
            Some("this is a bug of waxseal; please report it")
        }
        _ => None,
    }
}

impl From<waxseal_stores::Error> for Failure {
    fn from(error: waxseal_stores::Error) -> Self {
        use waxseal_stores::{Defect, Error};
        let failure = match &error {
            Error::Read { path, source } => Self::reading(path, source),
            Error::Write { path, source } => Self::creating(path, source),
            Error::Exists { .. } => Self::new(Exit::CannotCreate, &error),
            Error::Content { path, defect } => {
                let exit = match defect {
                    Defect::WrongPassphrase | Defect::PassphraseMissing => Exit::Denied,
                    _ => Exit::Data,
                };
                Self::new(exit, format_args!("{defect}: {}", path.display()))
            }
            Error::PassphraseVariable { .. } => Self::new(Exit::Usage, &error),
            Error::Store { fault, .. } => Self::new(of_store(fault), &error),
            Error::Provider(_) => Self::new(Exit::Unavailable, &error),
            _ => Self::new(Exit::Data, &error),
        };
        let hint = match error.defect() {
            // Here the options have names.
            Some(Defect::PassphraseMissing) => {
                Some("use --passphrase-file, or the environment variable WAXSEAL_PASSPHRASE")
            }
            Some(Defect::NoKey) => Some("give the file with the private key: --key"),
            _ => error.hint(),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// How a command ends that a store of certificates does not answer.
fn of_store(fault: &waxseal_stores::StoreFault) -> Exit {
    use waxseal_stores::StoreFault;
    match fault {
        StoreFault::Busy => Exit::TempFail,
        StoreFault::Full | StoreFault::Io(_) => Exit::Io,
        StoreFault::Unopenable(_) | StoreFault::ReadOnly => Exit::Denied,
        _ => Exit::Data,
    }
}

/// Prints a warning on standard error; the command goes on.
pub(crate) fn warn(message: impl fmt::Display) {
    say("warning", &message.to_string());
}

/// Prints a remark for people on standard error, without a label.
pub(crate) fn note(message: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Prints a hint on standard error.
pub(crate) fn hint(message: impl fmt::Display) {
    say("hint", &message.to_string());
}

fn say(kind: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{kind}: {}", harmless(text));
}

/// Text from mail, certificates and file names may hold control characters; a terminal must not
/// obey them.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// The system's words without the number, in our case: `no such file or directory`.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Ends the program for what clap found: help and version are no errors; everything else is
/// EX_USAGE, with clap's tips as hints.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe under `--help` is no news.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let text = match error.kind() {
        // What there is to choose from, in clap's words.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("error: no command given\n\n{text}")
        }
        _ => in_our_form(&text),
    };
    let _ = write!(io::stderr().lock(), "{text}");
    Exit::Usage.into()
}

/// Clap's message without its empty lines, its tips and usage as hints.
fn in_our_form(text: &str) -> String {
    let mut out = String::new();
    let has_usage = text.contains("\nUsage: ");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(tip) = line.strip_prefix("  tip: ") {
            out.push_str("hint: ");
            out.push_str(tip);
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            out.push_str("hint: usage: ");
            out.push_str(usage);
        } else if line.starts_with("For more information") {
            if has_usage {
                continue;
            }
            out.push_str("hint: --help says more");
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r"), "a\u{fffd}[31mb\u{fffd}");
    }

    #[test]
    fn plain_words() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(plain(&error), "no such file or directory");
    }
}
