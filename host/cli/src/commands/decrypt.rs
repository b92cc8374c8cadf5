//! `waxseal decrypt`: the mail without its encryption.
//!
//! An outer signature comes off with it; a signature inside stays. Of a bare CMS object the
//! content comes out. Exits with 0 when it was decrypted; otherwise with 1, a reason, and
//! nothing written.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::open::Layer;

use crate::opening::{Decrypted, SecretsArgs};
use crate::report::{Exit, Failure};
use crate::{opening, output};

/// What `decrypt` takes.
#[derive(Args)]
pub(crate) struct DecryptArgs {
    #[command(flatten)]
    opening: SecretsArgs,

    /// Where the mail goes; standard output when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Decrypts it.
pub(crate) fn run(args: DecryptArgs) -> Result<ExitCode, Failure> {
    let out = args.out.as_deref();
    match args.opening.read()?.decrypt()? {
        Decrypted::Mail(message) => output::write_message(out, &message)?,
        Decrypted::Content(content) => output::write(out, &content)?,
        Decrypted::Not(layer) => return Err(failure(layer.as_deref())),
    }
    Ok(ExitCode::SUCCESS)
}

fn failure(layer: Option<&Layer>) -> Failure {
    let Some(layer) = layer else {
        return Failure::new(Exit::Failed, "not encrypted: nothing to decrypt");
    };
    let reason = layer
        .problem
        .as_ref()
        .map(|problem| problem.message.as_str());
    let failure = match reason {
        Some(reason) => format!("not decrypted ({}): {reason}", layer.state),
        None => format!("not decrypted: {}", layer.state),
    };
    let failure = Failure::new(Exit::Failed, failure);
    match opening::layers::hint(layer) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
