//! One loaded, immutable policy with everything that it refers to.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxseal_message::{Address, Limits};
use waxseal_policy::Policy;
use waxseal_smime::{
    CertificateKeeper, CertificateSource, ChoiceRules, HarvestRules, Identity, Provider, Time,
    Trust,
};

use crate::inbound::Inbound;
use crate::origin::Origin;
use crate::profile::{IdentityChoice, Profile};
use crate::quarantine::Quarantine;

/// What a generation is made of.
pub struct GenerationParts {
    /// Short id, on every log line.
    pub id: String,
    /// The filters.
    pub policy: Policy,
    /// Sending profiles.
    pub profiles: Vec<Profile>,
    /// Signing and decryption identities.
    pub identities: Vec<AssignedIdentity>,
    /// Where certificates of recipients come from, best first.
    pub certificates: Vec<Arc<dyn CertificateSource>>,
    /// What keeps certificates that came with received mail. `None`: nothing is harvested.
    pub keeper: Option<Arc<dyn CertificateKeeper>>,
    /// What of received mail is harvested.
    pub harvest: HarvestRules,
    /// Judges certificates of recipients. `None`: what the sources hold was imported, and is
    /// trusted as that.
    pub trust: Option<Arc<dyn Trust>>,
    /// Whose mail is ours.
    pub origin: Origin,
    /// Cryptography.
    pub provider: Arc<dyn Provider>,
    /// Limits on messages.
    pub limits: Limits,
    /// How received mail is opened and judged.
    pub inbound: Inbound,
    /// Where messages are kept for a person. `None`: the front end's own quarantine, if it has
    /// one.
    pub quarantine: Option<Quarantine>,
}

/// An identity, and whom it signs and decrypts for.
#[derive(Clone)]
pub struct AssignedIdentity {
    /// Certificate, chain and key.
    pub identity: Identity,
    /// Addresses that it signs for, beside those in its certificate.
    pub addresses: Vec<Address>,
    /// Domains that it decrypts for (rule 13).
    pub domains: Vec<String>,
    /// It may sign.
    pub signs: bool,
    /// It may decrypt.
    pub decrypts: bool,
}

impl AssignedIdentity {
    /// Does it sign for this address?
    pub(crate) fn signs_for(&self, address: &Address) -> bool {
        let named = self.identity.certificate.addresses();
        self.signs && (named.iter().chain(&self.addresses)).any(|own| own.matches(address))
    }

    /// Rule 13: is it assigned to this recipient, or to the recipient's domain? Case does not
    /// matter in the local part: whoever gets the mail in one case gets it in the other.
    pub(crate) fn decrypts_for(&self, recipient: &Address) -> bool {
        let named = self.identity.certificate.addresses();
        let mut addresses = named.iter().chain(&self.addresses);
        self.decrypts
            && (self
                .domains
                .iter()
                .any(|domain| domain == recipient.domain())
                || addresses.any(|own| own.matches_folded(recipient)))
    }
}

/// A generation: what `process` works by, from its beginning to its end.
pub struct Generation {
    pub(crate) id: String,
    pub(crate) policy: Policy,
    pub(crate) profiles: BTreeMap<String, Profile>,
    pub(crate) identities: Vec<AssignedIdentity>,
    pub(crate) certificates: Vec<Arc<dyn CertificateSource>>,
    pub(crate) keeper: Option<Arc<dyn CertificateKeeper>>,
    pub(crate) harvest: HarvestRules,
    pub(crate) trust: Option<Arc<dyn Trust>>,
    pub(crate) origin: Origin,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) limits: Limits,
    pub(crate) inbound: Inbound,
    pub(crate) quarantine: Option<Quarantine>,
}

