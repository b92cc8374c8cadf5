//! `waxseal encrypt`: encrypt one mail by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use waxseal_smime::{ContentCipher, HeaderProtection, KeyTransport, Time};

use crate::args::{cipher, header_protection, key_transport};
use crate::clock;
use crate::report::Failure;

/// What `encrypt` takes.
#[derive(Args)]
pub(crate) struct EncryptArgs {
    /// A recipient's certificate (PEM, DER, PKCS #7); may be repeated
    #[arg(long, value_name = "CERT", required = true)]
    pub(crate) to: Vec<PathBuf>,

    /// The content cipher
    #[arg(long, value_name = "NAME", default_value = "aes-256-cbc", value_parser = cipher())]
    pub(crate) cipher: ContentCipher,

    /// How the content key reaches RSA recipients
    #[arg(long, value_name = "NAME", default_value = "pkcs1v15", value_parser = key_transport())]
    pub(crate) key_transport: KeyTransport,

    /// Copies of the header fields inside (RFC 9788); baseline and shy hide the subject
    #[arg(long, value_name = "NAME", default_value = "off", value_parser = header_protection())]
    pub(crate) header_protection: HeaderProtection,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    pub(crate) at: Option<Time>,

    /// Where the encrypted mail goes; standard output when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// The mail; standard input when there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Encrypts the mail.
pub(crate) fn run(_args: EncryptArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_built("encrypt"))
}
