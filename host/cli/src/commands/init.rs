//! `waxseal init`: a working policy directory to start from.
//!
//! It has the stock filters, a commented `waxseal.toml`, an identity and a recipient under a
//! throw-away CA, and fixtures whose expected plans come from a first run. The directory
//! appears whole or not at all.

pub(crate) mod throwaway;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use waxseal_config::FILE;
use waxseal_config::serve::SERVE_FILE;
use waxseal_engine::Engine;
use waxseal_message::Address;
use waxseal_smime::{Clock, KeyAlgorithm, Time};
use waxseal_stores::pem_certificate;

use crate::args::mailbox;
use crate::clock::{self, CommandClock};
use crate::commands::check;
use crate::commands::init::throwaway::{Authority, Holder};
use crate::fixture::case::{Case, Verdict, files};
use crate::output::{self, Access};
use crate::progress::Spinner;
use crate::report::{Exit, Failure};

/// The stock filters, as built.
pub(crate) const RULES: &[u8] = include_bytes!("../../../../filters/dist/rules.wasm");
pub(crate) const MUST_ENCRYPT: &[u8] = include_bytes!("../../../../filters/dist/must-encrypt.wasm");
pub(crate) const SUBJECT_TRIGGER: &[u8] =
    include_bytes!("../../../../filters/dist/subject-trigger.wasm");
pub(crate) const INBOUND: &[u8] = include_bytes!("../../../../filters/dist/inbound.wasm");
pub(crate) const OPPORTUNISTIC: &[u8] =
    include_bytes!("../../../../filters/dist/opportunistic.wasm");

/// Texts of a new policy, with `{{…}}` for what is the operator's.
const TEXTS: [(&str, &str); 15] = [
    (FILE, include_str!("../../init/waxseal.toml")),
    (SERVE_FILE, include_str!("../../init/serve.toml")),
    ("rules.json", include_str!("../../init/rules.json")),
    (
        "lists/must-encrypt.txt",
        include_str!("../../init/must-encrypt.txt"),
    ),
    (
        "dictionaries/confidential.txt",
        include_str!("../../init/confidential.txt"),
    ),
    (
        "tests/signed.toml",
        include_str!("../../init/tests/signed.toml"),
    ),
    (
        "tests/signed.eml",
        include_str!("../../init/tests/signed.eml"),
    ),
    (
        "tests/secure.toml",
        include_str!("../../init/tests/secure.toml"),
    ),
    (
        "tests/secure.eml",
        include_str!("../../init/tests/secure.eml"),
    ),
    (
        "tests/no-certificate.toml",
        include_str!("../../init/tests/no-certificate.toml"),
    ),
    (
        "tests/no-certificate.eml",
        include_str!("../../init/tests/no-certificate.eml"),
    ),
    (
        "tests/forged.toml",
        include_str!("../../init/tests/forged.toml"),
    ),
    (
        "tests/forged.eml",
        include_str!("../../init/tests/forged.eml"),
    ),
    (
        "tests/received.toml",
        include_str!("../../init/tests/received.toml"),
    ),
    (RECEIVED, include_str!("../../init/tests/received.eml")),
];

/// A mail of the recipient's, which is signed and encrypted by a throw-away key.
const RECEIVED: &str = "tests/received.eml";

/// The recipient that comes with a new policy.
const RECIPIENT: &str = "ben@partner.example";

/// What `init` takes.
#[derive(Args)]
pub(crate) struct InitArgs {
    /// Where to make it; must not exist, or be empty
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Whose mail is signed: the address of the first identity
    #[arg(long, value_name = "ADDR", value_parser = mailbox, default_value = "anna@example.org")]
    pub(crate) address: Address,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// Makes the directory.
pub(crate) fn run(args: InitArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let draft = draft(&args.dir)?;
    {
        let _spinner = Spinner::start("making keys");
        fill(draft.path(), &args.address, now)?;
        expect(draft.path(), now)?;
    }
    place(draft, &args.dir)?;
    output::print(next_steps(&args.dir, &args.address))?;
    Ok(ExitCode::SUCCESS)
}

/// A directory beside the one wanted, to be renamed when it is complete.
pub(crate) fn draft(dir: &Path) -> Result<tempfile::TempDir, Failure> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            let message = format!("the directory is not empty: {}", dir.display());
            return Err(
                Failure::new(Exit::CannotCreate, message).hint("name one that does not exist")
            );
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::creating(dir, &error));
        }
        Ok(false) | Err(_) => {}
    }
    let above = match dir.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    output::create_directory(above)?;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".waxseal-")
        .tempdir_in(above)
        .map_err(|error| Failure::creating(above, &error))
}

