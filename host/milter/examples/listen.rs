//! A milter of one's own: one policy directory behind one TCP listener.
//!
//! ```text
//! cargo run -p waxseal-milter --example listen -- POLICY-DIR LISTENER 127.0.0.1:8891
//! postconf -e smtpd_milters=inet:127.0.0.1:8891 milter_default_action=tempfail
//! ```

use std::{env, error::Error, path::Path, sync::Arc, time::UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waxseal_config::{LoadOptions, Providers, load};
use waxseal_engine::Engine;
use waxseal_milter::{Server, Settings};
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_service::{Service, Settings as ServiceSettings, listen};
use waxseal_smime::Time;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [policy, listener, address]: [String; 3] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "POLICY-DIR LISTENER ADDRESS:PORT")?;

    let runtime = Runtime::new(&RuntimeLimits::default())?;
    let now = i64::try_from(UNIX_EPOCH.elapsed()?.as_secs())?;
    let options = LoadOptions {
        now: Time::from_unix(now),
    };
    let providers = Providers::new("aws-lc", Arc::new(AwsLc));
    let loaded = load(Path::new(&policy), &runtime, &providers, &options)?;
    let engine = Arc::new(Engine::new(loaded.generation));
    let service = Service::new(engine, ServiceSettings::default());

    // Without a next hop: what a milter cannot express is deferred.
    let server = Server::new(Settings::new(listener), service, None);
    let socket = listen::Socket::Tcp(TcpListener::bind(address).await?);
    let stop = CancellationToken::new();
    let served = tokio::spawn(server.serve(socket, stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    Ok(served.await?)
}
