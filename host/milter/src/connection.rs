//! One connection of an MTA: octets in and out, and the time that it takes.

use std::future::Future;
use std::time::{Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use waxseal_engine::Transaction;
use waxseal_message::unix_seconds;
use waxseal_policy::reply::Reply;
use waxseal_policy::transaction::Recipient;
use waxseal_relay::{Envelope, Relay, Replies};
use waxseal_service::{NoRoom, Processed, Room, listen};

use crate::Error;
use crate::answer::{self, Answer, NextHop, Way};
use crate::codec::{Command, Packets, Response};
use crate::message::Received;
use crate::received::Trace;
use crate::server::Server;
use crate::session::{Session, Step};

/// Octets read at a time, and at most ahead of what we are at.
const READ: usize = 16 << 10;

/// Octets from which on they are written, though more follows.
const WRITE: usize = 16 << 10;

/// One connection.
pub(crate) struct Connection<'a> {
    server: &'a Server,
    reader: ReadHalf<Box<dyn listen::Stream>>,
    writer: WriteHalf<Box<dyn listen::Stream>>,
    packets: Packets,
    session: Session,
    stop: CancellationToken,
    /// For the octets of the message that is under way, and how many those are.
    room: Option<Room>,
    held: usize,
    out: Vec<u8>,
}

impl<'a> Connection<'a> {
    /// Serves it to its end.
    pub(crate) async fn serve(
        server: &'a Server,
        accepted: listen::Connection,
        stop: CancellationToken,
    ) {
        let listener = server.settings.listener.clone();
        metrics::counter!("waxseal_milter_connections_total", "listener" => listener.clone())
            .increment(1);
        let (reader, writer) = tokio::io::split(accepted.stream);
        let mut connection = Self {
            server,
            reader,
            writer,
            packets: Packets::default(),
            session: Session::new(listener.clone(), server.settings.limits.clone()),
            stop,
            room: None,
            held: 0,
            out: Vec::new(),
        };
        match connection.run().await {
            Ok(()) | Err(Error::Stopping) => {}
            Err(error) => {
                let name = error.name();
                metrics::counter!(
                    "waxseal_milter_errors_total", "listener" => listener.clone(), "error" => name
                )
                .increment(1);
                tracing::warn!(listener, peer = ?accepted.peer, %error, "milter connection ended");
            }
        }
    }

    async fn run(&mut self) -> Result<(), Error> {
        while let Some(command) = self.next().await? {
            match self.session.take(command)? {
                Step::Silence => {}
                Step::Say(response) => self.say(&response).await?,
                Step::Refuse(reply) => {
                    self.refuse(&reply).await?;
                    self.release();
                }
                Step::Decide(received) => {
                    self.decide(*received).await?;
                    self.release();
                }
                Step::Close => break,
            }
            // After all that: the octets of a message count until we are done with it.
            self.account();
        }
        Ok(())
    }

