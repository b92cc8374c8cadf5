//! A policy directory as an operator has one, loaded into an engine in this process.

use bytes::Bytes;
use waxseal_config::{LoadOptions, Providers, load};
use waxseal_engine::{Disposition, Engine, LayerMade, Outcome, Transaction};
use waxseal_message::{Address, Message};
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_smime::Time;
use waxseal_tests::operator::Policy;

use crate::mail::{FROM, TO};
use crate::people::{Key, now};

/// A rule that looks at the subject and matches no mail of ours.
pub const NO_MATCH: &str =
    r#"{ "when": { "subject": "*[nothing]*" }, "then": { "note": { "a": "b" } } }"#;
/// A rule that protects by the profile `p`.
pub const PROTECT: &str = r#"{ "then": { "apply": { "profile": "p" } } }"#;

/// An engine with a chain of the stock filter `rules`, and a profile `p`.
pub struct Gateway {
    engine: Engine,
    now: Time,
    /// The directory must outlive the engine.
    policy: Policy,
}

impl Gateway {
    /// As many filters, each with these rules; a profile of this mode; a signer with this kind of
    /// key ([`crate::people`]).
    pub fn new(filters: usize, rules: &[&str], mode: &str, key: Key) -> Self {
        let policy = policy(filters, rules, mode, key, "authenticated = true");
        let now = now();
        let runtime = Runtime::new(&RuntimeLimits::default()).unwrap();
        let options = LoadOptions { now };
        let providers = Providers::new("bench", crate::provider());
        let loaded = load(&policy.directory(), &runtime, &providers, &options);
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        Self {
            engine: Engine::new(loaded.generation),
            now,
            policy,
        }
    }

    /// The root's certificate, which the policy trusts.
    pub fn root(&self) -> std::path::PathBuf {
        self.policy.root()
    }

    /// Takes one mail through.
    pub fn process(&self, mail: &Bytes) -> Outcome {
        let (from, to) = (Address::parse(FROM).unwrap(), Address::parse(TO).unwrap());
        let mut transaction = Transaction::new(Some(from), [to], mail.clone(), self.now.unix());
        transaction.session.auth_user = Some(FROM.into());
        self.engine.process(transaction)
    }

    /// Takes one mail through, and gives the only copy; panics unless it has these layers.
    pub fn copy(&self, mail: &Bytes, layers: &[LayerMade]) -> Message {
        let outcome = self.process(mail);
        let Disposition::Deliver(delivery) = outcome.disposition else {
            panic!("no delivery: {:?}", outcome.disposition);
        };
        let [copy] = <[_; 1]>::try_from(delivery.copies).unwrap();
        assert_eq!(copy.layers, layers);
        copy.message
    }
}

/// The policy directory of such a gateway. `origin` says whose mail is ours.
pub fn policy(
    filters: usize,
    rules: &[&str],
    mode: &str,
    (key, usage): Key,
    origin: &str,
) -> Policy {
    let filter = |number| {
        format!(
            "[[filter]]\nname = \"rules-{number}\"\ncomponent = \"filters/rules.wasm\"\n\
             grant = [\"actions\", \"inspect\", \"profiles:p\"]\nsettings = \"rules.json\"\n\n"
        )
    };
    let filters: String = (1..=filters).map(filter).collect();
    let mut policy = Policy::new(&format!(
        "{filters}[origin]\n{origin}\n\n[profile.p]\nmode = \"{mode}\"\n"
    ));
    let rules = format!("{{ \"rules\": [{}] }}", rules.join(", "));
    std::fs::write(policy.directory().join("rules.json"), rules).unwrap();
    policy.signer_with("chief", FROM, key, usage);
    policy.recipient(TO);
    policy.write();
    policy
}
