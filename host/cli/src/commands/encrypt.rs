//! `waxseal encrypt`: encrypt one mail by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use waxseal_message::Limits;
use waxseal_smime::{
    Certificate, Clock, ContentCipher, Context, EncryptOptions, HeaderProtection, KeyTransport,
    Time,
};
use waxseal_stores::load_certificates;

use crate::args::{cipher, header_protection, key_transport};
use crate::clock::{self, CommandClock};
use crate::crypto::provider;
use crate::report::Failure;
use crate::{input, output};

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
pub(crate) fn run(args: EncryptArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let mut recipients = Vec::new();
    for file in &args.to {
        for certificate in recipient_certificates(file, now)? {
            if !recipients.contains(&certificate) {
                recipients.push(certificate);
            }
        }
    }
    let limits = Limits::default();
    // Rule 4: the Bcc field goes; an envelope hides nothing of its own header.
    let message = input::message(args.file.as_deref(), &limits)?
        .with_fields_removed("Bcc")
        .with_fields_removed("Resent-Bcc");
    let options = EncryptOptions {
        cipher: args.cipher,
        key_transport: args.key_transport,
        header_protection: args.header_protection,
    };
    let context = Context {
        provider: provider().as_ref(),
        now,
        limits: &limits,
    };
    let enveloped = waxseal_smime::encrypt(&message, &recipients, &options, &context)?;
    output::write_message(args.out.as_deref(), enveloped.message())?;
    Ok(ExitCode::SUCCESS)
}

/// The certificates of one file that stand for a recipient. The authorities that are in it to
/// complete a chain do not, nor do those that cannot be used while another can.
fn recipient_certificates(file: &Path, now: Time) -> Result<Vec<Certificate>, Failure> {
    let all = load_certificates(file)?;
    let issued_another = |each: &Certificate| {
        all.iter()
            .any(|other| other != each && other.issuer_der() == each.subject_der())
    };
    let leaves: Vec<_> = all
        .iter()
        .filter(|each| !issued_another(each))
        .cloned()
        .collect();
    let usable = |each: &&Certificate| {
        each.can_encrypt() && each.not_before() <= now && now <= each.not_after()
    };
    let able: Vec<_> = leaves.iter().filter(usable).cloned().collect();
    // When none is usable, encryption says why.
    Ok(if able.is_empty() { leaves } else { able })
}
