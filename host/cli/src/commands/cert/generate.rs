//! `waxseal cert generate`: a self-signed certificate, a small CA, or a certificate under it.
//!
//! A CA is a directory with `ca.pem` and `ca.key.pem`. It is meant for tests and small
//! installations: it keeps no list of what it issued and revokes nothing.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{Certificate, Clock, Identity, KeyAlgorithm, Time};
use waxseal_stores::Secret;

use super::describe::fingerprint;
use super::files::{self, CLEAR, NewKey, Place, new_key};
use super::{KeyArgs, SubjectArgs};
use crate::clock::{self, CommandClock};
use crate::crypto::provider;
use crate::output;
use crate::passphrase::{PassphraseArgs, open_identity};
use crate::report::{Exit, Failure};

const DAY: i64 = 86_400;
const CA_STEM: &str = "ca";

/// What `cert generate` takes.
#[derive(Args)]
#[command(after_help = CLEAR)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// How long it is valid; 730 when not given, for a CA 3650
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,

    /// The directory of the CA that signs it; the CA is made when it is not there
    #[arg(long, value_name = "DIR")]
    ca: Option<PathBuf>,

    /// Make a CA of this name: in --out, or in the directory of --ca
    #[arg(long, value_name = "NAME")]
    ca_name: Option<String>,

    #[command(flatten)]
    passphrase: PassphraseArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// What was made.
struct Made {
    certificate: Certificate,
    /// What each file is, and where.
    files: Vec<(&'static str, PathBuf)>,
}

/// Makes the certificate, and the CA when there is none yet.
pub(crate) fn run(args: GenerateArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let secret = files::secret(args.passphrase.given())?;
    let mut made = Vec::new();
    if args.subject.address.is_empty() {
        let Some(name) = &args.ca_name else {
            return Err(
                Failure::new(Exit::Usage, "neither --address nor --ca-name given").hint(
                    "`waxseal cert generate --address alice@example.org`, or --ca-name for a CA",
                ),
            );
        };
        let directory = args.ca.as_deref().unwrap_or(&args.key.out);
        made.push(new_authority(&args, directory, name, now, secret.as_ref())?);
    } else {
        made.extend(holder(&args, now, secret.as_ref())?);
    }
    print(&made, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// A certificate for addresses, with the CA before it if that had to be made.
fn holder(args: &GenerateArgs, now: Time, secret: Option<&Secret>) -> Result<Vec<Made>, Failure> {
    if args.ca.is_none() {
        if args.key.key == KeyAlgorithm::X25519 {
            return Err(
                Failure::new(Exit::Usage, "an x25519 key cannot sign its own certificate")
                    .hint("let a CA sign it: --ca DIR"),
            );
        }
        if args.ca_name.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "--ca-name with --address needs --ca DIR",
            ));
        }
    }
    let mut made = Vec::new();
    if let Some(directory) = &args.ca
        && !authority_file(directory).exists()
    {
        let name = args.ca_name.as_deref().unwrap_or("Waxseal CA");
        made.push(new_authority(args, directory, name, now, secret)?);
    }
    let authority = match &args.ca {
        Some(directory) => Some(open_authority(directory, &args.passphrase, now)?),
        None => None,
    };
    made.push(issue(args, authority.as_ref(), now, secret)?);
    Ok(made)
}

fn issue(
    args: &GenerateArgs,
    authority: Option<&Identity>,
    now: Time,
    secret: Option<&Secret>,
) -> Result<Made, Failure> {
    let template = template(args, now, authority);
    let place = Place::prepare(&args.key.out, &first_address(args))?;
    let key = new_key(&args.key.key)?;
    let certificate = match authority {
        Some(authority) => certgen::leaf(
            &template,
            key.key.public_key_info(),
            &authority.certificate,
            authority.key.as_ref(),
            provider().as_ref(),
        )?,
        None => certgen::self_signed(&template, key.key.as_ref(), provider().as_ref())?,
    };
    let chain: Vec<Certificate> = authority
        .map(|it| it.certificate.clone())
        .into_iter()
        .collect();
    files::write_key(&place, &key, secret)?;
    files::write_container(&place, &key, &certificate, &chain, secret)?;
    let all: Vec<&Certificate> = std::iter::once(&certificate).chain(&chain).collect();
    files::write_certificates(&place.certificate(), &all)?;
    Ok(Made {
        files: vec![
            ("certificate", place.certificate()),
            ("private key", place.key()),
            ("PKCS #12", place.pkcs12()),
        ],
        certificate,
    })
}

