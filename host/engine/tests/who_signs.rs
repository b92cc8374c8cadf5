//! Whose key signs (DESIGN §6 rules 12 and 14), how often (rule 4), and what is not signed
//! again (rule 6): through `Engine::process`, with the stock filter `rules`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use waxseal_engine::{
    AssignedIdentity, Delivery, Disposition, Engine, Generation, GenerationParts, IdentityChoice,
    Inbound, MissingIdentity, Origin, Outcome, Profile, Transaction,
};
use waxseal_message::{Address, Limits};
use waxseal_policy::plan::{MissingCertificate, ProtectionMode};
use waxseal_policy::{FilterConfig, Grants, Policy, PolicyConfig, Runtime, RuntimeLimits};
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::certgen::{Template, self_signed};
use waxseal_smime::open::{Opening, open};
use waxseal_smime::{
    Certificate, CertificateSource, Found, HarvestRules, Identity, KeyAlgorithm, PrivateKey,
    Provider, ProviderError, SignatureScheme, SourceError, Time,
};

const NOW: i64 = 1_795_000_000;
const DAY: i64 = 86_400;
const ALICE: &str = "alice@example.org";
const GATEWAY: &str = "gateway@example.org";
const MAIL: &str = "From: alice@example.org\r\nTo: bob@example.net, carol@example.net\r\n\
    Message-ID: <1@example.org>\r\n\r\nAt one?\r\n";

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
struct Operator {
    profile: Profile,
    identities: Vec<AssignedIdentity>,
    recipients: Recipients,
    signatures: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
struct Recipients(Vec<Certificate>);

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
    fn new(mode: ProtectionMode) -> Self {
        Self {
            profile: Profile::new("p", mode),
            identities: Vec::new(),
            recipients: Recipients::default(),
            signatures: Arc::default(),
        }
    }

