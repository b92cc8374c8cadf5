//! `--identity`, as often as there are identities, each with the `--key` and the
//! `--passphrase-file` that follow it; passwords and keys that need no certificate.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use waxseal_smime::Identity;
use waxseal_smime::open::Secret;
use zeroize::Zeroizing;

use crate::crypto::provider;
use crate::passphrase::{PassphraseArgs, open_identity};
use crate::report::{Exit, Failure};

/// The identities that may decrypt.
pub(super) struct IdentityArgs(Vec<IdentityFile>);

#[derive(Debug, PartialEq, Eq)]
struct IdentityFile {
    file: PathBuf,
    key: Option<PathBuf>,
    passphrase: Option<PathBuf>,
}

impl IdentityArgs {
    /// All identities of all files.
    pub(super) fn read(&self) -> Result<Vec<Identity>, Failure> {
        let mut all = Vec::new();
        for each in &self.0 {
            let passphrase = PassphraseArgs::from_file(each.passphrase.clone());
            let loaded = open_identity(
                &each.file,
                each.key.as_deref(),
                &passphrase,
                provider().as_ref(),
            )?;
            all.extend(loaded.identities);
        }
        Ok(all)
    }
}

/// A file option that may be repeated.
fn file_option(id: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .long(id)
        .value_name(value)
        .help(help)
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
}

impl Args for IdentityArgs {
    fn augment_args(command: Command) -> Command {
        command
            .arg(file_option(
                "identity",
                "FILE",
                "Certificates and keys that decrypt: PKCS #12, or PEM; may be repeated",
            ))
            .arg(
                file_option(
                    "key",
                    "FILE",
                    "The private key of the identity before it, when it is not in its file",
                )
                .requires("identity"),
            )
            .arg(
                file_option(
                    "passphrase-file",
                    "FILE",
                    "A file with the passphrase of the identity before it; WAXSEAL_PASSPHRASE \
                     may hold it instead",
                )
                .requires("identity"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for IdentityArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut identities = Self(Vec::new());
        identities.update_from_arg_matches(matches)?;
        Ok(identities)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let mut all: Vec<_> = ["identity", "key", "passphrase-file"]
            .into_iter()
            .flat_map(|id| indexed(matches, id))
            .collect();
        all.sort_by_key(|(index, ..)| *index);
        for (_, id, file) in all {
            if id == "identity" {
                self.0.push(IdentityFile {
                    file,
                    key: None,
                    passphrase: None,
                });
                continue;
            }
            let place = self.0.last_mut().map(|identity| match id {
                "key" => &mut identity.key,
                _ => &mut identity.passphrase,
            });
            match place {
                Some(place) if place.is_none() => *place = Some(file),
                _ => return Err(misplaced(id)),
            }
        }
        Ok(())
    }
}

/// The files of an option, each with its place on the command line.
fn indexed(matches: &ArgMatches, id: &'static str) -> Vec<(usize, &'static str, PathBuf)> {
    let indices = matches.indices_of(id).into_iter().flatten();
    let files = matches.get_many::<PathBuf>(id).into_iter().flatten();
    indices
        .zip(files)
        .map(|(index, file)| (index, id, file.clone()))
        .collect()
}

fn misplaced(id: &str) -> clap::Error {
    clap::Error::raw(
        clap::error::ErrorKind::ArgumentConflict,
        format!("--{id} belongs to the --identity before it, once: move it behind its identity\n"),
    )
}

/// Secrets that open an envelope without a certificate.
#[derive(Args)]
pub(super) struct SecretArgs {
    /// A file with a password that mail is encrypted with; may be repeated
    #[arg(long, value_name = "FILE")]
    password_file: Vec<PathBuf>,

    /// A key that mail is encrypted with, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = hexadecimal)]
    secret_key: Option<Octets>,

    /// The identifier of that key, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = hexadecimal, requires = "secret_key")]
    secret_key_id: Option<Octets>,
}

type Octets = std::sync::Arc<Zeroizing<Vec<u8>>>;

impl SecretArgs {
    /// All of them.
    pub(super) fn read(&self) -> Result<Vec<Secret>, Failure> {
        let mut all = Vec::new();
        for file in &self.password_file {
            all.push(Secret::Password(password(file)?));
        }
        all.extend(self.secret_key.as_ref().map(|key| Secret::Key {
            identifier: self.secret_key_id.as_ref().map(|id| id.to_vec()),
            key: Zeroizing::new(key.to_vec()),
        }));
        Ok(all)
    }
}

/// The first line, without its end.
fn password(file: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let octets = std::fs::read(file).map_err(|error| Failure::reading(file, &error))?;
    let octets = Zeroizing::new(octets);
    let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next();
    match line.filter(|line| !line.is_empty()) {
        Some(line) => Ok(Zeroizing::new(line.to_vec())),
        None => Err(Failure::new(
            Exit::Data,
            format_args!("no password in the file: {}", file.display()),
        )),
    }
}

fn hexadecimal(text: &str) -> Result<Octets, String> {
    let digits: Option<Zeroizing<Vec<u8>>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<Vec<u8>>>()
        .map(Zeroizing::new);
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len().is_multiple_of(2));
    let digits = digits.ok_or("not an even number of hexadecimal digits")?;
    let octets = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit));
    Ok(std::sync::Arc::new(Zeroizing::new(octets.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// File, key and passphrase.
    type Bound<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

    fn check(line: &[&str], expected: Option<&[Bound<'_>]>) {
        let command = IdentityArgs::augment_args(Command::new("t").no_binary_name(true));
        let read = command
            .try_get_matches_from(line)
            .and_then(|matches| IdentityArgs::from_arg_matches(&matches));
        let expected = expected.map(|all| {
            let identity =
                |(file, key, passphrase): &(&str, Option<&str>, Option<&str>)| IdentityFile {
                    file: file.into(),
                    key: key.map(PathBuf::from),
                    passphrase: passphrase.map(PathBuf::from),
                };
            all.iter().map(identity).collect::<Vec<_>>()
        });
        assert_eq!(read.ok().map(|args| args.0), expected, "{line:?}");
    }

    #[test]
    fn keys_and_passphrases_belong_to_the_identity_before_them() {
        check(&[], Some(&[]));
        check(
            &[
                "--identity",
                "a",
                "--identity",
                "b",
                "--key",
                "k",
                "--passphrase-file",
                "p",
            ],
            Some(&[("a", None, None), ("b", Some("k"), Some("p"))]),
        );
        check(
            &[
                "--identity",
                "a",
                "--passphrase-file",
                "p",
                "--identity",
                "b",
                "--key",
                "k",
            ],
            Some(&[("a", None, Some("p")), ("b", Some("k"), None)]),
        );
        check(&["--key", "k", "--identity", "a"], None);
        check(&["--key", "k"], None);
        check(&["--identity", "a", "--key", "k", "--key", "l"], None);
    }

    #[test]
    fn hexadecimal_keys() {
        assert_eq!(hexadecimal("00fFa1").unwrap()[..], [0, 255, 161]);
        for bad in ["", "0", "0g", "0x00"] {
            assert!(hexadecimal(bad).is_err(), "{bad}");
        }
    }
}
