//! What the tests share: guests, a transaction, and capabilities that know a few people.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use waxseal_message::{Address, Limits, Message};
use waxseal_policy::capabilities::{
    CallError, Candidates, CertificateView, ErrorKind, Layer, Parameters, Unwrapped,
};
use waxseal_policy::plan::{Choice, MissingCertificate, Protection, ProtectionMode, Recipe, Step};
use waxseal_policy::transaction::{Recipient, Session, Transaction};
use waxseal_policy::{
    Capabilities, Decision, FilterConfig, Policy, PolicyConfig, Runtime, RuntimeLimits,
};

pub const MAIL: &str = "From: Anna <anna@example.org>\r\n\
    To: Ben <ben@example.com>\r\n\
    Subject: hello\r\n\
    Message-ID: <1@example.org>\r\n\
    Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    Nothing secret here.\r\n";

/// One for all tests of a process: pools reserve much address space.
pub fn runtime() -> &'static Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let limits = RuntimeLimits {
            slots: 8,
            ..RuntimeLimits::default()
        };
        Runtime::new(&limits).unwrap()
    })
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A component that the repository ships.
pub fn built(path: &str) -> Vec<u8> {
    let path = root().join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `filters/misbehave`, told what to do.
pub fn misbehave(behave: &str, name: &str, grants: &[&str]) -> FilterConfig {
    FilterConfig {
        grants: grants.iter().copied().collect(),
        settings: format!(r#"{{"behave": "{behave}", "name": "{name}"}}"#),
        ..FilterConfig::new(behave, built("tests/fixtures/misbehave.wasm"))
    }
}

pub fn policy(filters: Vec<FilterConfig>) -> Policy {
    let names = ["sign", "corporate", "split", "strict"];
    let config = PolicyConfig {
        filters,
        profiles: names.map(str::to_owned).to_vec(),
        ..PolicyConfig::default()
    };
    Policy::load(runtime(), config).unwrap_or_else(|error| panic!("{error}"))
}

pub fn decide(filters: Vec<FilterConfig>) -> Decision {
    policy(filters).decide(&transaction(), Arc::new(People))
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// From anna to ben, who has a certificate, and to carl, who has none.
pub fn transaction() -> Arc<Transaction> {
    transaction_to(&["ben@example.com", "carl@example.net"])
}

pub fn transaction_to(recipients: &[&str]) -> Arc<Transaction> {
    let recipients = recipients.iter().map(|text| Recipient {
        address: address(text),
        parameters: Vec::new(),
    });
    Arc::new(Transaction {
        queue_id: Some("4bX".to_owned()),
        direction: None,
        sender: Some(address("anna@example.org")),
        sender_parameters: Vec::new(),
        recipients: recipients.collect(),
        message: Message::parse(MAIL.as_bytes().to_vec(), &Limits::default()).unwrap(),
        session: Session::default(),
        abilities: BTreeSet::new(),
        time: 1_795_514_400,
    })
}

/// Ben (and whoever else is at example.com) has a certificate; nobody else does.
pub struct People;

pub fn certificate(address: &Address) -> Option<Arc<CertificateView>> {
    let mut fingerprint_sha256 = [0; 32];
    for (place, octet) in fingerprint_sha256.iter_mut().zip(address.local().bytes()) {
        *place = octet;
    }
    (address.domain() == "example.com").then(|| {
        Arc::new(CertificateView {
            subject: format!("CN={address}"),
            issuer: "CN=a CA".to_owned(),
            serial: "01".to_owned(),
            fingerprint_sha256,
            emails: vec![address.to_string()],
            not_before: 0,
            not_after: i64::MAX,
            key_algorithm: "ec-p256".to_owned(),
            can_encrypt: true,
            can_sign: true,
            source: "imported".to_owned(),
            der: Vec::new().into(),
        })
    })
}

fn no_certificate(address: &Address) -> CallError {
    CallError::new(ErrorKind::Failed, "recipient.no-certificate", "none found")
        .about(address.to_string())
}

fn profiles() -> BTreeMap<&'static str, (ProtectionMode, MissingCertificate)> {
    BTreeMap::from([
        ("sign", (ProtectionMode::Sign, MissingCertificate::Bounce)),
        (
            "corporate",
            (ProtectionMode::SignEncrypt, MissingCertificate::Bounce),
        ),
        (
            "split",
            (ProtectionMode::Encrypt, MissingCertificate::Split),
        ),
        (
            "strict",
            (
                ProtectionMode::Encrypt,
                MissingCertificate::EncryptOrBounceRest,
            ),
        ),
    ])
}

fn profile(name: &str) -> Result<(ProtectionMode, MissingCertificate), CallError> {
    profiles().get(name).copied().ok_or_else(|| {
        CallError::new(ErrorKind::NotFound, "profile.unknown", "no such profile").about(name)
    })
}

impl Capabilities for People {
    fn profile_names(&self) -> Vec<String> {
        profiles().keys().map(|name| (*name).to_owned()).collect()
    }

    fn profile_mode(&self, name: &str) -> Result<String, CallError> {
        Ok(profile(name)?.0.as_str().to_owned())
    }

    fn profile_identity(&self, _: &str) -> Option<String> {
        None
    }

    fn profile_protection(
        &self,
        name: &str,
        recipe: &Recipe,
        recipient: &Address,
    ) -> Result<Protection, CallError> {
        let (mode, action) = profile(name)?;
        let encrypted = recipe
            .steps
            .iter()
            .any(|step| matches!(step, Step::Protect(protection) if protection.choice.encrypted()));
        let choice = match (mode.encrypts(), certificate(recipient)) {
            (false, _) => Choice::Open,
            (true, _) if encrypted => Choice::AlreadyEncrypted,
            (true, Some(certificate)) => Choice::Encrypt(certificate),
            (true, None) => Choice::Missing {
                action,
                problem: no_certificate(recipient),
            },
        };
        Ok(Protection {
            mode,
            parameters: Parameters {
                profile: Some(name.to_owned()),
                ..Parameters::default()
            },
            outer: None,
            choice,
            signer: mode.signs().then(|| "anna".to_owned()),
            unsigned: None,
        })
    }

    fn check_parameters(&self, parameters: &Parameters) -> Result<(), CallError> {
        match parameters.digest.as_deref() {
            None | Some("sha-256") => Ok(()),
            Some(other) => Err(CallError::new(
                ErrorKind::InvalidArgument,
                "digest.unknown",
                "no such digest",
            )
            .about(other)),
        }
    }

    fn check_protection(&self, _: &Protection, _: &Recipe) -> Result<(), CallError> {
        Ok(())
    }

    fn choose(&self, protection: &Protection, recipient: &Address) -> Result<Choice, CallError> {
        if !protection.mode.encrypts() {
            return Ok(Choice::Open);
        }
        certificate(recipient)
            .map(Choice::Encrypt)
            .ok_or_else(|| no_certificate(recipient))
    }

    fn candidates(&self, address: &Address) -> Result<Candidates, CallError> {
        Ok(Candidates {
            usable: certificate(address).into_iter().collect(),
            rejected: Vec::new(),
        })
    }

    fn validate(&self, _: &CertificateView) -> Result<(), CallError> {
        Ok(())
    }

    fn signer_for(&self, address: &Address) -> Result<Option<String>, CallError> {
        Ok((address.domain() == "example.org").then(|| address.local().to_owned()))
    }

    fn layers(&self, _: &Recipe) -> Result<Vec<Layer>, CallError> {
        Ok(Vec::new())
    }

    fn unwrap_signature(&self, _: &Recipe) -> Result<Unwrapped, CallError> {
        Err(not_built())
    }

    fn can_decrypt(&self, _: &Recipe) -> bool {
        false
    }

    fn decrypt(&self, _: &Recipe) -> Result<Unwrapped, CallError> {
        Err(not_built())
    }

    fn check_harvest(&self, _: &Recipe) -> Result<(), CallError> {
        Err(not_built())
    }
}

fn not_built() -> CallError {
    CallError::new(ErrorKind::Failed, "host.not-built", "not built yet")
}

/// A component from a core module in text form, with the types of a world of the contract.
pub fn guest(world: &str, wat: &str) -> Vec<u8> {
    componentised(&[root().join("wit/filter.wit")], world, wat)
}

/// The same against WIT of the test's own.
pub fn componentised(wit: &[PathBuf], world: &str, wat: &str) -> Vec<u8> {
    let texts: Vec<String> = wit
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    encoded(&texts.join("\n"), world, wat)
}

pub fn encoded(wit: &str, world: &str, wat: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("filter.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
        false,
    )
    .unwrap();
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder.validate(true).module(&module).unwrap();
    encoder.encode().unwrap()
}

/// A core module that exports the handler. `evaluate` is a body that leaves the address of
/// a `result<verdict, string>`; it may use `$tx`. The 64 octets at 0 are zero: `proceed`.
pub fn handler(imports: &str, evaluate: &str, rest: &str) -> String {
    handler_that_checks(imports, evaluate, "(i32.const 0)", rest)
}

/// The same with a `validate-config`, which leaves the address of a
/// `result<_, list<config-problem>>`.
pub fn handler_that_checks(imports: &str, evaluate: &str, check: &str, rest: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (global.set $next (i32.and
                    (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (local.set $at (global.get $next))
                (global.set $next (i32.add (global.get $next) (local.get 3)))
                (local.get $at))
            (func (export "waxseal:filter/handler@0.1.0#evaluate")
                (param $tx i32) (result i32)
                {evaluate})
            (func (export "waxseal:filter/handler@0.1.0#validate-config")
                (param i32 i32) (result i32)
                {check})
            {rest})"#
    )
}
