//! Answers the calls of a transaction's filters: chooses and checks, and does no
//! cryptography.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use waxseal_message::{Address, Message};
use waxseal_policy::Capabilities;
use waxseal_policy::capabilities::{
    CallError, Candidates, CertificateView, ErrorKind, Layer, Parameters, Unwrapped,
};
use waxseal_policy::plan::{Choice, Protection, ProtectionMode, Recipe, Step};
use waxseal_policy::transaction::{Session, Transaction};
use waxseal_smime::{Certificate, Protected, Time, classify};

use crate::certificates::{Certificates, DomainCertificates};
use crate::generation::Generation;
use crate::look_ups::LookUps;
use crate::opener::Opener;
use crate::parameters::{self, Resolved};
use crate::profile::{AlreadyProtected, MissingIdentity, Profile};
use crate::settle::Facts;
use crate::signer::{NoSigner, by_sender, signer};
use crate::trust::Brought;

/// The host's side of one transaction.
pub(crate) struct HostCalls {
    pub(crate) generation: Arc<Generation>,
    pub(crate) session: Session,
    pub(crate) at: Time,
    pub(crate) certificates: Certificates,
    /// Rule 13: for whom keys may open mail.
    pub(crate) recipients: Vec<Address>,
    pub(crate) opener: Opener,
    classified: Mutex<Vec<(Recipe, Protected)>>,
    /// Nanoseconds spent opening.
    opening: AtomicU64,
}

/// What protects a recipe's message, steps included.
#[derive(Clone, Copy)]
struct State {
    signed: bool,
    encrypted: bool,
}

impl HostCalls {
    pub(crate) fn new(
        generation: Arc<Generation>,
        transaction: &Transaction,
        look_ups: LookUps,
    ) -> Self {
        let at = Time::from_unix(transaction.time);
        let recipients = transaction.recipients.iter();
        Self {
            generation,
            session: transaction.session.clone(),
            at,
            certificates: Certificates::new(at, look_ups),
            recipients: recipients.map(|each| each.address.clone()).collect(),
            opener: Opener::default(),
            classified: Mutex::default(),
            opening: AtomicU64::new(0),
        }
    }

    /// Time spent opening for filters.
    pub(crate) fn opening_time(&self) -> Duration {
        Duration::from_nanos(self.opening.load(Ordering::Relaxed))
    }

    fn timed<T>(&self, open: impl FnOnce(&Opener) -> T) -> T {
        let started = Instant::now();
        let opened = open(&self.opener);
        let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.opening.fetch_add(nanoseconds, Ordering::Relaxed);
        opened
    }

    /// The parameters of a protection, looked up and parsed.
    pub(crate) fn resolve(
        &self,
        mode: ProtectionMode,
        parameters: &Parameters,
    ) -> Result<Resolved, CallError> {
        parameters::resolve(&self.generation, mode, parameters)
    }

    fn profile(&self, name: &str) -> Result<&Profile, CallError> {
        self.generation.profiles.get(name).ok_or_else(|| {
            CallError::new(ErrorKind::NotFound, "profile.unknown", "no such profile").about(name)
        })
    }

    /// Classifying parses the content: once for each message of the transaction.
    fn classify(&self, recipe: &Recipe) -> Protected {
        let start = recipe.start();
        let mut known = self
            .classified
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, protected)) = known.iter().find(|(other, _)| *other == start) {
            return *protected;
        }
        let protected = classify(&recipe.base);
        known.push((start, protected));
        protected
    }

    fn state(&self, recipe: &Recipe) -> State {
        let base = self.classify(recipe);
        let mut state = State {
            signed: matches!(base, Protected::Signed(_)),
            // Rule 6, rule 11: a weak envelope is content like any other.
            encrypted: matches!(base, Protected::Encrypted { within_floor: true }),
        };
        for step in &recipe.steps {
            let Step::Protect(protection) = step else {
                continue;
            };
            state.signed |= protection.signer.is_some();
            state.encrypted |= protection.choice.encrypted();
        }
        state
    }

    /// Fills in who signs.
    fn choose_signer(
        &self,
        profile: &Profile,
        recipe: &Recipe,
        state: State,
        protection: &mut Protection,
    ) {
        if !profile.mode.signs() {
            return;
        }
        let keep = profile.already_protected == AlreadyProtected::Keep;
        if keep && (state.encrypted || (state.signed && profile.mode != ProtectionMode::TripleWrap))
        {
            // Rule 6: not signed again.
            protection.unsigned = Some(CallError::new(
                ErrorKind::Denied,
                "sign.already-protected",
                "not signed again: the message is S/MIME already",
            ));
            return;
        }
        let found = signer(
            &self.generation,
            &self.session,
            &recipe.view,
            &profile.identity,
            self.at,
        );
        match found {
            Ok(identity) => protection.signer = Some(identity.identity.name.clone()),
            Err(NoSigner::NotOurs(why)) => protection.unsigned = Some(why),
            Err(NoSigner::Missing(why)) => match profile.missing_identity {
                MissingIdentity::Unsigned => protection.unsigned = Some(why),
                MissingIdentity::Bounce => protection.choice = Choice::Refuse { problem: why },
                MissingIdentity::Defer => {
                    let problem = CallError {
                        kind: ErrorKind::Unavailable,
                        ..why
                    };
                    protection.choice = Choice::Refuse { problem };
                }
            },
            Err(NoSigner::Unusable(problem)) => protection.choice = Choice::Refuse { problem },
        }
    }

    /// Fills in the recipient's certificate.
    fn choose_certificate(
        &self,
        profile: &Profile,
        recipient: &Address,
        state: State,
        protection: &mut Protection,
    ) {
        let refused = matches!(protection.choice, Choice::Refuse { .. });
        if refused || !profile.mode.encrypts() {
            return;
        }
        let keep = profile.already_protected == AlreadyProtected::Keep;
        let domain = DomainCertificates::from(profile.domain_certificates);
        protection.choice = if keep && state.encrypted {
            Choice::AlreadyEncrypted
        } else {
            match self.certificates.best(&self.generation, recipient, domain) {
                Ok(found) => Choice::Encrypt(self.certificates.view(&found)),
                Err(problem) => Choice::Missing {
                    action: profile.missing_certificate,
                    problem,
                },
            }
        };
    }
}

