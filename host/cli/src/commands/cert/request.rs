//! `waxseal cert request`: a new key and a PKCS #10 request for it (RFC 2986).

use std::process::ExitCode;

use clap::Args;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{KeyAlgorithm, Time};

use super::files::{self, CLEAR, Place, new_key};
use super::{KeyArgs, SubjectArgs};
use crate::output::{self, Access};
use crate::passphrase::PassphraseArgs;
use crate::report::{Exit, Failure};

/// What `cert request` takes.
#[derive(Args)]
#[command(after_help = CLEAR)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Makes key and request.
pub(crate) fn run(args: RequestArgs) -> Result<ExitCode, Failure> {
    let Some(first) = args.subject.address.first().map(ToString::to_string) else {
        return Err(Failure::new(Exit::Usage, "no --address given"));
    };
    if args.key.key == KeyAlgorithm::X25519 {
        return Err(Failure::new(
            Exit::Usage,
            "an x25519 key cannot sign its request",
        ));
    }
    let secret = files::secret(args.passphrase.given())?;
    let place = Place::prepare(&args.key.out, &first)?;
    let key = new_key(&args.key.key)?;
    let template = Template {
        common_name: args.subject.name.unwrap_or(first),
        organization: args.subject.organization,
        addresses: args.subject.address,
        // A request has no dates: the CA sets them.
        not_before: Time::from_unix(0),
        not_after: Time::from_unix(0),
    };
    let request = certgen::request(&template, key.key.as_ref())?;
    files::write_key(&place, &key, secret.as_ref())?;
    let pem = files::pem("CERTIFICATE REQUEST", &request);
    output::create(&place.request(), &pem, Access::Shared)?;
    output::print(format!(
        "{:<16}{}\n{:<16}{}\n",
        "request",
        place.request().display(),
        "private key",
        place.key().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
