//! One listener: accepts connections up to a number, and stops taking new ones when told.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A bound socket.
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
}

/// The other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP, from this address.
    Tcp(SocketAddr),
    /// Over a Unix socket: whoever its permissions let in.
    Unix,
}

/// A stream of octets in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An accepted connection.
pub struct Connection {
    /// The octets.
    pub stream: Box<dyn Stream>,
    /// Who it is.
    pub peer: Peer,
}

/// Serves each connection in a task of its own until `stop`; then returns when all of them have
/// ended. Connections beyond `most` wait in the kernel's queue.
pub async fn serve<F, Served>(socket: Socket, most: usize, stop: CancellationToken, serve: F)
where
    F: Fn(Connection) -> Served,
    Served: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next(&socket, &places) => accepted,
        };
        let Some((connection, place)) = accepted else {
            // Out of file descriptors, most likely: what is open must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let served = serve(connection);
        tasks.spawn(async move {
            served.await;
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn next(
    socket: &Socket,
    places: &Arc<Semaphore>,
) -> Option<(Connection, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok(connection) => Some((connection, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}

impl Socket {
    async fn accept(&self) -> std::io::Result<Connection> {
        Ok(match self {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Connection {
                    stream: Box::new(stream),
                    peer: Peer::Tcp(peer),
                }
            }
            Socket::Unix(listener) => Connection {
                stream: Box::new(listener.accept().await?.0),
                peer: Peer::Unix,
            },
        })
    }
}
