//! `waxseal sign`: sign one mail by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::{DigestAlgorithm, HeaderProtection, RsaScheme, Time};

use crate::args::{digest, header_protection, scheme};
use crate::clock;
use crate::report::Failure;

/// What `sign` takes.
#[derive(Args)]
pub(crate) struct SignArgs {
    /// Certificate, chain and key: PKCS #12, or PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,

    /// The private key, when it is not in the identity's file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// The passphrase of identity or key; else from WAXSEAL_PASSPHRASE, or asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

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
pub(crate) fn run(_args: SignArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("sign"))
}