/// The parts do not fit together.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Two profiles of one name.
    #[error("two profiles of one name: {0}")]
    DoubleProfile(String),
    /// A profile names an identity that is not there.
    #[error("profile {profile} names an identity that is not there: {identity}")]
    UnknownIdentity {
        /// The profile.
        profile: String,
        /// The identity.
        identity: String,
    },
    /// A profile names an identity that may not sign.
    #[error("profile {profile} names an identity that may not sign: {identity}")]
    NotForSigning {
        /// The profile.
        profile: String,
        /// The identity.
        identity: String,
    },
    /// `[quarantine]` names a profile that is not there.
    #[error("quarantine names a profile that is not there: {0}")]
    UnknownQuarantineProfile(String),
    /// `[quarantine]` names a profile that makes no envelope.
    #[error("quarantine names a profile that does not encrypt: {0}")]
    QuarantineInClear(String),
}

impl Generation {
    /// Puts the parts together, if they fit.
    pub fn new(parts: GenerationParts) -> Result<Self, ConfigError> {
        let mut profiles = BTreeMap::new();
        for profile in parts.profiles {
            check_identity(&profile, &parts.identities)?;
            if let Some(old) = profiles.insert(profile.name.clone(), profile) {
                return Err(ConfigError::DoubleProfile(old.name));
            }
        }
        check_quarantine(parts.quarantine.as_ref(), &profiles)?;
        Ok(Self {
            id: parts.id,
            policy: parts.policy,
            profiles,
            identities: parts.identities,
            certificates: parts.certificates,
            keeper: parts.keeper,
            harvest: parts.harvest,
            trust: parts.trust,
            origin: parts.origin,
            provider: parts.provider,
            limits: parts.limits,
            inbound: parts.inbound,
            quarantine: parts.quarantine,
        })
    }

    /// Short id, on every log line.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The filters.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The sending profiles, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// Whose mail is ours.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The identities.
    pub fn identities(&self) -> &[AssignedIdentity] {
        &self.identities
    }

    /// Where messages are kept for a person.
    pub fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref()
    }

    /// What keeps certificates that came with received mail, if anything is harvested.
    pub fn keeper(&self) -> Option<&Arc<dyn CertificateKeeper>> {
        self.keeper.as_ref()
    }

    /// What of received mail is harvested.
    pub fn harvest(&self) -> HarvestRules {
        self.harvest
    }

    /// By what a recipient's certificate is chosen. Certificates of whole domains count when
    /// some profile allows them.
    pub fn choice_rules(&self, at: Time) -> ChoiceRules<'_> {
        ChoiceRules {
            at,
            allow_domain_certificates: self.profiles().any(|profile| profile.domain_certificates),
            trust: self.trust.as_deref(),
            trust_in_strangers: self.inbound.trust(),
        }
    }

    /// Is there an identity of that name that signs?
    pub(crate) fn has_signer(&self, name: &str) -> bool {
        let mut own = self.identities.iter();
        own.any(|own| own.signs && own.identity.name == name)
    }
}

fn check_identity(profile: &Profile, identities: &[AssignedIdentity]) -> Result<(), ConfigError> {
    let IdentityChoice::Named(name) = &profile.identity else {
        return Ok(());
    };
    let (profile, identity) = (profile.name.clone(), name.clone());
    let mut known = identities.iter().filter(|own| own.identity.name == *name);
    match known.next() {
        None => Err(ConfigError::UnknownIdentity { profile, identity }),
        Some(first) if first.signs || known.any(|own| own.signs) => Ok(()),
        Some(_) => Err(ConfigError::NotForSigning { profile, identity }),
    }
}

fn check_quarantine(
    quarantine: Option<&Quarantine>,
    profiles: &BTreeMap<String, Profile>,
) -> Result<(), ConfigError> {
    let Some(name) = quarantine.and_then(|quarantine| quarantine.profile.as_ref()) else {
        return Ok(());
    };
    match profiles.get(name) {
        None => Err(ConfigError::UnknownQuarantineProfile(name.clone())),
        Some(profile) if !profile.mode.encrypts() => {
            Err(ConfigError::QuarantineInClear(name.clone()))
        }
        Some(_) => Ok(()),
    }
}