impl Capabilities for HostCalls {
    fn profile_names(&self) -> Vec<String> {
        self.generation.profiles.keys().cloned().collect()
    }

    fn profile_mode(&self, profile: &str) -> Result<String, CallError> {
        self.profile(profile)
            .map(|profile| profile.mode.as_str().to_owned())
    }

    fn profile_identity(&self, profile: &str) -> Option<String> {
        match &self.generation.profiles.get(profile)?.identity {
            crate::IdentityChoice::Named(name) => Some(name.clone()),
            crate::IdentityChoice::BySender => None,
        }
    }

    fn profile_protection(
        &self,
        profile: &str,
        recipe: &Recipe,
        recipient: &Address,
    ) -> Result<Protection, CallError> {
        let profile = self.profile(profile)?;
        let parameters = Parameters {
            profile: Some(profile.name.clone()),
            ..Parameters::default()
        };
        let mut protection = Protection {
            mode: profile.mode,
            parameters,
            outer: None,
            choice: Choice::Open,
            signer: None,
            unsigned: None,
        };
        let state = self.state(recipe);
        self.choose_signer(profile, recipe, state, &mut protection);
        self.choose_certificate(profile, recipient, state, &mut protection);
        Ok(protection)
    }

    fn check_parameters(&self, parameters: &Parameters) -> Result<(), CallError> {
        self.resolve(ProtectionMode::Sign, parameters).map(|_| ())
    }

    fn check_protection(&self, protection: &Protection, recipe: &Recipe) -> Result<(), CallError> {
        let signatures = [Some(&protection.parameters), protection.outer.as_ref()];
        for parameters in signatures.into_iter().flatten() {
            let resolved = self.resolve(protection.mode, parameters)?;
            if protection.mode.signs() {
                signer(
                    &self.generation,
                    &self.session,
                    &recipe.view,
                    &resolved.identity,
                    self.at,
                )
                .map_err(NoSigner::into_error)?;
            }
        }
        Ok(())
    }

    fn choose(&self, protection: &Protection, recipient: &Address) -> Result<Choice, CallError> {
        if !protection.mode.encrypts() {
            return Ok(Choice::Open);
        }
        let resolved = self.resolve(protection.mode, &protection.parameters)?;
        let domain = resolved.domain_certificates;
        let found = self
            .certificates
            .best(&self.generation, recipient, domain)?;
        Ok(Choice::Encrypt(self.certificates.view(&found)))
    }

    fn candidates(&self, address: &Address) -> Result<Candidates, CallError> {
        self.certificates.candidates(&self.generation, address)
    }

    fn validate(&self, certificate: &CertificateView) -> Result<(), CallError> {
        let brought = match certificate.source.as_str() {
            "pinned" | "imported" => Brought::ByOperator,
            _ => Brought::ByStranger,
        };
        let certificate = Certificate::from_der(&certificate.der).map_err(smime_error)?;
        crate::trust::validate(&self.generation, &certificate, brought, self.at)
    }

    fn signer_for(&self, address: &Address) -> Result<Option<String>, CallError> {
        match by_sender(&self.generation, address, self.at) {
            Ok(identity) => Ok(Some(identity.identity.name.clone())),
            Err(NoSigner::Missing(_)) => Ok(None),
            Err(other) => Err(other.into_error()),
        }
    }

    fn layers(&self, recipe: &Recipe) -> Result<Vec<Layer>, CallError> {
        let layers = self.timed(|opener| opener.layers(self, recipe));
        Ok(crate::layers::views(&layers))
    }

    fn unwrap_signature(&self, recipe: &Recipe) -> Result<Unwrapped, CallError> {
        self.timed(|opener| opener.unwrap_signature(self, recipe))
    }

    fn can_decrypt(&self, recipe: &Recipe) -> bool {
        self.timed(|opener| opener.can_decrypt(self, recipe))
    }

    fn decrypt(&self, recipe: &Recipe) -> Result<Unwrapped, CallError> {
        self.timed(|opener| opener.decrypt(self, recipe))
    }

    fn check_harvest(&self, recipe: &Recipe) -> Result<(), CallError> {
        let layers = self.timed(|opener| opener.layers(self, recipe));
        crate::harvest::check(self, &layers)
    }
}

impl Facts for HostCalls {
    fn is_envelope(&self, message: &Message) -> bool {
        matches!(
            classify(message),
            Protected::Encrypted { within_floor: true }
        )
    }

    fn encryption_problem(&self, address: &Address) -> Option<CallError> {
        self.certificates
            .best(&self.generation, address, DomainCertificates::Allowed)
            .err()
    }
}

/// An error of the S/MIME rules as filters and replies see it.
pub(crate) fn smime_error(error: waxseal_smime::Error) -> CallError {
    let kind = if error.is_passing() {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Failed
    };
    CallError::new(kind, error.code(), error.to_string())
}
