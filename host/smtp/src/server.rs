//! One listener in front of a service and a next hop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use waxseal_engine::Transaction;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Ability;
use waxseal_relay::{Envelope, Relay, Replies};
use waxseal_service::{Ending, Processed, Service, listen};

use crate::courier::{Answer, Courier, Offer, Room, Submission};
use crate::session::Sessions;
use crate::settings::{Protocol, Settings};

/// How long a client's EHLO may wait for the next hop's.
const ASKING: Duration = Duration::from_secs(5);

/// An SMTP or LMTP listener.
pub struct Server {
    sessions: Arc<Sessions<Onwards>>,
}

impl Server {
    /// A listener that hands what it takes to `service`, and what came of it to `relay`.
    pub fn new(settings: Settings, service: Arc<Service>, relay: Arc<Relay>) -> Arc<Self> {
        let onwards = Onwards {
            replies: match settings.protocol {
                Protocol::Smtp => Replies::One,
                Protocol::Lmtp => Replies::Each,
            },
            stay: settings.timeouts.stay,
            service,
            relay,
        };
        let sessions = Sessions::new(settings, Arc::new(onwards));
        Arc::new(Self { sessions })
    }

    /// Serves connections until `stop`, then finishes the transactions under way and returns.
    pub async fn serve(self: Arc<Self>, socket: listen::Socket, stop: CancellationToken) {
        let most = self.sessions.settings().max_connections;
        listen::serve(socket, most, stop.clone(), |connection| {
            Arc::clone(&self.sessions).run(connection, stop.clone())
        })
        .await;
    }
}

/// The way onwards: the policy decides, the relay delivers.
struct Onwards {
    service: Arc<Service>,
    relay: Arc<Relay>,
    replies: Replies,
    stay: Duration,
}

impl Courier for Onwards {
    fn new_id(&self) -> String {
        self.service.new_id()
    }

    fn room(&self) -> Box<dyn Room> {
        Box::new(self.service.room())
    }

    async fn offer(&self) -> Offer {
        match timeout(ASKING, self.relay.capabilities()).await {
            Ok(Ok(hop)) => Offer {
                size: hop.size_for_clients(),
                eight_bit_mime: hop.eight_bit_mime,
                smtp_utf8: hop.smtp_utf8,
                dsn: hop.dsn,
            },
            _ => Offer::EVERYTHING,
        }
    }

    async fn carry(&self, message: Submission, client: CancellationToken) -> Answer {
        let (id, arrived) = (message.id.clone(), message.arrived);
        let mut envelope = envelope(&message);
        let work = self.service.process(id.clone(), transaction(message));
        let Ok(processed) = timeout_at((arrived + self.stay).into(), work).await else {
            tracing::warn!(id, "the policy took too long; deferred");
            let late = Reply::deferral("4.3.2", "took too long; try again later").with_id(&id);
            return self.answer(&envelope, late, None);
        };
        if client.is_cancelled() {
            // RFC 5321 §4.1.1.10: as if it had got a 4yz. It will send the message again.
            processed.conclude(Ending::Abandoned);
            let gone = Reply::deferral("4.4.2", "client gone").with_id(&id);
            return self.answer(&envelope, gone, None);
        }
        envelope.ours = processed.outcome.ours;
        let disposition = &processed.outcome.disposition;
        let replies = self
            .relay
            .carry_out(&envelope, disposition, self.replies)
            .await;
        Answer {
            replies,
            processed: Some(processed),
        }
    }
}

impl Onwards {
    /// The same reply for everyone.
    fn answer(&self, envelope: &Envelope, reply: Reply, processed: Option<Processed>) -> Answer {
        let count = match self.replies {
            Replies::One => 1,
            Replies::Each => envelope.recipients.len(),
        };
        Answer {
            replies: vec![reply; count],
            processed,
        }
    }
}

fn envelope(message: &Submission) -> Envelope {
    Envelope {
        id: message.id.clone(),
        sender: message.sender.clone(),
        sender_parameters: message.sender_parameters.clone(),
        recipients: message.recipients.clone(),
        ours: false,
        octets: message.octets.clone(),
        arrived: message.arrived,
    }
}

fn transaction(message: Submission) -> Transaction {
    Transaction {
        queue_id: message.queue_id,
        sender: message.sender,
        sender_parameters: message.sender_parameters,
        recipients: message.recipients,
        octets: message.octets,
        session: message.session,
        // Quarantine: where the policy names no address for it, the message waits (4.7.1).
        abilities: BTreeSet::from([Ability::Route, Ability::SetSender, Ability::Quarantine]),
        time: message.time,
    }
}