fn template(args: &GenerateArgs, now: Time, authority: Option<&Identity>) -> Template {
    let wanted = now.plus(i64::from(args.days.unwrap_or(730)) * DAY);
    // A certificate that outlives its issuer verifies nowhere after that.
    let not_after = match authority {
        Some(authority) => wanted.min(authority.certificate.not_after()),
        None => wanted,
    };
    Template {
        common_name: args
            .subject
            .name
            .clone()
            .unwrap_or_else(|| first_address(args)),
        organization: args.subject.organization.clone(),
        addresses: args.subject.address.clone(),
        not_before: now,
        not_after,
    }
}

fn first_address(args: &GenerateArgs) -> String {
    args.subject
        .address
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn authority_file(directory: &Path) -> PathBuf {
    directory.join(format!("{CA_STEM}.pem"))
}

fn new_authority(
    args: &GenerateArgs,
    directory: &Path,
    name: &str,
    now: Time,
    secret: Option<&Secret>,
) -> Result<Made, Failure> {
    let for_leaf = !args.subject.address.is_empty();
    // The key kind and the days on the command line are the leaf's when there is one.
    let kind = if for_leaf {
        KeyAlgorithm::Rsa { bits: 3072 }
    } else {
        args.key.key.clone()
    };
    if kind == KeyAlgorithm::X25519 {
        return Err(Failure::new(
            Exit::Usage,
            "an x25519 key cannot sign certificates",
        ));
    }
    let days = if for_leaf { None } else { args.days };
    let template = Template {
        common_name: name.to_owned(),
        organization: args.subject.organization.clone(),
        addresses: Vec::new(),
        not_before: now,
        not_after: now.plus(i64::from(days.unwrap_or(3650)) * DAY),
    };
    let place = Place::prepare(directory, CA_STEM)?;
    let NewKey { pkcs8, key } = new_key(&kind)?;
    let certificate = certgen::authority(&template, key.as_ref(), provider().as_ref())?;
    files::write_key(&place, &NewKey { pkcs8, key }, secret)?;
    files::write_certificates(&place.certificate(), &[&certificate])?;
    Ok(Made {
        files: vec![
            ("CA certificate", place.certificate()),
            ("CA private key", place.key()),
        ],
        certificate,
    })
}

fn open_authority(
    directory: &Path,
    passphrase: &PassphraseArgs,
    now: Time,
) -> Result<Identity, Failure> {
    let file = authority_file(directory);
    let key = directory.join(format!("{CA_STEM}.key.pem"));
    let loaded = open_identity(&file, Some(&key), passphrase, provider().as_ref())?;
    let authority = loaded
        .identities
        .into_iter()
        .find(|each| each.certificate.can_issue());
    let authority = authority.ok_or_else(|| {
        Failure::new(
            Exit::Data,
            format_args!("not the certificate of a CA: {}", file.display()),
        )
    })?;
    if now > authority.certificate.not_after() {
        let ended = authority.certificate.not_after();
        let message = format!(
            "the CA's certificate expired on {ended}: {}",
            file.display()
        );
        return Err(Failure::new(Exit::Data, message));
    }
    Ok(authority)
}

fn print(made: &[Made], json: bool) -> Result<(), Failure> {
    if json {
        let values: Vec<_> = made.iter().map(as_json).collect();
        return output::print_json(&values);
    }
    let mut text = String::new();
    for each in made {
        for (what, path) in &each.files {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what:<16}{}", path.display());
        }
        let _ = writeln!(
            text,
            "{:<16}{}",
            "valid until",
            each.certificate.not_after()
        );
        let _ = writeln!(text, "{:<16}{}", "sha-256", fingerprint(&each.certificate));
    }
    output::print(text)
}

fn as_json(made: &Made) -> serde_json::Value {
    let files: serde_json::Map<_, _> = made
        .files
        .iter()
        .map(|(what, path)| {
            (
                what.to_lowercase().replace(" #", "").replace(' ', "-"),
                path.display().to_string().into(),
            )
        })
        .collect();
    serde_json::json!({
        "files": files,
        "certificate": super::describe::as_json(&made.certificate),
    })
}
