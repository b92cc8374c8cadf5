//! `waxseal sign`: sign one mail by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_message::Limits;
use waxseal_smime::{
    Clock, Context, DigestAlgorithm, HeaderProtection, RsaScheme, SignOptions, SignatureFormat,
    Then, Time,
};

use crate::args::{digest, header_protection, scheme};
use crate::clock::{self, CommandClock};
use crate::crypto::provider;
use crate::passphrase::{PassphraseArgs, open_identity};
use crate::report::Failure;
use crate::{input, output};

/// What `sign` takes.
#[derive(Args)]
pub(crate) struct SignArgs {
    /// Certificate, chain and key: PKCS #12, or PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,

    /// The private key, when it is not in the identity's file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,

    /// application/pkcs7-mime instead of multipart/signed
    #[arg(long)]
    pub(crate) opaque: bool,

    /// The message digest
    #[arg(long, value_name = "NAME", default_value = "sha-256", value_parser = digest())]
    pub(crate) digest: DigestAlgorithm,

    /// How an RSA key signs
    #[arg(long, value_name = "NAME", default_value = "pkcs1v15", value_parser = scheme())]
    pub(crate) scheme: RsaScheme,

    /// Copies of the header fields inside (RFC 9788)
    #[arg(long, value_name = "NAME", default_value = "off", value_parser = header_protection())]
    pub(crate) header_protection: HeaderProtection,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    pub(crate) at: Option<Time>,

    /// Where the signed mail goes; standard output when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// The mail; standard input when there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Signs the mail.
pub(crate) fn run(args: SignArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let provider = provider().as_ref();
    let loaded = open_identity(
        &args.identity,
        args.key.as_deref(),
        &args.passphrase,
        provider,
    )?;
    let signer = loaded.into_signer(now)?;
    let limits = Limits::default();
    let message = input::message(args.file.as_deref(), &limits)?;
    let format = if args.opaque {
        SignatureFormat::Opaque
    } else {
        SignatureFormat::Detached
    };
    let options = SignOptions {
        format,
        digest: args.digest,
        rsa_scheme: args.scheme,
        header_protection: args.header_protection,
        then: Then::Send,
    };
    let context = Context {
        provider,
        now,
        limits: &limits,
    };
    let signed = waxseal_smime::sign(&message, &signer, &options, &context)?;
    output::write_message(args.out.as_deref(), signed.message())?;
    Ok(ExitCode::SUCCESS)
}
