//! What `open`, `verify` and `decrypt` take: identities and other secrets, the form of the
//! input, trust, and the time. The files are read here; the libraries do the rest.

mod identities;
pub(crate) mod layers;
mod source;

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use waxseal_message::{Limits, Message};
use waxseal_pki::TrustPolicy;
use waxseal_smime::open::{self, Layer, Opened, Opening, Secret, SignerRule};
use waxseal_smime::{Certificate, Identity, Time, Trust};

use crate::crypto::provider;
use crate::output;
use crate::report::Failure;
use crate::trust_args::TrustArgs;
use identities::{IdentityArgs, SecretArgs};
use source::{Source, SourceArgs};

/// Clocks may differ by as much: five minutes.
const CLOCK_SKEW: i64 = 300;

/// The input, and what opens it.
#[derive(Args)]
pub(crate) struct SecretsArgs {
    #[command(flatten)]
    identities: IdentityArgs,

    #[command(flatten)]
    secrets: SecretArgs,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    trust: TrustArgs,

    /// Do not look at certificate paths: a signature can be valid without one
    #[arg(long, conflicts_with = "anchor", help_heading = "Trust")]
    no_trust: bool,
}

/// The same, with what becomes of it.
#[derive(Args)]
pub(crate) struct OpeningArgs {
    #[command(flatten)]
    secrets: SecretsArgs,

    /// Do not compare the signer with From
    #[arg(long, help_heading = "Trust")]
    any_signer: bool,

    /// The report as JSON
    #[arg(long)]
    json: bool,

    /// Where the innermost content goes
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// All of it, read.
pub(crate) struct Opener {
    identities: Vec<Identity>,
    secrets: Vec<Secret>,
    /// `None`: paths are not looked at.
    trust: Option<TrustPolicy>,
    certificates: Vec<Certificate>,
    source: Source,
    limits: Limits,
    now: Time,
    allow_weak: bool,
    /// Whether the signer must be the author.
    pub(crate) rule: SignerRule,
}

impl OpeningArgs {
    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Opener, Failure> {
        let mut opener = self.secrets.read()?;
        if self.any_signer {
            opener.rule = SignerRule::Anybody;
        }
        Ok(opener)
    }

    /// Writes the content that was reached, if any was.
    pub(crate) fn write_content(&self, opened: &Opened) -> Result<(), Failure> {
        match (&self.out, &opened.content) {
            (Some(file), Some(content)) => output::write(Some(file), content),
            _ => Ok(()),
        }
    }

    /// Prints the report.
    pub(crate) fn print(&self, opened: &Opened, rule: SignerRule) -> Result<(), Failure> {
        if self.json {
            output::print_json(&opened.to_json(rule))
        } else {
            output::print(layers::text(opened, rule))
        }
    }
}

impl SecretsArgs {
    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Opener, Failure> {
        let limits = Limits::default();
        Ok(Opener {
            identities: self.identities.read()?,
            secrets: self.secrets.read()?,
            trust: match self.no_trust {
                true => None,
                false => Some(self.trust.policy()?),
            },
            certificates: self.trust.certificates()?,
            source: self.source.read(&limits)?,
            limits,
            now: self.trust.now(),
            allow_weak: self.trust.allow_weak(),
            rule: SignerRule::Author,
        })
    }
}

/// What decryption gives.
pub(crate) enum Decrypted {
    /// A mail.
    Mail(Message),
    /// The content of a bare CMS object.
    Content(Bytes),
    /// The layer that stays closed; none when nothing is encrypted.
    Not(Option<Box<Layer>>),
}

impl Opener {
    fn opening(&self) -> Opening<'_> {
        Opening {
            provider: provider().as_ref(),
            now: self.now,
            limits: &self.limits,
            keys: self.identities.iter().collect(),
            secrets: &self.secrets,
            trust: self.trust.as_ref().map(|trust| trust as &dyn Trust),
            certificates: &self.certificates,
            allow_weak: self.allow_weak,
            clock_skew: CLOCK_SKEW,
        }
    }

    /// Opens all layers.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        match &self.source {
            Source::Mail(message) => Ok(open::open(message, &self.opening())),
            Source::Cms {
                octets,
                content,
                name,
            } => open::open_cms(octets, content.as_deref(), &self.opening())
                .map_err(|error| source::not_parseable(error, name)),
        }
    }

    /// Takes the encryption off.
    pub(crate) fn decrypt(&self) -> Result<Decrypted, Failure> {
        if let Source::Mail(message) = &self.source {
            return Ok(match open::decrypt(message, &self.opening()) {
                Ok(unwrapped) => Decrypted::Mail(unwrapped.message),
                Err(layer) => Decrypted::Not(layer),
            });
        }
        let opened = self.open()?;
        let mut layers = opened.layers.into_iter();
        let encrypted = layers.find(|layer| layer.kind.name() == "encrypted");
        Ok(match (encrypted, opened.content) {
            (Some(layer), Some(content)) if layer.state.is_good() => Decrypted::Content(content),
            (layer, _) => Decrypted::Not(layer.map(Box::new)),
        })
    }
}
