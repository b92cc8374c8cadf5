//! `waxseal cert import`, `pin`, `remove` and `export`: an operator's hand in the store. A
//! gateway that runs beside them sees each change with the next message.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use waxseal_message::Address;
use waxseal_smime::{Certificate, Clock};
use waxseal_stores::{load_certificates, pem_certificate};

use super::describe;
use super::known::{StoreArgs, ambiguous, in_store, is_fingerprint, unknown};
use crate::args::mailbox;
use crate::clock::CommandClock;
use crate::output;
use crate::report::{Exit, Failure, note, warn};

/// What `cert import` takes.
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// Certificates as PEM, DER or PKCS #7
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,
}

/// Puts all certificates that name somebody into the store, or none.
pub(crate) fn import(args: ImportArgs) -> Result<ExitCode, Failure> {
    let store = args.store.open()?;
    let mut taken = Vec::new();
    for file in &args.files {
        for certificate in load_certificates(file)? {
            if names_somebody(&certificate) {
                taken.push(certificate);
            } else {
                let subject = describe::printable(&certificate.subject());
                warn(format_args!("not imported, it names no address: {subject}"));
            }
        }
    }
    if taken.is_empty() {
        let message = "none of the certificates names an address or a domain";
        return Err(Failure::new(Exit::Data, message).hint(
            "certificates of authorities belong into certificates/ or anchors/ of the policy",
        ));
    }
    store.import(&taken)?;
    note(format_args!(
        "imported {}: {}",
        taken.len(),
        store.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn names_somebody(certificate: &Certificate) -> bool {
    !certificate.addresses().is_empty() || !certificate.domains().is_empty()
}

/// What `cert pin` takes.
#[derive(Args)]
pub(crate) struct PinArgs {
    /// A file with the certificate, or the fingerprint of one in the store
    #[arg(value_name = "FILE|FINGERPRINT")]
    certificate: String,

    /// Whom it is set for
    #[arg(long, value_name = "ADDR", value_parser = mailbox)]
    address: Address,

    #[command(flatten)]
    store: StoreArgs,
}

/// Sets a certificate for one address: it is preferred to all that are not pinned.
pub(crate) fn pin(args: PinArgs) -> Result<ExitCode, Failure> {
    let store = args.store.open()?;
    let file = Path::new(&args.certificate);
    let certificate = if file.exists() || !is_fingerprint(&args.certificate) {
        only_one(file, &args.address)?
    } else {
        in_store(&store, &args.certificate)?.certificate
    };
    store.pin(&certificate, &args.address)?;
    let digits = describe::short_fingerprint(&certificate);
    note(format_args!("pinned for {}: {digits}", args.address));
    Ok(ExitCode::SUCCESS)
}

/// The certificate of the file that names the address; a chain may be beside it.
fn only_one(file: &Path, address: &Address) -> Result<Certificate, Failure> {
    let all = load_certificates(file)?;
    let names = |each: &&Certificate| each.addresses().iter().any(|it| it.matches_folded(address));
    let mut named = all.iter().filter(names);
    match (named.next(), named.next(), all.as_slice()) {
        (Some(only), None, _) | (None, None, [only]) => Ok(only.clone()),
        (Some(_), Some(_), _) => {
            let message = format!(
                "more than one certificate of the address: {}",
                file.display()
            );
            Err(Failure::new(Exit::Data, message).hint("pin them one by one, by fingerprint"))
        }
        _ => {
            let message = format!("no certificate of the address: {}", file.display());
            Err(Failure::new(Exit::Data, message))
        }
    }
}

/// What `cert remove` takes.
#[derive(Args)]
pub(crate) struct RemoveArgs {
    /// The fingerprint, or its first digits
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,

    #[command(flatten)]
    store: StoreArgs,
}

/// Removes a certificate from the store. A file is not ours to remove.
pub(crate) fn remove(args: RemoveArgs) -> Result<ExitCode, Failure> {
    let store = args.store.open()?;
    if store.entries_with(&args.fingerprint)?.is_empty() {
        let all = args.store.all(CommandClock::System.now())?;
        let elsewhere = all
            .iter()
            .find(|known| known.has_fingerprint(&args.fingerprint));
        if let Some(known) = elsewhere.filter(|_| is_fingerprint(&args.fingerprint)) {
            let message = format!("not in the store but {}: {}", known.kind(), known.place);
            return Err(Failure::new(Exit::Unavailable, message)
                .hint("remove the file, or change waxseal.toml"));
        }
    }
    let found = in_store(&store, &args.fingerprint)?;
    store.remove(&found.certificate)?;
    let digits = describe::short_fingerprint(&found.certificate);
    note(format_args!("removed: {digits}"));
    Ok(ExitCode::SUCCESS)
}

/// What `cert export` takes.
#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The fingerprint, or its first digits
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,

    #[command(flatten)]
    store: StoreArgs,

    /// The file to write; standard output when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes a certificate of the store, the files or the identities as PEM.
pub(crate) fn export(args: ExportArgs) -> Result<ExitCode, Failure> {
    args.store.open()?;
    let mut found: Vec<Certificate> = Vec::new();
    for known in args.store.all(CommandClock::System.now())? {
        let is_new = !found.contains(&known.certificate);
        if is_new && known.has_fingerprint(&args.fingerprint) {
            found.push(known.certificate);
        }
    }
    match found.as_slice() {
        [only] => output::write(args.out.as_deref(), pem_certificate(only).as_bytes())?,
        [] => return Err(unknown(&args.fingerprint)),
        _ => return Err(ambiguous(&args.fingerprint)),
    }
    Ok(ExitCode::SUCCESS)
}
