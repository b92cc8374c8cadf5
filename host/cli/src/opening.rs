//! What `open`, `verify` and `decrypt` take: identities and other secrets, the form of the
//! input, trust, and the time. The files are read here; the libraries do the rest.

mod identities;
pub(crate) mod layers;
mod source;

use std::path::PathBuf;

use clap::Args;
use waxseal_message::Limits;
use waxseal_pki::TrustPolicy;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::open::{self, Opened, Opening, Secret, SignerRule};
use waxseal_smime::{Certificate, Identity, Time, Trust};

use crate::report::Failure;
use crate::trust_args::TrustArgs;
use identities::{IdentityArgs, SecretArgs};
use source::{Source, SourceArgs};

/// Clocks may differ by as much: five minutes.
const CLOCK_SKEW: i64 = 300;

/// What opening takes.
#[derive(Args)]
pub(crate) struct OpeningArgs {
    #[command(flatten)]
    identities: IdentityArgs,

    #[command(flatten)]
    secrets: SecretArgs,

    #[command(flatten)]
    trust: TrustArgs,

    /// Do not look at certificate paths: a signature can be valid without one
    #[arg(long, conflicts_with = "anchor")]
    no_trust: bool,

    /// Do not compare the signer with From
    #[arg(long)]
    any_signer: bool,

    #[command(flatten)]
    source: SourceArgs,

    /// The report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Where the innermost content goes
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
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
            rule: if self.any_signer {
                SignerRule::Anybody
            } else {
                SignerRule::Author
            },
        })
    }
}

impl Opener {
    /// Opens all layers.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let opening = Opening {
            provider: &RustCrypto,
            now: self.now,
            limits: &self.limits,
            keys: self.identities.iter().collect(),
            secrets: &self.secrets,
            trust: self.trust.as_ref().map(|trust| trust as &dyn Trust),
            certificates: &self.certificates,
            allow_weak: self.allow_weak,
            clock_skew: CLOCK_SKEW,
        };
        match &self.source {
            Source::Mail(message) => Ok(open::open(message, &opening)),
            Source::Cms {
                octets,
                content,
                name,
            } => open::open_cms(octets, content.as_deref(), &opening)
                .map_err(|error| source::not_parseable(error, name)),
        }
    }
}
