//! Front ends and next hops from the settings of `serve.toml`.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use waxseal_config::serve::{BareNewline, HopAddress, HopProtocol, Listener, NextHop, Protocol};
use waxseal_config::serve::{Serve, Tls};
use waxseal_relay::Relay;
use waxseal_service::Service;
use waxseal_service::listen::Socket;

use crate::report::{Exit, Failure};

/// The relays, by the name of their next hop.
pub(crate) type Relays = BTreeMap<String, Arc<Relay>>;

/// Serves a socket until it is told to stop and everything under way has ended.
pub(crate) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A relay for each next hop. Nothing is connected yet.
pub(crate) fn relays(serve: &Serve, hostname: &str) -> Result<Relays, Failure> {
    let relay = |(name, hop): (&String, &NextHop)| {
        let relay = Relay::new(relay_settings(name, hop, serve, hostname)).map_err(|error| {
            Failure::new(Exit::Config, format_args!("next hop {name}: {error}"))
        })?;
        Ok((name.clone(), relay))
    };
    serve.next_hops.iter().map(relay).collect()
}

fn relay_settings(
    name: &str,
    hop: &NextHop,
    serve: &Serve,
    hostname: &str,
) -> waxseal_relay::Settings {
    waxseal_relay::Settings {
        name: name.to_owned(),
        hostname: hostname.to_owned(),
        protocol: match hop.protocol {
            HopProtocol::Smtp => waxseal_relay::Protocol::Smtp,
            HopProtocol::Lmtp => waxseal_relay::Protocol::Lmtp,
        },
        address: match &hop.address {
            HopAddress::Tcp(host, port) => waxseal_relay::Hop::Tcp(host.clone(), *port),
            HopAddress::Unix(path) => waxseal_relay::Hop::Unix(path.clone()),
        },
        tls: match &hop.tls {
            Tls::Off => waxseal_relay::Tls::Off,
            Tls::May => waxseal_relay::Tls::May,
            Tls::Must { ca, name } => waxseal_relay::Tls::Must {
                ca: ca.clone(),
                name: name.clone(),
            },
        },
        connections: hop.connections,
        timeout: hop.timeout,
        stay: serve.limits.stay,
    }
}

/// One listener's front end.
pub(crate) struct Front<'s> {
    pub(crate) listener: &'s Listener,
    pub(crate) serve: &'s Serve,
    pub(crate) hostname: &'s str,
}

impl Front<'_> {
    /// What serves it: nothing is accepted before the future is polled.
    pub(crate) fn serve(
        &self,
        service: &Arc<Service>,
        relays: &Relays,
        socket: Socket,
        stop: CancellationToken,
    ) -> Result<Serving, Failure> {
        let Listener {
            name,
            protocol,
            next_hop,
            ..
        } = self.listener;
        let relay = next_hop.as_ref().and_then(|name| relays.get(name)).cloned();
        let service = Arc::clone(service);
        match (protocol, relay) {
            (Protocol::Milter, relay) => {
                let settings = milter_settings(self.listener, self.serve);
                let server = waxseal_milter::Server::new(settings, service, relay);
                Ok(Box::pin(server.serve(socket, stop)))
            }
            (Protocol::Smtp | Protocol::Lmtp, Some(relay)) => {
                let settings = smtp_settings(self.listener, self.serve, self.hostname)?;
                let server = waxseal_smtp::Server::new(settings, service, relay);
                Ok(Box::pin(server.serve(socket, stop)))
            }
            (Protocol::Smtp | Protocol::Lmtp, None) => Err(Failure::new(
                Exit::Config,
                format_args!("no next hop, listener: {name}"),
            )),
        }
    }
}

fn milter_settings(listener: &Listener, serve: &Serve) -> waxseal_milter::Settings {
    let mut settings = waxseal_milter::Settings::new(&listener.name);
    settings.max_connections = listener.max_connections;
    settings.limits.message = serve.limits.message;
    settings.timeouts.stay = serve.limits.stay;
    if let Some(timeout) = listener.timeout {
        settings.timeouts.idle = timeout;
    }
    settings
}

fn smtp_settings(
    listener: &Listener,
    serve: &Serve,
    hostname: &str,
) -> Result<waxseal_smtp::Settings, Failure> {
    let protocol = match listener.protocol {
        Protocol::Lmtp => waxseal_smtp::Protocol::Lmtp,
        _ => waxseal_smtp::Protocol::Smtp,
    };
    let mut settings = waxseal_smtp::Settings::new(&listener.name, hostname, protocol);
    if let Some((certificate, key)) = &listener.tls {
        settings.tls = Some(tls(certificate, key)?);
    }
    settings.xforward_from.clone_from(&listener.xforward_from);
    settings.bare_newline = match listener.bare_newline {
        BareNewline::Refuse => waxseal_smtp::BareNewline::Refuse,
        BareNewline::Fix => waxseal_smtp::BareNewline::Fix,
    };
    settings.max_connections = listener.max_connections;
    settings.limits.message = serve.limits.message;
    if let Some(timeout) = listener.timeout {
        settings.timeouts.command = timeout;
    }
    settings.timeouts.stay = serve.limits.stay;
    Ok(settings)
}

/// What STARTTLS is offered with.
fn tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let unusable = |file: &Path, error: &dyn std::fmt::Display| {
        let message = format!("not usable for TLS ({error}): {}", file.display());
        Failure::new(Exit::Config, message)
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(chain, private)
        })
        .map(Arc::new)
        .map_err(|error| unusable(certificate, &error))
}
