//! `[identity.NAME]`: certificates with their private keys.

use std::path::Path;

use waxseal_engine::SigningIdentity;
use waxseal_message::Address;
use waxseal_smime::{Provider, Time};
use waxseal_stores::{LoadedIdentity, Passphrase, load_identity};

use crate::directory::Directory;
use crate::document::{Section, Value};
use crate::origin;
use crate::problem::Problem;

/// Days before its end at which an identity is warned about (rule 14).
const WARN_DAYS: i64 = 30;
const DAY: i64 = 86_400;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Sign,
    Decrypt,
}

const USES: [(&str, Use); 2] = [("sign", Use::Sign), ("decrypt", Use::Decrypt)];

/// Reads one identity with its files.
pub(crate) fn read(
    name: &str,
    section: Section<'_>,
    directory: &Directory<'_>,
    provider: &dyn Provider,
    now: Time,
) -> Option<SigningIdentity> {
    let loaded = open(name, &section, directory, provider);
    let addresses = section
        .texts("addresses")
        .iter()
        .filter_map(address)
        .collect();
    let domains = section
        .texts("domains")
        .iter()
        .filter_map(origin::domain)
        .collect();
    let uses = match section.value("use") {
        Some(value) => value
            .many()
            .iter()
            .filter_map(|each| each.word(&USES))
            .collect(),
        None => vec![Use::Sign, Use::Decrypt],
    };
    let identity = loaded.and_then(|loaded| match loaded.into_signer(now) {
        Ok(identity) => Some(identity),
        Err(error) => {
            section.problem(error.to_string(), error.hint().map(str::to_owned));
            None
        }
    });
    if let Some(identity) = &identity {
        let certificate = &identity.certificate;
        directory.digest(Path::new(section.path()), &certificate.fingerprint());
        warn_about_time(
            &section,
            certificate.not_before(),
            certificate.not_after(),
            now,
            directory,
        );
    }
    section.finish();
    Some(SigningIdentity {
        identity: identity?,
        addresses,
        domains,
        signs: uses.contains(&Use::Sign),
        decrypts: uses.contains(&Use::Decrypt),
    })
}

fn open(
    name: &str,
    section: &Section<'_>,
    directory: &Directory<'_>,
    provider: &dyn Provider,
) -> Option<LoadedIdentity> {
    let file = section.required("file");
    let key = section.value("key");
    let passphrase_file = section.value("passphrase-file");
    let passphrase_env = section.value("passphrase-env");
    if let (Some(_), Some(env)) = (&passphrase_file, &passphrase_env) {
        env.problem("passphrase-file and passphrase-env: only one of them", None);
    }
    let file_name = directory.named_by(file.as_ref()?)?;
    let key_name = match &key {
        Some(key) => Some(directory.named_by(key)?),
        None => None,
    };
    let passphrase = match (&passphrase_file, &passphrase_env) {
        (Some(value), _) => {
            let secret = directory.named_by(value)?;
            directory.warn_if_open(&secret);
            Some(Passphrase::File(directory.path(&secret)))
        }
        (None, Some(value)) => Some(Passphrase::Environment(value.text()?.to_owned())),
        (None, None) => None,
    };
    // Encrypted or not: nobody else has a reason to read it.
    directory.warn_if_open(key_name.as_deref().unwrap_or(&file_name));
    let key_path = key_name.map(|name| directory.path(&name));
    let path = directory.path(&file_name);
    match load_identity(name, &path, key_path.as_deref(), passphrase, provider) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            if let Some(file) = &file {
                file.problem(error.to_string(), error.hint().map(str::to_owned));
            }
            None
        }
    }
}

fn address(value: &Value<'_>) -> Option<Address> {
    let text = value.text()?;
    Address::parse(text)
        .map_err(|error| value.problem(error.to_string(), None))
        .ok()
}

/// Rule 14: a warning 30 days ahead. An expired one still loads: it decrypts, and what it
/// would sign is refused by name.
fn warn_about_time(
    section: &Section<'_>,
    from: Time,
    until: Time,
    now: Time,
    directory: &Directory<'_>,
) {
    let message = if until < now {
        format!("its certificate has expired and cannot sign: {until}")
    } else if until <= now.plus(WARN_DAYS * DAY) {
        let days = (until.unix() - now.unix()) / DAY;
        format!("its certificate expires in {days} days: {until}")
    } else if from > now {
        format!("its certificate is not valid yet: {from}")
    } else {
        return;
    };
    directory.warnings.add(
        Problem::with_file(crate::FILE, message)
            .at(section.path())
            .on_line(section.line()),
    );
}
