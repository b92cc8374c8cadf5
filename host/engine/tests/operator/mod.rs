//! One operator with identities and certificates, in memory: what the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // each test file uses a part of it

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use waxseal_engine::{
    AssignedIdentity, Delivery, Disposition, Engine, Generation, GenerationParts, Inbound, Origin,
    Outcome, Profile, Quarantine, Transaction,
};
use waxseal_message::{Address, Limits};
use waxseal_policy::plan::ProtectionMode;
use waxseal_policy::{FilterConfig, Grants, Policy, PolicyConfig, Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::certgen::{Template, self_signed};
use waxseal_smime::{
    Certificate, CertificateSource, Found, HarvestRules, Identity, KeyAlgorithm, PrivateKey,
    Provider, ProviderError, SignatureScheme, SourceError, Time,
};

pub(crate) const NOW: i64 = 1_795_000_000;
/// The profile for everyone.
const APPLY: &str = r#"{ "rules": [{ "then": { "apply": { "profile": "p" } } }] }"#;
pub(crate) const DAY: i64 = 86_400;
pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const GATEWAY: &str = "gateway@example.org";
pub(crate) const MAIL: &str = "From: alice@example.org\r\nTo: bob@example.net, carol@example.net\r\n\
    Message-ID: <1@example.org>\r\n\r\nAt one?\r\n";

const RULES: &[u8] = include_bytes!("../../../../filters/dist/rules.wasm");
const MISBEHAVE: &[u8] = include_bytes!("../../../../tests/fixtures/misbehave.wasm");

/// One for all tests of a process: pools reserve much address space.
pub(crate) fn runtime() -> &'static Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let limits = RuntimeLimits {
            slots: 8,
            ..RuntimeLimits::default()
        };
        Runtime::new(&limits).unwrap()
    })
}

/// From alice to bob and carol, through a listener of ours.
pub(crate) fn transaction(mail: &[u8]) -> Transaction {
    let recipients = ["bob@example.net", "carol@example.net"];
    let recipients = recipients.map(|address| Address::parse(address).unwrap());
    let sender = Address::parse(ALICE).ok();
    let mut transaction = Transaction::new(sender, recipients, mail.to_vec(), NOW);
    transaction.session.listener = Some("ours".into());
    transaction
}

/// A key that counts its signatures.
struct Counting {
    key: Box<dyn PrivateKey>,
    signatures: Arc<AtomicUsize>,
}

impl PrivateKey for Counting {
    fn public_key_info(&self) -> &[u8] {
        self.key.public_key_info()
    }
    fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        self.key.sign(scheme, message)
    }
}

/// One operator: a profile named `p` for everything, identities, certificates of recipients.
pub(crate) struct Operator {
    pub(crate) profile: Profile,
    pub(crate) identities: Vec<AssignedIdentity>,
    pub(crate) recipients: Recipients,
    pub(crate) signatures: Arc<AtomicUsize>,
    pub(crate) quarantine: Option<Quarantine>,
    /// Where certificates are looked up; without it, among `recipients`.
    pub(crate) source: Option<Arc<dyn CertificateSource>>,
    /// Settings of `rules`.
    pub(crate) rules: String,
    /// Settings of `misbehave`, which takes the place of `rules`.
    pub(crate) misbehave: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Recipients(Vec<Certificate>);

impl Recipients {
    /// Those of one address.
    pub(crate) fn only(&self, address: &str) -> Self {
        let address = Address::parse(address).unwrap();
        let all = self.0.iter();
        Self(
            all.filter(|each| each.addresses().contains(&address))
                .cloned()
                .collect(),
        )
    }
}

impl CertificateSource for Recipients {
    fn find(&self, address: &Address) -> Result<Vec<Found>, SourceError> {
        let named = self
            .0
            .iter()
            .filter(|each| each.addresses().contains(address));
        Ok(named
            .map(|each| Found {
                certificate: each.clone(),
                origin: waxseal_smime::Origin::Imported,
                capabilities: None,
            })
            .collect())
    }
}

impl Operator {
    pub(crate) fn new(mode: ProtectionMode) -> Self {
        Self {
            profile: Profile::new("p", mode),
            identities: Vec::new(),
            recipients: Recipients::default(),
            signatures: Arc::default(),
            quarantine: None,
            source: None,
            rules: APPLY.into(),
            misbehave: None,
        }
    }

