//! One listener in front of a service and, for what a milter cannot express, a next hop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waxseal_relay::Relay;
use waxseal_service::{Service, listen};

use crate::connection::Connection;
use crate::settings::Settings;

/// A milter listener.
pub struct Server {
    pub(crate) settings: Settings,
    pub(crate) service: Arc<Service>,
    pub(crate) relay: Option<Arc<Relay>>,
}

impl Server {
    /// A listener whose messages `service` decides about. What an MTA cannot be told to do by a
    /// milter goes to `relay`; without one it is deferred.
    pub fn new(settings: Settings, service: Arc<Service>, relay: Option<Arc<Relay>>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            service,
            relay,
        })
    }

    /// Serves connections until `stop`, then finishes the messages under way and returns.
    pub async fn serve(self: Arc<Self>, socket: listen::Socket, stop: CancellationToken) {
        let most = self.settings.max_connections;
        let stopping = stop.clone();
        listen::serve(socket, most, stop, move |accepted| {
            let (server, stop) = (Arc::clone(&self), stopping.clone());
            async move { Connection::serve(&server, accepted, stop).await }
        })
        .await;
    }
}
