//! Where a command's passphrase comes from: a file, the environment, or the person at the
//! terminal.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use waxseal_smime::{Certificate, Provider};
use waxseal_stores::{
    Defect, LoadedIdentity, Passphrase, Secret, load_identity, load_sealed_certificates,
};
use zeroize::Zeroizing;

use crate::report::{Exit, Failure};

/// Holds the passphrase when no file is named.
const VARIABLE: &str = "WAXSEAL_PASSPHRASE";

/// The options that say where a passphrase comes from.
#[derive(Args)]
pub(crate) struct PassphraseArgs {
    /// A file with the passphrase; WAXSEAL_PASSPHRASE may hold it instead
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// As if the option had named this file.
    pub(crate) fn from_file(passphrase_file: Option<PathBuf>) -> Self {
        Self { passphrase_file }
    }

    /// The passphrase that was given, without asking anybody.
    pub(crate) fn given(&self) -> Option<Passphrase> {
        match &self.passphrase_file {
            Some(file) => Some(Passphrase::File(file.clone())),
            None => {
                std::env::var_os(VARIABLE).map(|_| Passphrase::Environment(VARIABLE.to_owned()))
            }
        }
    }
}

/// Opens an identity; asks for the passphrase when it needs one, none was given and somebody
/// sits at the terminal.
pub(crate) fn open_identity(
    file: &Path,
    key: Option<&Path>,
    passphrase: &PassphraseArgs,
    provider: &dyn Provider,
) -> Result<LoadedIdentity, Failure> {
    let open = |passphrase| load_identity(&name_of(file), file, key, passphrase, provider);
    asking(file, passphrase, open)
}

/// Opens the certificates of a file in the same way.
pub(crate) fn open_certificates(
    file: &Path,
    passphrase: &PassphraseArgs,
) -> Result<Vec<Certificate>, Failure> {
    let open = |passphrase| load_sealed_certificates(file, passphrase);
    asking(file, passphrase, open)
}

fn asking<T>(
    file: &Path,
    passphrase: &PassphraseArgs,
    open: impl Fn(Option<Passphrase>) -> Result<T, waxseal_stores::Error>,
) -> Result<T, Failure> {
    match open(passphrase.given()) {
        Err(error) if error.defect() == Some(&Defect::PassphraseMissing) && can_ask() => {
            Ok(open(Some(ask(file)?.into()))?)
        }
        result => Ok(result?),
    }
}

fn name_of(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Standard input may be the mail; rpassword reads the controlling terminal.
fn can_ask() -> bool {
    io::stderr().is_terminal()
}

fn ask(file: &Path) -> Result<Secret, Failure> {
    let typed = rpassword::prompt_password(format!("passphrase of {}: ", file.display()));
    match typed {
        Ok(typed) => Ok(Secret::new(Zeroizing::new(typed).as_bytes())),
        Err(error) => Err(Failure::new(
            Exit::Denied,
            format_args!("cannot ask for the passphrase: {error}"),
        )
        .hint(format_args!(
            "use --passphrase-file, or the environment variable {VARIABLE}"
        ))),
    }
}
