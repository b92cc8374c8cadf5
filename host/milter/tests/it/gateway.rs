//! A listener, running, with the policy of `policy`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waxseal_milter::{Server, Settings};
use waxseal_relay::Relay;
use waxseal_service::{Service, Settings as ServiceSettings, listen};

use crate::policy;

/// How a listener is set up.
pub(crate) struct Options {
    pub(crate) service: ServiceSettings,
    pub(crate) listener: Settings,
    pub(crate) relay: Option<Arc<Relay>>,
}

/// A running listener.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    server: Arc<Server>,
    stop: CancellationToken,
    serving: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// With two workers, and without a next hop.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut options = Options {
            service: ServiceSettings {
                workers: 2,
                wait: Duration::from_secs(60),
                ..ServiceSettings::default()
            },
            listener: Settings::new("ours"),
            relay: None,
        };
        change(&mut options);
        let service = Service::new(policy::engine(), options.service);
        let server = Server::new(options.listener, service, options.relay);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let mut gateway = Self {
            address: listener.local_addr().unwrap(),
            runtime,
            server,
            stop: CancellationToken::new(),
            serving: Vec::new(),
        };
        gateway.serve(listen::Socket::Tcp(listener));
        gateway
    }

    /// Listens on a Unix socket too.
    pub(crate) fn at(&mut self, path: &Path) {
        let entered = self.runtime.enter();
        let listener = UnixListener::bind(path).unwrap();
        drop(entered);
        self.serve(listen::Socket::Unix(listener));
    }

    fn serve(&mut self, socket: listen::Socket) {
        let served = Arc::clone(&self.server).serve(socket, self.stop.clone());
        self.serving.push(self.runtime.spawn(served));
    }

    /// Asks it to stop.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has stopped.
    pub(crate) fn stopped(mut self) {
        self.stop.cancel();
        for serving in std::mem::take(&mut self.serving) {
            self.runtime.block_on(serving).unwrap();
        }
    }
}
