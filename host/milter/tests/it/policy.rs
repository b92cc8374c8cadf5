//! A policy directory whose filter does what the field X-Do of a message says.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::json;
use waxseal_config::{LoadOptions, Providers, load};
use waxseal_engine::Engine;
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{KeyAlgorithm, Provider, Time};
use waxseal_stores::{pem_certificate, pem_private_key};

const DAY: i64 = 86_400;

const CONFIGURATION: &str = r#"
[[filter]]
name = "rules"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles", "quarantine", "discard"]
settings = "rules.json"

[origin]
listeners = ["ours"]
domains = ["example.org"]

[profile.signed]
mode = "sign"

[profile.secret]
mode = "encrypt"
missing-certificate = "drop"

[identity.alice]
file = "identities/alice.pem"
"#;

/// What X-Do may ask for. The verdicts have texts that are awkward to quote.
fn rules() -> serde_json::Value {
    let when = |word: &str| json!({ "header": { "name": "X-Do", "value": word } });
    json!({ "rules": [
        {
            "when": when("reject"),
            "then": { "verdict": { "reject": {
                "code": 554, "enhanced": "5.7.1", "text": "100% no: müller",
            } } },
        },
        {
            "when": when("defer"),
            "then": { "verdict": { "defer": {
                "code": 450, "enhanced": "4.7.1", "text": "not now",
            } } },
        },
        { "when": when("quarantine"), "then": { "verdict": { "quarantine": "look at it" } } },
        {
            "when": when("quarantine-secret"),
            "then": { "require-encryption": "all", "verdict": { "quarantine": "look at it" } },
        },
        { "when": when("discard"), "then": { "verdict": "discard" } },
        {
            "when": when("edit"),
            "then": { "headers": {
                "remove": ["X-Gone"],
                "replace": { "Subject": "changed" },
                "add": { "X-New": "on top" },
            } },
        },
        { "when": when("sign"), "then": { "apply": { "profile": "signed" } } },
        { "when": when("encrypt"), "then": { "apply": { "profile": "secret" } } },
        {
            "when": { "all": [when("route"), { "recipient": "bob@example.net" }] },
            "then": { "route": { "add": { "X-For": "bob" } } },
        },
        {
            "when": { "all": [when("refuse"), { "recipient": "bob@example.net" }] },
            "then": { "refuse": { "text": "not to bob" } },
        },
        {
            "when": { "all": [
                when("facts"),
                { "auth-user": "alice", "client-ip": "192.0.2.1", "client-name": "client.example",
                  "helo": "laptop", "tls": "TLSv1.3",
                  "property": { "name": "{daemon_name}", "value": "submission" } },
            ] },
            "then": { "headers": { "add": { "X-Facts": "known" } } },
        },
    ] })
}

/// The engine of that policy. Mail through the listener `ours` from alice@example.org is signed
/// on demand; carol@example.net has a certificate.
pub(crate) fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    Arc::clone(ENGINE.get_or_init(|| Arc::new(loaded())))
}

fn loaded() -> Engine {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/../../filters/dist/rules.wasm");
    write(place, "filters/rules.wasm", &fs::read(component).unwrap());
    write(place, "waxseal.toml", CONFIGURATION.as_bytes());
    write(place, "rules.json", rules().to_string().as_bytes());
    let now = now();
    let (alice, key) = certificate("alice@example.org", now);
    write(place, "identities/alice.pem", (alice + &key).as_bytes());
    private(&place.join("identities/alice.pem"));
    let (carol, _) = certificate("carol@example.net", now);
    write(place, "certificates/carol.pem", carol.as_bytes());
    let limits = RuntimeLimits {
        slots: 4,
        ..RuntimeLimits::default()
    };
    let runtime = Runtime::new(&limits).unwrap();
    let options = LoadOptions { now };
    let providers = Providers::new("aws-lc", Arc::new(AwsLc));
    let loaded = load(place, &runtime, &providers, &options);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    Engine::new(loaded.generation)
}

fn now() -> Time {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    Time::from_unix(i64::try_from(now).unwrap())
}

fn certificate(address: &str, now: Time) -> (String, String) {
    let pkcs8 = AwsLc.generate_key(&KeyAlgorithm::EcP256).unwrap();
    let key = AwsLc.load_key(&pkcs8).unwrap();
    let template = Template {
        common_name: address.into(),
        organization: None,
        addresses: vec![Address::parse(address).unwrap()],
        not_before: now.plus(-DAY),
        not_after: now.plus(90 * DAY),
    };
    let certificate = certgen::self_signed(&template, key.as_ref(), &AwsLc).unwrap();
    (
        pem_certificate(&certificate),
        pem_private_key(&pkcs8).to_string(),
    )
}

fn write(place: &Path, name: &str, octets: &[u8]) {
    let path = place.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, octets).unwrap();
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
