//! `protect`: protections made to order. Nothing is signed or encrypted here: a message
//! becomes a recipe with one more step.

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::protect;
use crate::capabilities::{Basis, CallError, Parameters};
use crate::plan::{Choice, Protection, ProtectionMode, Recipe, Step};

use super::handles::{CertificateHandle, MessageHandle, OptionsHandle};
use super::{HostState, Refusal, not_granted, ok};

impl protect::HostOptions for HostState {
    fn new(&mut self) -> wasmtime::Result<Resource<OptionsHandle>> {
        self.lend_or_trap(options(Parameters::default()))
    }

    fn from_profile(&mut self, profile: String) -> Result<Resource<OptionsHandle>, Refusal> {
        let parameters = Parameters {
            profile: Some(profile.clone()),
            ..Parameters::default()
        };
        let answer = self
            .granted_profile(&profile)
            .and_then(|()| self.ask(|_, host| host.check_parameters(&parameters)))
            .map_err(Refusal::from);
        self.recorded("protect.from-profile", || profile, answer, ok)?;
        self.lend(options(parameters))
    }

    fn signer(&mut self, handle: Resource<OptionsHandle>, identity: String) -> Result<(), Refusal> {
        let answer = match self.may_sign_as(&identity) {
            true => self.set(&handle, |parameters| {
                parameters.signer = Some(identity.clone());
            }),
            false => Err(not_granted("identity.not-granted", &identity).into()),
        };
        self.recorded("protect.signer", || identity, answer, ok)
    }

    fn signature_format(
        &mut self,
        handle: Resource<OptionsHandle>,
        format: String,
    ) -> Result<(), Refusal> {
        self.set(&handle, |parameters| {
            parameters.signature_format = Some(format);
        })
    }

    fn digest(
        &mut self,
        handle: Resource<OptionsHandle>,
        algorithm: String,
    ) -> Result<(), Refusal> {
        self.set(&handle, |parameters| parameters.digest = Some(algorithm))
    }

    fn content_cipher(
        &mut self,
        handle: Resource<OptionsHandle>,
        algorithm: String,
    ) -> Result<(), Refusal> {
        self.set(&handle, |parameters| {
            parameters.content_cipher = Some(algorithm);
        })
    }

    fn also_to(
        &mut self,
        handle: Resource<OptionsHandle>,
        certificate: Resource<CertificateHandle>,
    ) -> wasmtime::Result<()> {
        let certificate = self.held(&certificate)?.0;
        let also_to = &mut self.handles.get_mut(&handle)?.parameters.also_to;
        if also_to.contains(&certificate) {
            return Ok(());
        }
        also_to.push(certificate);
        self.count_record(0)
    }

    fn include_sender(
        &mut self,
        handle: Resource<OptionsHandle>,
        yes: bool,
    ) -> wasmtime::Result<()> {
        self.handles.get_mut(&handle)?.parameters.include_sender = Some(yes);
        Ok(())
    }

    fn protect_headers(
        &mut self,
        handle: Resource<OptionsHandle>,
        yes: bool,
    ) -> wasmtime::Result<()> {
        self.handles.get_mut(&handle)?.parameters.protect_headers = Some(yes);
        Ok(())
    }