    /// The next command; `None` when the MTA has closed the connection between messages.
    async fn next(&mut self) -> Result<Option<Command>, Error> {
        let mut stopping = false;
        loop {
            if let Some((command, data)) = self.packets.next_packet()? {
                return Command::parse(command, data).map(Some);
            }
            let timeouts = &self.server.settings.timeouts;
            let patience = match (self.packets.is_empty(), stopping) {
                (true, false) => timeouts.idle,
                (true, true) if !self.session.is_in_message() => return Err(Error::Stopping),
                // A message under way may come to its end.
                (true, true) => timeouts.stay,
                (false, _) => timeouts.packet,
            };
            self.packets.buffer().reserve(READ);
            let buffer = self.packets.buffer();
            let read = tokio::select! {
                read = timeout(patience, self.reader.read_buf(buffer)) => read,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    continue;
                }
            };
            match read.map_err(|_| Error::Silence(patience))?? {
                0 if self.packets.is_empty() && !self.session.is_in_message() => return Ok(None),
                0 => return Err(Error::HungUp),
                _ => {}
            }
        }
    }

    async fn say(&mut self, response: &Response) -> Result<(), Error> {
        self.write(response).await?;
        self.flush().await
    }

    /// Small packets go together.
    async fn write(&mut self, response: &Response) -> Result<(), Error> {
        response.encode(&mut self.out);
        match self.out.len() < WRITE {
            true => Ok(()),
            false => self.flush().await,
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let patience = self.server.settings.timeouts.packet;
        let written = timeout(patience, async {
            self.writer.write_all(&self.out).await?;
            self.writer.flush().await
        });
        written.await.map_err(|_| Error::Silence(patience))??;
        self.out.clear();
        Ok(())
    }

    /// What a message needed is not kept while a session idles.
    fn release(&mut self) {
        self.out = Vec::new();
        self.packets.release();
    }

    /// A message that was wrong before the policy could see it.
    async fn refuse(&mut self, reply: &Reply) -> Result<(), Error> {
        let id = self.server.service.new_id();
        tracing::info!(id, listener = self.server.settings.listener, %reply, "message refused");
        let name = if reply.code < 500 { "defer" } else { "reject" };
        self.answer(&answer::refusal(reply, &id, name)).await
    }

    async fn decide(&mut self, received: Received) -> Result<(), Error> {
        let server = self.server;
        let arrived = Instant::now();
        let id = server.service.new_id();
        let (hop, trace) = match &server.relay {
            Some(relay) => (NextHop::Some, Some(trace(server, relay))),
            None => (NextHop::None, None),
        };
        if trace.as_ref().is_some_and(|trace| trace.is_loop(&received)) {
            return self.refuse(&looping()).await;
        }
        let transaction = transaction(&received, hop);
        let processing = server.service.process(id.clone(), transaction);
        let Some(mut processed) = self.meanwhile(arrived, processing).await? else {
            return self.answer(&too_late(&id)).await;
        };
        let answer = match answer::way(&received, &processed.outcome.disposition, hop, &id) {
            Way::Say(answer) => answer,
            Way::Relay => {
                let disposition = &mut processed.outcome.disposition;
                if let Some(trace) = trace {
                    trace.mark(disposition, &received.session, &id);
                }
                let relaying = relay(server, &received, &processed, arrived);
                match self.meanwhile(arrived, relaying).await? {
                    Some(reply) => {
                        processed.next_hop_replied(reply.to_string());
                        answer::relayed(&reply, &id)
                    }
                    None => too_late(&id),
                }
            }
        };
        drop(received);
        // Not told, not done: dropping `processed` unconcluded says that we were abandoned.
        self.answer(&answer).await?;
        processed.conclude(answer.ending);
        Ok(())
    }

    async fn answer(&mut self, answer: &Answer) -> Result<(), Error> {
        for response in &answer.responses {
            self.write(response).await?;
        }
        self.flush().await?;
        let listener = self.server.settings.listener.clone();
        metrics::counter!(
            "waxseal_milter_answers_total", "listener" => listener, "answer" => answer.name
        )
        .increment(1);
        Ok(())
    }

    /// Waits for work, telling the MTA now and then that we are at it. `None` when it takes too
    /// long. An MTA that has gone away is an error, and the work is dropped: nobody would hear
    /// of it, and the message will come again.
    async fn meanwhile<T>(
        &mut self,
        arrived: Instant,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Error> {
        let timeouts = &self.server.settings.timeouts;
        let late = sleep_until((arrived + timeouts.stay).into());
        let mut progress = tokio::time::interval_at(
            (Instant::now() + timeouts.progress).into(),
            timeouts.progress,
        );
        tokio::pin!(work, late);
        loop {
            let room = READ.saturating_sub(self.packets.buffer().len());
            self.packets.buffer().reserve(room);
            let buffer = self.packets.buffer();
            tokio::select! {
                done = &mut work => return Ok(Some(done)),
                () = &mut late => return Ok(None),
                _ = progress.tick() => self.say(&Response::Progress).await?,
                read = self.reader.read_buf(buffer), if room > 0 => {
                    if read? == 0 {
                        return Err(Error::HungUp);
                    }
                }
            }
        }
    }

    /// Asks the service for room for what the session holds; without it the message is deferred.
    fn account(&mut self) {
        let held = self.session.held();
        if held == 0 {
            (self.room, self.held) = (None, 0);
        }
        let more = held.saturating_sub(self.held);
        if more > 0 {
            let room = self.room.get_or_insert_with(|| self.server.service.room());
            match room.grow(more) {
                Ok(()) => self.held = held,
                Err(NoRoom) => {
                    self.session.refuse_for_now();
                    (self.room, self.held) = (None, 0);
                }
            }
        }
    }
}

fn too_late(id: &str) -> Answer {
    answer::deferral("4.4.7", "not done in time; try again later", id)
}

/// RFC 3463: 5.4.6, routing loop detected.
fn looping() -> Reply {
    Reply::new(554, "5.4.6", "mail goes in circles")
}

fn trace<'a>(server: &'a Server, relay: &'a Relay) -> Trace<'a> {
    Trace {
        hostname: &relay.settings().hostname,
        listener: &server.settings.listener,
    }
}

fn transaction(received: &Received, hop: NextHop) -> Transaction {
    Transaction {
        queue_id: received.queue_id.clone(),
        sender: received.sender.clone(),
        sender_parameters: received.sender_parameters.clone(),
        recipients: recipients(received),
        octets: received.octets.clone(),
        session: received.session.clone(),
        abilities: answer::abilities(received.agreed, hop),
        time: unix_seconds(SystemTime::now()),
    }
}

fn recipients(received: &Received) -> Vec<Recipient> {
    let recipients = received.recipients.iter();
    recipients
        .map(|forward| forward.recipient.clone())
        .collect()
}

/// The next hop's reply; a deferral where there is none.
async fn relay(
    server: &Server,
    received: &Received,
    processed: &Processed,
    arrived: Instant,
) -> Reply {
    let envelope = Envelope {
        id: processed.id.clone(),
        sender: received.sender.clone(),
        sender_parameters: received.sender_parameters.clone(),
        recipients: recipients(received),
        ours: processed.outcome.ours,
        octets: received.octets.clone(),
        arrived,
    };
    let disposition = &processed.outcome.disposition;
    let replies = match &server.relay {
        Some(relay) => relay.carry_out(&envelope, disposition, Replies::One).await,
        None => Vec::new(),
    };
    let nothing = || Reply::deferral("4.3.0", "the next hop said nothing");
    replies.into_iter().next().unwrap_or_else(nothing)
}
