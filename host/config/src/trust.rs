//! `anchors/`, `crls/` and `[trust]`: whom to trust.

use std::path::Path;
use std::sync::Arc;

use waxseal_pki::{Crl, PolicyIdentifier, Profile, RevocationMode, Settings, TrustPolicy};
use waxseal_smime::{Certificate, Provider, Trust};
use waxseal_stores::{CertificateDirectory, load_anchors, load_crls};

use crate::directory::Directory;
use crate::document::{Section, Value};
use crate::fetch;
use crate::problem::Problem;

const ANCHORS: &str = "anchors";
const CRLS: &str = "crls";

const REVOCATION: [RevocationMode; 3] = [
    RevocationMode::Off,
    RevocationMode::IfAvailable,
    RevocationMode::Required,
];
const PROFILES: [Profile; 3] = [Profile::Rfc8550, Profile::CaBrowserForum, Profile::Any];

/// Whom a generation trusts, and for what it asks.
#[derive(Default)]
pub(crate) struct Trusted {
    /// Judges signers of received mail; `None` without anchors.
    pub(crate) signers: Option<Arc<dyn Trust>>,
    /// Judges certificates of recipients; `None` where those that are kept are trusted as
    /// imported.
    pub(crate) recipients: Option<Arc<dyn Trust>>,
    /// Algorithms that rule 11 has for reading only are read.
    pub(crate) allow_weak: bool,
}

/// `[trust]`. With `require-path`, a recipient's certificate needs a path to an anchor; without,
/// what stands in `certificates/` is trusted as imported, and anchors are for signers of received
/// mail. Authorities in `certificates/` serve as intermediates.
pub(crate) fn read(
    section: Option<Section<'_>>,
    directory: &Directory<'_>,
    store: Option<&CertificateDirectory>,
    provider: &Arc<dyn Provider>,
) -> Trusted {
    let required = section
        .as_ref()
        .map(|section| section.flag("require-path").unwrap_or(false));
    let lists = section.as_ref().and_then(|section| section.text("crls"));
    let fetcher = section.as_ref().and_then(fetch::read);
    let settings = section.map(settings).unwrap_or_default();
    let allow_weak = settings.allow_weak;
    let crls = crls(lists, directory);
    let Some(anchors) = anchors(required, directory) else {
        return Trusted {
            allow_weak,
            ..Trusted::default()
        };
    };
    let authorities = store
        .into_iter()
        .flat_map(CertificateDirectory::authorities);
    let mut policy = TrustPolicy::new(anchors, settings, provider.clone())
        .with_intermediates(authorities.cloned().collect())
        .with_crls(crls);
    if let Some(fetcher) = fetcher {
        policy = policy.with_fetcher(fetcher);
    }
    let policy: Arc<dyn Trust> = Arc::new(policy);
    Trusted {
        recipients: (required == Some(true)).then(|| policy.clone()),
        signers: Some(policy),
        allow_weak,
    }
}

fn settings(section: Section<'_>) -> Settings {
    let default = Settings::default();
    let flag = |key| section.flag(key).unwrap_or(false);
    let policies = section.texts("policies");
    let settings = Settings {
        revocation: section
            .one_of("revocation", &REVOCATION)
            .unwrap_or(default.revocation),
        profile: section
            .one_of("profile", &PROFILES)
            .unwrap_or(default.profile),
        initial_policies: policies.iter().filter_map(policy).collect(),
        explicit_policy: flag("explicit-policy"),
        inhibit_any_policy: flag("inhibit-any-policy"),
        inhibit_policy_mapping: flag("inhibit-policy-mapping"),
        allow_weak: flag("allow-weak"),
        clock_skew: section
            .number("clock-skew", 0..=86_400)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .unwrap_or(default.clock_skew),
    };
    section.finish();
    settings
}

fn policy(value: &Value<'_>) -> Option<PolicyIdentifier> {
    let read = value.text()?.parse::<PolicyIdentifier>();
    read.map_err(|message| value.problem(message, None)).ok()
}

/// The anchors, each part of the generation's digest.
fn anchors(required: Option<bool>, directory: &Directory<'_>) -> Option<Vec<Certificate>> {
    if directory.files(ANCHORS).is_empty() {
        if required == Some(true) {
            let message = "[trust] requires a path to an anchor, and there is none";
            directory.problems.add(Problem::with_file(ANCHORS, message));
        }
        return None;
    }
    if required.is_none() {
        let message = "for received mail only: certificates of recipients are trusted as imported";
        let hint = "set require-path = true under [trust] to require a path to these, or false";
        let problem = Problem::with_file(ANCHORS, message);
        directory.warnings.add(problem.hint(hint.to_owned()));
    }
    match load_anchors(&directory.path(Path::new(ANCHORS))) {
        Ok(anchors) => {
            for anchor in &anchors {
                directory.digest(Path::new(ANCHORS), &anchor.fingerprint());
            }
            Some(anchors)
        }
        Err(error) => {
            let problem = Problem::with_file(ANCHORS, error.to_string());
            directory.problems.add(problem);
            None
        }
    }
}

/// The lists in `crls/`, or in the directory that `crls` names. A list that does not parse
/// stops the load: it may be the one that says who is revoked.
fn crls(named: Option<&str>, directory: &Directory<'_>) -> Vec<Crl> {
    let name = Path::new(named.unwrap_or(CRLS));
    let path = directory.path(name);
    if named.is_none() && !path.is_dir() {
        return Vec::new();
    }
    let problem = |message: String| directory.problems.add(Problem::with_file(name, message));
    let lists = load_crls(&path).map_err(|error| problem(error.to_string()));
    let parsed = lists.unwrap_or_default().into_iter().filter_map(|octets| {
        directory.digest(name, &octets);
        Crl::from_der(&octets)
            .map_err(|error| problem(error.to_string()))
            .ok()
    });
    parsed.collect()
}