/// Renames the complete directory.
pub(crate) fn place(draft: tempfile::TempDir, dir: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::creating(dir, &error);
    if dir.is_dir() {
        fs::remove_dir(dir).map_err(failed)?;
    }
    let path = draft.keep();
    fs::rename(&path, dir).map_err(|error| {
        // The rename's error is the one to report.
        let _ = fs::remove_dir_all(&path);
        failed(error)
    })
}

fn fill(dir: &Path, address: &Address, now: Time) -> Result<(), Failure> {
    let name = bare(address.local());
    let later = now.plus(60).to_string();
    for (file, text) in TEXTS {
        let text = text
            .replace("{{address}}", &address.to_string())
            .replace("{{domain}}", address.domain())
            .replace("{{name}}", &name)
            .replace("{{at}}", &later);
        write(&dir.join(file), text.as_bytes())?;
    }
    for (file, octets) in [
        ("filters/inbound.wasm", INBOUND),
        ("filters/rules.wasm", RULES),
        ("filters/must-encrypt.wasm", MUST_ENCRYPT),
        ("filters/subject-trigger.wasm", SUBJECT_TRIGGER),
        ("filters/opportunistic.wasm", OPPORTUNISTIC),
    ] {
        write(&dir.join(file), octets)?;
    }
    let authority = Authority::new("Throw-away CA made by waxseal init", now)?;
    authority.write(&dir.join("ca"))?;
    write(
        &dir.join("anchors/ca.pem"),
        pem_certificate(&authority.certificate).as_bytes(),
    )?;
    let own = authority.issue(address, &KeyAlgorithm::Rsa { bits: 3072 })?;
    own.write_identity(&dir.join("identities"), &name, &authority)?;
    let recipient = mailbox(RECIPIENT).map_err(|error| Failure::new(Exit::Software, error))?;
    let recipient: Holder = authority.issue(&recipient, &KeyAlgorithm::EcP256)?;
    let file = dir.join("certificates").join(format!("{RECIPIENT}.pem"));
    write(&file, pem_certificate(&recipient.certificate).as_bytes())?;
    let file = dir.join(RECEIVED);
    let plain = fs::read(&file).map_err(|error| Failure::reading(&file, &error))?;
    let received = recipient.sends(plain, &own.certificate, now)?;
    fs::remove_file(&file).map_err(|error| Failure::creating(&file, &error))?;
    write(&file, &received)?;
    recipient.write_pem(&dir.join("ca").join(format!("{RECIPIENT}.pem")))
}

/// Runs the fixtures of the new policy and writes what comes out as what is expected.
fn expect(dir: &Path, now: Time) -> Result<(), Failure> {
    let engine = Engine::new(check::load(dir, now)?.generation);
    let tests = dir.join("tests");
    for file in files(&tests).map_err(|error| Failure::reading(&tests, &error))? {
        let broken = |error: String| Failure::new(Exit::Software, error);
        let case = Case::read(&file).map_err(broken)?;
        if let Verdict::New { got } = case.run(&engine).map_err(broken)? {
            write(case.expected(), got.as_bytes())?;
        }
    }
    Ok(())
}

/// Writes a file and makes the directory that it is in.
pub(crate) fn write(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        output::create_directory(directory)?;
    }
    output::create(path, octets, Access::Shared)
}

/// A name that TOML takes as a bare key.
fn bare(local: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    local.chars().map(letter).collect()
}

fn next_steps(dir: &Path, address: &Address) -> String {
    let dir = dir.display();
    format!(
        "made {dir}: stock filters, a sample policy, and keys under a throw-away CA

look at what it does:
  waxseal check {dir}
  waxseal test {dir}
  waxseal explain --policy {dir} --from {address} --to {RECIPIENT} {dir}/tests/secure.eml
  waxseal run --policy {dir} --from {address} --to {RECIPIENT} {dir}/tests/secure.eml > secure.eml
  openssl cms -decrypt -in secure.eml -recip {dir}/ca/{RECIPIENT}.pem

make it yours:
  {dir}/waxseal.toml       filters, profiles, identities, whose mail is ours
  {dir}/rules.json         rules without code
  {dir}/serve.toml         listeners and next hops of `waxseal serve --policy {dir}`
  {dir}/identities/        replace the throw-away identity
  {dir}/certificates/      certificates of those to encrypt to
  {dir}/anchors/           roots that signers of received mail must lead to
  {dir}/ca/                the throw-away CA with its key: delete it before real use
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bare_keys() {
        assert_eq!(bare("anna.maria+x"), "anna-maria-x");
    }
}