    fn drop(&mut self, handle: Resource<OptionsHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl protect::Host for HostState {
    fn sign(
        &mut self,
        message: Resource<MessageHandle>,
        options: Resource<OptionsHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        self.protected("protect.sign", ProtectionMode::Sign, message, options)
    }

    fn encrypt(
        &mut self,
        message: Resource<MessageHandle>,
        options: Resource<OptionsHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        self.protected("protect.encrypt", ProtectionMode::Encrypt, message, options)
    }

    fn sign_encrypt(
        &mut self,
        message: Resource<MessageHandle>,
        options: Resource<OptionsHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let mode = ProtectionMode::SignEncrypt;
        self.protected("protect.sign-encrypt", mode, message, options)
    }

    fn triple_wrap(
        &mut self,
        message: Resource<MessageHandle>,
        inner: Resource<OptionsHandle>,
        outer: Resource<OptionsHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let mut protection = self.protection(ProtectionMode::TripleWrap, &inner)?;
        protection.outer = Some(self.held(&outer)?.parameters);
        self.wrap("protect.triple-wrap", &message, protection)
    }
}

impl HostState {
    /// Changes parameters, if the host knows the values.
    fn set(
        &mut self,
        handle: &Resource<OptionsHandle>,
        change: impl FnOnce(&mut Parameters),
    ) -> Result<(), Refusal> {
        let mut changed = self.held(handle)?;
        change(&mut changed.parameters);
        self.ask(|_, host| host.check_parameters(&changed.parameters))?;
        let held = self.handles.get_mut(handle);
        *held.map_err(wasmtime::Error::from)? = changed;
        Ok(())
    }

    /// May the filter name this identity? A granted profile brings its own.
    fn may_sign_as(&mut self, identity: &str) -> bool {
        self.settings.grants.identity(identity) || self.some_profile_brings(Some(identity))
    }

    /// The same for the identity of a sender, which a granted profile `by-sender` brings.
    pub(super) fn may_sign_by_sender(&mut self, identity: &str) -> bool {
        self.may_sign_as(identity) || self.some_profile_brings(None)
    }

    fn some_profile_brings(&mut self, identity: Option<&str>) -> bool {
        let settings = self.settings.clone();
        let found = self.ask(|_, host| {
            Ok(host.profile_names().iter().any(|profile| {
                settings.grants.profile(profile)
                    && host.profile_identity(profile).as_deref() == identity
                    && host
                        .profile_mode(profile)
                        .is_ok_and(|mode| mode != "encrypt")
            }))
        });
        found.unwrap_or(false)
    }

    fn protection(
        &mut self,
        mode: ProtectionMode,
        options: &Resource<OptionsHandle>,
    ) -> Result<Protection, Refusal> {
        let parameters = self.held(options)?.parameters;
        Ok(Protection {
            mode,
            signer: None,
            parameters,
            outer: None,
            choice: Choice::Open,
            unsigned: None,
        })
    }

    fn protected(
        &mut self,
        function: &'static str,
        mode: ProtectionMode,
        message: Resource<MessageHandle>,
        options: Resource<OptionsHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let protection = self.protection(mode, &options)?;
        self.wrap(function, &message, protection)
    }

    fn wrap(
        &mut self,
        function: &'static str,
        message: &Resource<MessageHandle>,
        mut protection: Protection,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let mut recipe = self.held(message)?.recipe();
        let answer = self
            .ask(|_, host| host.check_protection(&protection, &recipe))
            .and_then(|()| self.signer_of(&protection, &recipe));
        let answer = self.recorded(
            function,
            || in_words(&protection.parameters),
            answer.map_err(Refusal::from),
            |signer| match signer {
                Some(signer) => format!("signed by {signer}"),
                None => "ok".to_owned(),
            },
        );
        protection.signer = answer?;
        recipe.steps.push(Step::Protect(protection));
        self.lend(MessageHandle::of(&recipe))
    }

    /// Who signs: as asked, else the profile's identity, else the author's.
    fn signer_of(
        &mut self,
        protection: &Protection,
        recipe: &Recipe,
    ) -> Result<Option<String>, CallError> {
        if !protection.mode.signs() {
            return Ok(None);
        }
        let parameters = &protection.parameters;
        if parameters.signer.is_some() {
            return Ok(parameters.signer.clone());
        }
        let author = author(recipe);
        self.ask(|_, host| {
            let profile = parameters.profile.as_deref();
            let named = profile.and_then(|profile| host.profile_identity(profile));
            match (named, author) {
                (Some(name), _) => Ok(Some(name)),
                (None, Some(author)) => host.signer_for(&author),
                (None, None) => Ok(None),
            }
        })
    }
}

/// The only From address; with several, the Sender (RFC 5322 §3.6.2).
fn author(recipe: &Recipe) -> Option<waxseal_message::Address> {
    let only = |name| {
        let mut found = recipe.view.addresses(name);
        match found.len() {
            1 => found.pop().map(|mailbox| mailbox.address),
            _ => None,
        }
    };
    only("From").or_else(|| only("Sender"))
}

fn options(parameters: Parameters) -> OptionsHandle {
    OptionsHandle {
        parameters: Parameters {
            basis: Basis::Order,
            ..parameters
        },
    }
}

fn in_words(parameters: &Parameters) -> String {
    let named = [
        ("profile", &parameters.profile),
        ("signer", &parameters.signer),
        ("format", &parameters.signature_format),
        ("digest", &parameters.digest),
        ("cipher", &parameters.content_cipher),
    ];
    let words: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
        .collect();
    words.join(" ")
}