    /// An identity named after its address and the days that it is valid for.
    pub(crate) fn identity(mut self, address: &str, days: std::ops::Range<i64>) -> Self {
        let (key, certificate) = certificate(address, days.clone());
        let key = Counting {
            key,
            signatures: Arc::clone(&self.signatures),
        };
        let name = format!("{address} {}..{}", days.start, days.end);
        let identity = Identity::new(name, certificate, Vec::new(), Arc::new(key)).unwrap();
        self.identities.push(AssignedIdentity {
            identity,
            addresses: Vec::new(),
            domains: Vec::new(),
            signs: true,
            decrypts: false,
        });
        self
    }

    pub(crate) fn recipient(mut self, address: &str) -> Self {
        self.recipients.0.push(certificate(address, -1..1).1);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        change(&mut self.profile);
        self
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(self.generation("test"))
    }

    pub(crate) fn generation(&self, id: &str) -> Generation {
        let config = PolicyConfig {
            filters: vec![self.filter()],
            profiles: vec!["p".into()],
            ..PolicyConfig::default()
        };
        let policy = Policy::load(runtime(), config).unwrap();
        let parts = GenerationParts {
            id: id.into(),
            policy,
            profiles: vec![self.profile.clone()],
            identities: self.identities.clone(),
            certificates: vec![match &self.source {
                Some(source) => Arc::clone(source),
                None => Arc::new(self.recipients.clone()),
            }],
            keeper: None,
            harvest: HarvestRules::default(),
            trust: None,
            origin: Origin {
                listeners: vec!["ours".into()],
                ..Origin::default()
            },
            provider: Arc::new(AwsLc),
            limits: Limits::default(),
            inbound: Inbound::default(),
            quarantine: self.quarantine.clone(),
        };
        Generation::new(parts).unwrap()
    }

    fn filter(&self) -> FilterConfig {
        let (name, component, settings) = match &self.misbehave {
            Some(settings) => ("misbehave", MISBEHAVE, settings),
            None => ("rules", RULES, &self.rules),
        };
        let mut filter = FilterConfig::new(name, component);
        let grants = ["actions", "inspect", "profiles:p", "quarantine"].map(str::to_owned);
        filter.grants = Grants::parse(&grants).unwrap();
        filter.settings.clone_from(settings);
        filter.limits.time = std::time::Duration::from_secs(2);
        filter
    }

    pub(crate) fn process(&self, mail: &[u8]) -> Outcome {
        self.engine().process(transaction(mail))
    }

    pub(crate) fn delivery(&self, mail: &[u8]) -> Delivery {
        match self.process(mail).disposition {
            Disposition::Deliver(delivery) => delivery,
            other => panic!("not delivered: {other:?}"),
        }
    }
}

pub(crate) fn certificate(
    address: &str,
    days: std::ops::Range<i64>,
) -> (Box<dyn PrivateKey>, Certificate) {
    let pkcs8 = AwsLc.generate_key(&KeyAlgorithm::EcP256).unwrap();
    let key = AwsLc.load_key(&pkcs8).unwrap();
    let template = Template {
        common_name: format!("{address} {}", days.start),
        organization: None,
        addresses: vec![Address::parse(address).unwrap()],
        not_before: Time::from_unix(NOW + days.start * DAY),
        not_after: Time::from_unix(NOW + days.end * DAY),
    };
    let certificate = self_signed(&template, &*key, &AwsLc).unwrap();
    (key, certificate)
}