    /// An identity named after its address and the days that it is valid for.
    fn identity(mut self, address: &str, days: std::ops::Range<i64>) -> Self {
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

    fn recipient(mut self, address: &str) -> Self {
        self.recipients.0.push(certificate(address, -1..1).1);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        change(&mut self.profile);
        self
    }

    fn engine(&self) -> Engine {
        let component = include_bytes!("../../../filters/dist/rules.wasm");
        let mut filter = FilterConfig::new("rules", component.as_slice());
        let grants = ["actions", "inspect", "profiles:p"].map(str::to_owned);
        filter.grants = Grants::parse(&grants).unwrap();
        filter.settings = r#"{ "rules": [{ "then": { "apply": { "profile": "p" } } }] }"#.into();
        let config = PolicyConfig {
            filters: vec![filter],
            profiles: vec!["p".into()],
            ..PolicyConfig::default()
        };
        let limits = RuntimeLimits {
            slots: 1,
            ..RuntimeLimits::default()
        };
        let policy = Policy::load(&Runtime::new(&limits).unwrap(), config).unwrap();
        let parts = GenerationParts {
            id: "test".into(),
            policy,
            profiles: vec![self.profile.clone()],
            identities: self.identities.clone(),
            certificates: vec![Arc::new(self.recipients.clone())],
            keeper: None,
            harvest: HarvestRules::default(),
            trust: None,
            origin: Origin {
                listeners: vec!["ours".into()],
                ..Origin::default()
            },
            provider: Arc::new(RustCrypto),
            limits: Limits::default(),
            inbound: Inbound::default(),
        };
        Engine::new(Generation::new(parts).unwrap())
    }

    fn process(&self, mail: &[u8]) -> Outcome {
        let recipients = ["bob@example.net", "carol@example.net"];
        let recipients = recipients.map(|address| Address::parse(address).unwrap());
        let sender = Address::parse(ALICE).ok();
        let mut transaction = Transaction::new(sender, recipients, mail.to_vec(), NOW);
        transaction.session.listener = Some("ours".into());
        self.engine().process(transaction)
    }

    fn delivery(&self, mail: &[u8]) -> Delivery {
        match self.process(mail).disposition {
            Disposition::Deliver(delivery) => delivery,
            other => panic!("not delivered: {other:?}"),
        }
    }
}

fn certificate(address: &str, days: std::ops::Range<i64>) -> (Box<dyn PrivateKey>, Certificate) {
    let pkcs8 = RustCrypto.generate_key(&KeyAlgorithm::EcP256).unwrap();
    let key = RustCrypto.load_key(&pkcs8).unwrap();
    let template = Template {
        common_name: format!("{address} {}", days.start),
        organization: None,
        addresses: vec![Address::parse(address).unwrap()],
        not_before: Time::from_unix(NOW + days.start * DAY),
        not_after: Time::from_unix(NOW + days.end * DAY),
    };
    let certificate = self_signed(&template, &*key, &RustCrypto).unwrap();
    (key, certificate)
}

fn signer(delivery: &Delivery) -> String {
    let opening = Opening {
        provider: &RustCrypto,
        now: Time::from_unix(NOW),
        limits: &Limits::default(),
        keys: Vec::new(),
        secrets: &[],
        trust: None,
        certificates: &[],
        allow_weak: false,
        clock_skew: 0,
    };
    let opened = open(&delivery.copies[0].message, &opening);
    let signer = opened.layers[0].signatures[0].signer.as_ref();
    signer.unwrap().subject()
}

fn cause(outcome: &Outcome) -> String {
    match &outcome.disposition {
        Disposition::Reject(refused) => format!("reject {}", refused.causes[0].code),
        Disposition::Defer(refused) => format!("defer {}", refused.causes[0].code),
        other => format!("{other:?}"),
    }
}

#[test]
fn rule_14_the_newest_valid_identity_signs() {
    let operator = Operator::new(ProtectionMode::Sign)
        .identity(ALICE, -90..30)
        .identity(ALICE, -10..300)
        .identity(ALICE, -5..-1)
        .identity(ALICE, 1..900);
    assert_eq!(
        signer(&operator.delivery(MAIL.as_bytes())),
        "CN=alice@example.org -10"
    );
}

#[test]
fn rule_14_an_expired_identity_is_an_error_and_never_silence() {
    let operator = Operator::new(ProtectionMode::Sign)
        .identity(ALICE, -90..-1)
        .with(|profile| profile.missing_identity = MissingIdentity::Unsigned);
    assert_eq!(
        cause(&operator.process(MAIL.as_bytes())),
        "defer identity.expired"
    );
}

#[test]
fn a_sender_without_an_identity_is_what_the_profile_says() {
    for (missing, expected) in [
        (MissingIdentity::Bounce, "reject identity.missing"),
        (MissingIdentity::Defer, "defer identity.missing"),
    ] {
        let operator = Operator::new(ProtectionMode::Sign)
            .identity(GATEWAY, -1..1)
            .with(|profile| profile.missing_identity = missing);
        assert_eq!(cause(&operator.process(MAIL.as_bytes())), expected);
    }
    let operator = Operator::new(ProtectionMode::Sign)
        .with(|profile| profile.missing_identity = MissingIdentity::Unsigned);
    let delivery = operator.delivery(MAIL.as_bytes());
    assert_eq!(delivery.copies[0].message.to_bytes(), MAIL.as_bytes());
    assert_eq!(delivery.copies[0].notes[0].code, "identity.missing");
}

fn gateway() -> Operator {
    let operator = Operator::new(ProtectionMode::Sign).identity(GATEWAY, -1..1);
    let name = operator.identities[0].identity.name.clone();
    operator.with(|profile| profile.identity = IdentityChoice::Named(name))
}

#[test]
fn rule_12_a_gateway_adds_a_sender_that_matches_its_certificate() {
    let delivery = gateway().delivery(MAIL.as_bytes());
    let message = &delivery.copies[0].message;
    assert_eq!(message.first("Sender").unwrap().value(), GATEWAY);
    assert_eq!(message.first("From").unwrap().value(), ALICE);
}

#[test]
fn rule_12_a_gateway_signs_what_claims_no_author() {
    let delivery = gateway().delivery(b"To: bob@example.net\r\n\r\nhi\r\n");
    assert_eq!(signer(&delivery), "CN=gateway@example.org -1");
}

#[test]
fn without_an_author_nobody_signs_by_sender() {
    let operator = Operator::new(ProtectionMode::Sign).identity(ALICE, -1..1);
    let outcome = operator.process(b"From: nobody\r\nTo: bob@example.net\r\n\r\nhi\r\n");
    assert_eq!(cause(&outcome), "reject sign.no-author");
}

#[test]
fn rule_04_all_copies_share_one_signature() {
    let operator = Operator::new(ProtectionMode::SignEncrypt)
        .identity(ALICE, -1..1)
        .recipient("bob@example.net")
        .with(|profile| profile.missing_certificate = MissingCertificate::Split);
    let delivery = operator.delivery(MAIL.as_bytes());
    assert_eq!(delivery.copies.len(), 2, "one envelope, one copy in clear");
    assert_eq!(operator.signatures.load(Ordering::Relaxed), 1);
    for copy in &delivery.copies {
        let id = copy.message.first("Message-ID").map(|field| field.value());
        assert_eq!(id.as_deref(), Some("<1@example.org>"));
    }
}

#[test]
fn rule_06_a_signed_message_is_not_signed_again() {
    let operator = Operator::new(ProtectionMode::Sign).identity(ALICE, -1..1);
    let once = operator.delivery(MAIL.as_bytes()).copies[0]
        .message
        .to_bytes();
    let twice = operator.delivery(&once);
    assert_eq!(twice.copies[0].message.to_bytes(), once);
    assert_eq!(twice.copies[0].notes[0].code, "sign.already-protected");
}

#[test]
fn rule_06_an_envelope_is_not_encrypted_again() {
    let operator = Operator::new(ProtectionMode::Encrypt)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let once = operator.delivery(MAIL.as_bytes()).copies[0]
        .message
        .to_bytes();
    let twice = operator.delivery(&once);
    assert_eq!(twice.copies[0].message.to_bytes(), once);
}

#[test]
fn a_triple_wrap_has_its_three_layers() {
    let operator = Operator::new(ProtectionMode::TripleWrap)
        .identity(ALICE, -1..1)
        .recipient("bob@example.net")
        .recipient("carol@example.net");
    let delivery = operator.delivery(MAIL.as_bytes());
    let made: Vec<_> = delivery.copies[0]
        .layers
        .iter()
        .map(|layer| layer.as_str())
        .collect();
    assert_eq!(made, ["signed", "encrypted", "signed"]);
}
