//! A next hop that keeps what it takes, and refuses whom it is told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One message that it said 250 to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The whole MAIL command.
    pub(crate) mail: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) message: String,
}

pub(crate) struct Hop {
    pub(crate) port: u16,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// What it says to whom: `refused@…` 550, `deferred@…` 450.
fn to_recipient(address: &str) -> &'static str {
    match address {
        _ if address.starts_with("refused@") => "550 5.1.1 no such user",
        _ if address.starts_with("deferred@") => "450 4.2.0 try later",
        _ => "250 2.1.5 ok",
    }
}

impl Hop {
    /// Speaks SMTP and LMTP, whichever is spoken to it.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::<Mutex<Vec<Kept>>>::default();
        let all = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&all);
                tokio::spawn(async move {
                    let _ = serve(stream, &kept).await;
                });
            }
        });
        Self { port, kept }
    }

    /// What it kept since the last call, in the order of its recipients.
    pub(crate) fn take(&self) -> Vec<Kept> {
        let mut kept = std::mem::take(&mut *self.kept.lock().unwrap());
        kept.sort_by(|a, b| a.recipients.cmp(&b.recipients));
        kept
    }
}

async fn serve(stream: TcpStream, kept: &Mutex<Vec<Kept>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 hop.example ESMTP\r\n").await?;
    let (mut lmtp, mut mail, mut recipients) = (false, String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "LHLO" => {
                lmtp = verb == "LHLO";
                "250-hop.example\r\n250-PIPELINING\r\n250-SIZE 30000000\r\n250-8BITMIME\r\n\
                 250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES"
            }
            "MAIL" => {
                line.clone_into(&mut mail);
                recipients.clear();
                "250 2.1.0 ok"
            }
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let reply = to_recipient(&address);
                if reply.starts_with("250") {
                    recipients.push(address);
                }
                reply
            }
            "DATA" if recipients.is_empty() => "554 5.5.1 nobody",
            "DATA" => {
                stream.write_all(b"354 go\r\n").await?;
                let message = data(&mut stream).await?;
                let count = if lmtp { recipients.len() } else { 1 };
                kept.lock().unwrap().push(Kept {
                    mail: std::mem::take(&mut mail),
                    recipients: std::mem::take(&mut recipients),
                    message,
                });
                let replies = "250 2.0.0 kept\r\n".repeat(count);
                stream.write_all(replies.as_bytes()).await?;
                continue;
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 2.0.0 ok",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

/// Up to CRLF.CRLF, dots unstuffed. A client that goes away before has sent nothing.
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        assert!(line.ends_with(b"\r\n"), "a bare LF: {line:?}");
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return Ok(String::from_utf8(message).unwrap()),
            Some(rest) => message.extend_from_slice(rest),
            None => message.extend_from_slice(&line),
        }
    }
}
