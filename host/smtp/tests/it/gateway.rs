//! The whole way: a policy directory with the stock filter `rules`, a service, a relay to a
//! next hop, and listeners on the loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waxseal_config::LoadOptions;
use waxseal_engine::Engine;
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_relay::{Hop, Relay, Tls};
use waxseal_service::{Service, listen};
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{KeyAlgorithm, Provider, Time};
use waxseal_smtp::{Protocol, Server, Settings};
use waxseal_stores::{pem_certificate, pem_private_key};

const DAY: i64 = 86_400;

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time::from_unix(i64::try_from(since.unwrap().as_secs()).unwrap())
}

/// A policy of one rule and one profile, named `p`. `a@a.example` can sign; `b@b.example` and
/// `d@d.example` have certificates.
pub(crate) struct Policy(pub(crate) tempfile::TempDir);

impl Policy {
    pub(crate) fn new(rule: &str, profile: &str, more: &str) -> Self {
        let policy = Self(tempfile::tempdir().unwrap());
        let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/../../filters/dist/rules.wasm");
        policy.write("filters/rules.wasm", std::fs::read(filter).unwrap());
        let rules = match rule {
            "" => r#"{ "rules": [] }"#.to_owned(),
            rule => format!(r#"{{ "rules": [{rule}] }}"#),
        };
        policy.write("rules.json", rules);
        policy.write(
            "waxseal.toml",
            format!(
                "[[filter]]\nname = \"rules\"\ncomponent = \"filters/rules.wasm\"\n\
             grant = [\"actions\", \"inspect\", \"profiles:p\", \"quarantine\", \"discard\"]\n\
             settings = \"rules.json\"\n\
             [origin]\nlisteners = [\"ours\"]\nnetworks = [\"10.0.0.0/8\"]\n\
             domains = [\"a.example\"]\n\
             [identity.a]\nfile = \"identities/a.pem\"\n\
             [profile.p]\n{profile}\n{more}"
            ),
        );
        let (certificate, key) = certificate("a@a.example");
        policy.write("identities/a.pem", certificate + &key);
        private(&policy.0.path().join("identities/a.pem"));
        for address in ["b@b.example", "d@d.example"] {
            policy.write(
                &format!("certificates/{address}.pem"),
                certificate_of(address),
            );
        }
        policy
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, octets).unwrap();
    }

    pub(crate) fn service(&self) -> Arc<Service> {
        let runtime = Runtime::new(&RuntimeLimits {
            slots: 2,
            ..RuntimeLimits::default()
        });
        let options = LoadOptions { now: now() };
        let providers = waxseal_config::Providers::new("aws-lc", Arc::new(AwsLc));
        let loaded = waxseal_config::load(self.0.path(), &runtime.unwrap(), &providers, &options)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let settings = waxseal_service::Settings {
            workers: 2,
            wait: Duration::from_secs(30),
            ..waxseal_service::Settings::default()
        };
        Service::new(Arc::new(Engine::new(loaded.generation)), settings)
    }
}

fn certificate_of(address: &str) -> String {
    certificate(address).0
}

fn certificate(address: &str) -> (String, String) {
    let pkcs8 = AwsLc.generate_key(&KeyAlgorithm::EcP256).unwrap();
    let key = AwsLc.load_key(&pkcs8).unwrap();
    let template = Template {
        common_name: address.into(),
        organization: None,
        addresses: vec![Address::parse(address).unwrap()],
        not_before: now().plus(-DAY),
        not_after: now().plus(300 * DAY),
    };
    let certificate = certgen::self_signed(&template, key.as_ref(), &AwsLc).unwrap();
    (
        pem_certificate(&certificate),
        pem_private_key(&pkcs8).to_string(),
    )
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn relay(protocol: Protocol, port: u16) -> Arc<Relay> {
    Relay::new(waxseal_relay::Settings {
        name: "hop".into(),
        hostname: "gw.example".into(),
        protocol: match protocol {
            Protocol::Smtp => waxseal_relay::Protocol::Smtp,
            Protocol::Lmtp => waxseal_relay::Protocol::Lmtp,
        },
        address: Hop::Tcp("127.0.0.1".into(), port),
        tls: Tls::Off,
        connections: 4,
        timeout: Duration::from_secs(20),
        stay: Duration::from_secs(60),
    })
    .unwrap()
}

/// A running listener.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

impl Gateway {
    pub(crate) async fn start(
        settings: Settings,
        service: Arc<Service>,
        relay: Arc<Relay>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = Server::new(settings, service, relay);
        let served = tokio::spawn(server.serve(listen::Socket::Tcp(listener), stop.clone()));
        Self {
            address,
            stop,
            served,
        }
    }
}
