//! `waxseal cert explain`: which certificate would be used for an address, and why not the
//! others (rule 5 of the design, RFC 8550 §3 and §4.4).

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use waxseal_engine::Generation;
use waxseal_message::Address;
use waxseal_pki::{Settings, TrustPolicy};
use waxseal_smime::{
    Candidates, Certificate, CertificateSource, ChoiceRules, Clock, NoAnchors, Purpose, Time,
    Trust, choose,
};
use waxseal_stores::{CertificateDirectory, load_anchors};

use super::describe;
use super::known::{name as origin, open};
use crate::args::mailbox;
use crate::clock::{self, CommandClock};
use crate::commands::check;
use crate::crypto::provider;
use crate::output;
use crate::report::{Exit, Failure};

/// What `cert explain` takes.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The address
    #[arg(value_name = "ADDRESS", value_parser = mailbox)]
    address: Address,

    /// A policy directory: its certificates, its trust, its profiles
    #[arg(long, value_name = "DIR", required_unless_present = "dir")]
    policy: Option<PathBuf>,

    /// A directory of certificates
    #[arg(long, value_name = "DIR", conflicts_with = "policy")]
    dir: Option<PathBuf>,

    /// Certificates must lead to one of these (a file or a directory)
    #[arg(long, value_name = "PATH")]
    anchors: Option<PathBuf>,

    /// What the certificate is for
    #[arg(long = "for", value_name = "USE", default_value = "encrypt")]
    purpose: Use,

    /// A certificate for the whole domain will do
    #[arg(long)]
    domain_certificates: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    at: Option<Time>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Use {
    Encrypt,
    Sign,
}

/// Prints the choice. Exits with 69 when no certificate can be used.
pub(crate) fn run(args: ExplainArgs) -> Result<ExitCode, Failure> {
    let at = CommandClock::from(args.at).now();
    let search = match (&args.policy, &args.dir) {
        (Some(policy), _) => Search::of_policy(policy, at)?,
        (None, directory) => Search::of_directory(directory.as_deref().unwrap_or(Path::new(".")))?,
    };
    let candidates = search.judge(&args, at)?;
    if args.json {
        output::print_json(&as_json(&candidates, &search.files))?;
    } else {
        output::print(in_words(&candidates, &search.files))?;
    }
    Ok(match candidates.usable.is_empty() {
        true => Exit::Unavailable.into(),
        false => ExitCode::SUCCESS,
    })
}

/// Where certificates are looked for, and whom they must lead to.
struct Search {
    sources: Vec<Arc<dyn CertificateSource>>,
    /// Whose rules hold; `None`: what lies in the directory is trusted as it is.
    generation: Option<Generation>,
    /// Says in which file a certificate lies.
    files: Arc<CertificateDirectory>,
}

impl Search {
    fn of_directory(directory: &Path) -> Result<Self, Failure> {
        let files = Arc::new(open(directory)?);
        Ok(Self {
            sources: vec![files.clone()],
            generation: None,
            files,
        })
    }

    /// As the policy would: its sources, its anchors, and certificates of whole domains when
    /// one of its profiles allows them.
    fn of_policy(policy: &Path, at: Time) -> Result<Self, Failure> {
        let loaded = check::load_quietly(policy, at).map_err(|failure| {
            failure.hint("the choice alone can be seen with --dir and a directory of certificates")
        })?;
        let files = open(&policy.join("certificates")).unwrap_or_default();
        Ok(Self {
            generation: Some(loaded.generation),
            sources: loaded.certificates,
            files: Arc::new(files),
        })
    }

    fn judge(&self, args: &ExplainArgs, at: Time) -> Result<Candidates, Failure> {
        let mut found = Vec::new();
        for source in &self.sources {
            found.extend(source.find(&args.address).map_err(|error| {
                let exit = if error.passing {
                    Exit::TempFail
                } else {
                    Exit::Unavailable
                };
                Failure::new(exit, error)
            })?);
        }
        let given = args.anchors.as_deref().map(load_anchors).transpose()?;
        let given =
            given.map(|anchors| TrustPolicy::new(anchors, Settings::default(), provider().clone()));
        let given = given.as_ref().map(|policy| policy as &dyn Trust);
        let mut rules = match &self.generation {
            Some(generation) => generation.choice_rules(at),
            None => ChoiceRules {
                at,
                allow_domain_certificates: false,
                trust: None,
                trust_in_strangers: &NoAnchors,
            },
        };
        rules.allow_domain_certificates |= args.domain_certificates;
        rules.trust = given.or(rules.trust);
        let purpose = match args.purpose {
            Use::Encrypt => Purpose::Encrypt,
            Use::Sign => Purpose::Sign,
        };
        Ok(choose(&args.address, found, purpose, &rules))
    }
}

fn in_words(candidates: &Candidates, store: &CertificateDirectory) -> String {
    let mut text = String::new();
    let mut add = |verdict: &str, certificate: &Certificate, why: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{verdict}: {}",
            describe::printable(&certificate.subject())
        );
        let _ = writeln!(text, "  why      {why}");
        let _ = writeln!(
            text,
            "  valid    {} to {}",
            certificate.not_before(),
            certificate.not_after()
        );
        let _ = writeln!(text, "  sha-256  {}", describe::fingerprint(certificate));
        if let Some(file) = file_of(certificate, store) {
            let _ = writeln!(text, "  file     {}", file.display());
        }
    };
    for (index, found) in candidates.usable.iter().enumerate() {
        let verdict = if index == 0 { "used" } else { "usable" };
        let why = match index {
            0 => format!("the best match ({})", origin(found.origin)),
            _ => format!("another one is preferred ({})", origin(found.origin)),
        };
        add(verdict, &found.certificate, &why);
    }
    for rejected in &candidates.rejected {
        add(
            "rejected",
            &rejected.certificate,
            &rejected.reason.to_string(),
        );
    }
    if candidates.usable.is_empty() {
        let _ = writeln!(text, "no usable certificate for {}", candidates.address);
    }
    text
}

fn file_of<'a>(certificate: &Certificate, store: &'a CertificateDirectory) -> Option<&'a Path> {
    let entry = store
        .entries()
        .iter()
        .find(|entry| entry.certificate == *certificate);
    entry.map(|entry| entry.file.as_path())
}

fn as_json(candidates: &Candidates, store: &CertificateDirectory) -> Value {
    let file = |certificate: &Certificate| {
        file_of(certificate, store).map(|path| path.display().to_string())
    };
    let usable: Vec<Value> = candidates
        .usable
        .iter()
        .map(|found| {
            json!({
                "file": file(&found.certificate),
                "origin": origin(found.origin),
                "certificate": describe::as_json(&found.certificate),
            })
        })
        .collect();
    let rejected: Vec<Value> = candidates
        .rejected
        .iter()
        .map(|rejected| {
            json!({
                "file": file(&rejected.certificate),
                "code": rejected.reason.code(),
                "reason": rejected.reason.to_string(),
                "certificate": describe::as_json(&rejected.certificate),
            })
        })
        .collect();
    json!({ "address": candidates.address.to_string(), "usable": usable, "rejected": rejected })
}
