//! `[identity.NAME]`: certificates with their private keys.

use std::path::Path;

use waxseal_engine::AssignedIdentity;
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

/// Reads one identity with its files: one entry for each key pair in them (rule 14). All of them
/// decrypt, and those that may sign do.
pub(crate) fn read(
    name: &str,
    section: Section<'_>,
    directory: &Directory<'_>,
    provider: &dyn Provider,
    now: Time,
) -> Vec<AssignedIdentity> {
    let loaded = open(name, &section, directory, provider);
    let addresses = section.texts("addresses");
    let addresses: Vec<Address> = addresses.iter().filter_map(address).collect();
    let domains = section.texts("domains");
    let domains: Vec<String> = domains.iter().filter_map(origin::domain).collect();
    let uses = section.value("use").map(|value| {
        let words = value.many();
        words.iter().filter_map(|each| each.word(&USES)).collect()
    });
    let must_sign = uses
        .as_ref()
        .is_some_and(|uses: &Vec<Use>| uses.contains(&Use::Sign));
    let uses = uses.unwrap_or_else(|| vec![Use::Sign, Use::Decrypt]);
    let loaded = loaded.map(|loaded| loaded.identities).unwrap_or_default();
    let made: Vec<AssignedIdentity> = loaded
        .into_iter()
        .map(|identity| {
            directory.digest(
                Path::new(section.path()),
                &identity.certificate.fingerprint(),
            );
            AssignedIdentity {
                signs: uses.contains(&Use::Sign) && identity.certificate.can_sign(),
                decrypts: uses.contains(&Use::Decrypt),
                identity,
                addresses: addresses.clone(),
                domains: domains.clone(),
            }
        })
        .collect();
    let signer = made.iter().find(|own| own.signs);
    if must_sign && signer.is_none() && !made.is_empty() {
        let message = "none of its certificates may sign";
        let hint = "set use = [\"decrypt\"], or give a certificate whose key usage allows signing";
        section.problem(message.to_owned(), Some(hint.to_owned()));
    }
    // The youngest comes first: an older generation only decrypts.
    if let Some(own) = signer.or(made.first()) {
        let certificate = &own.identity.certificate;
        let (from, until) = (certificate.not_before(), certificate.not_after());
        warn_about_time(&section, from, until, now, directory);
    }
    section.finish();
    made
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
