//! What is opened: a mail, or a bare CMS object in DER or PEM.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use memchr::memmem;
use waxseal_message::{Limits, Message};

use crate::input;
use crate::report::{Exit, Failure};

/// Which file is opened.
#[derive(Args)]
pub(super) struct SourceArgs {
    /// What the input is; `auto` looks at its first octets
    #[arg(long, value_enum, default_value = "auto")]
    form: Form,

    /// The content that a signature is about, when it comes in a file of its own (der, pem)
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,

    /// The mail or the CMS object; standard input when there is none
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The form of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Auto,
    Eml,
    Der,
    Pem,
}

/// The input, read.
pub(super) enum Source {
    /// A mail.
    Mail(Message),
    /// A bare CMS object.
    Cms {
        /// BER or DER.
        octets: Vec<u8>,
        /// What it was detached from.
        content: Option<Vec<u8>>,
        /// The name of the file.
        name: String,
    },
}

impl SourceArgs {
    /// Reads the input.
    pub(super) fn read(&self, limits: &Limits) -> Result<Source, Failure> {
        let file = self.file.as_deref();
        let octets = input::octets(file, limits.octets)?;
        let name = input::name(file);
        let form = match self.form {
            Form::Auto => form_of(&octets),
            form => form,
        };
        if form == Form::Eml {
            if self.content.is_some() {
                return Err(Failure::new(
                    Exit::Usage,
                    "--content goes with a bare CMS object; a mail holds what it signs",
                ));
            }
            return input::parsed(octets, file, limits).map(Source::Mail);
        }
        let octets = match form {
            Form::Pem => {
                pem(&octets).ok_or_else(|| not_parseable("no CMS object in PEM", &name))?
            }
            _ => octets,
        };
        let read = |path: &PathBuf| input::octets(Some(path), limits.octets);
        let content = self.content.as_ref().map(read).transpose()?;
        Ok(Source::Cms {
            octets,
            content,
            name,
        })
    }
}

/// Exit code 65.
pub(super) fn not_parseable(what: impl std::fmt::Display, name: &str) -> Failure {
    Failure::new(Exit::Data, format_args!("{what}: {name}"))
}

/// The first octets tell: a SEQUENCE that holds an object identifier, a PEM block of CMS, which
/// may have text before it, or else a mail. A mail may hold such a block.
fn form_of(octets: &[u8]) -> Form {
    if is_content_info(octets) {
        Form::Der
    } else if !begins_with_a_field(octets) && block(octets).is_some() {
        Form::Pem
    } else {
        Form::Eml
    }
}

fn is_content_info(octets: &[u8]) -> bool {
    let Some([0x30, length, rest @ ..]) = octets.get(..) else {
        return false;
    };
    let more = if *length > 0x80 { length & 0x7f } else { 0 };
    rest.get(usize::from(more)) == Some(&0x06)
}

/// RFC 5322 §3.6.8.
fn begins_with_a_field(octets: &[u8]) -> bool {
    let colon = octets.iter().position(|octet| *octet == b':');
    colon.is_some_and(|at| at > 0 && octets[..at].iter().all(u8::is_ascii_graphic))
}

/// RFC 7468 §8, §9, and what OpenSSL writes for PKCS #7.
const LABELS: [&str; 3] = ["CMS", "PKCS7", "PKCS #7 SIGNED DATA"];

/// The base64 text of the first such block.
fn block(octets: &[u8]) -> Option<&str> {
    memmem::find_iter(octets, "-----BEGIN ").find_map(|at| {
        let is_line = at == 0 || octets[at - 1] == b'\n';
        let found = LABELS.iter().find_map(|label| {
            let from = octets[at..].strip_prefix(format!("-----BEGIN {label}-----").as_bytes())?;
            let end = memmem::find(from, format!("-----END {label}-----").as_bytes())?;
            std::str::from_utf8(&from[..end]).ok()
        });
        found.filter(|_| is_line)
    })
}

fn pem(octets: &[u8]) -> Option<Vec<u8>> {
    let text: String = block(octets)?.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |octets: &[u8], expected| assert_eq!(form_of(octets), expected, "{octets:?}");
        check(&[0x30, 0x80, 0x06, 9], Form::Der);
        check(&[0x30, 0x82, 1, 0, 0x06, 9], Form::Der);
        check(&[0x30, 0x20, 0x06, 9], Form::Der);
        check(b"0: field\r\n\r\n", Form::Eml);
        check(b"", Form::Eml);
        check(b"-----BEGIN CMS-----\nAA==\n-----END CMS-----\n", Form::Pem);
        check(
            b"Subject: a\n\n-----BEGIN CMS-----\nAA==\n-----END CMS-----\n",
            Form::Eml,
        );
        check(
            b"text before\n-----BEGIN CMS-----\nAA==\n-----END CMS-----\n",
            Form::Pem,
        );
        check(
            b"x -----BEGIN CMS-----\nAA==\n-----END CMS-----\n",
            Form::Eml,
        );
        check(b"From: a\n\n-----BEGIN CERTIFICATE-----\n", Form::Eml);
    }

    #[test]
    fn pem_blocks() {
        let text = b"subject\n-----BEGIN PKCS7-----\nAA\r\nEC\n-----END PKCS7-----\n";
        assert_eq!(pem(text), Some(vec![0, 1, 2]));
        assert_eq!(pem(b"-----BEGIN CMS-----\n!\n-----END CMS-----\n"), None);
    }
}
