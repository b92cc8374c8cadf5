//! Against `smtp-sink` of Postfix, which shares no author with us.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use waxseal_relay::{Hop, Protocol};

use crate::{delivery, each, one, refusal, relay, settings};

struct Sink {
    process: Child,
    directory: tempfile::TempDir,
}

impl Sink {
    /// Listens on a Unix socket and writes each message into a file of its own.
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let process = Command::new("smtp-sink")
            // It insists on being told so.
            .args(if is_root { &["-u", "root"][..] } else { &[] })
            .args(options)
            .args(["-d", "taken."])
            .args(["unix:socket", "100"])
            .current_dir(directory.path())
            .env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .spawn()
            .expect("smtp-sink of Postfix is installed");
        let sink = Self { process, directory };
        let began = Instant::now();
        while UnixStream::connect(sink.socket()).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "smtp-sink did not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        sink
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// The dumps: envelope as X-… fields, then the message, with LF.
    fn taken(&self) -> Vec<String> {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let mut taken: Vec<_> = files
            .filter(|path| path.to_string_lossy().contains("taken."))
            .map(|path| read(&path))
            .collect();
        taken.sort();
        taken
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn copies_and_a_report_over_smtp() {
    let sink = Sink::start(&[]);
    let mut copies = delivery(&[&["a@example.net", "b@example.net"], &["c@example.net"]]);
    copies.copies[1] = crate::copy("Subject: dots\r\n\r\n.\r\n..x\r\n", &["c@example.net"]);
    copies.refusals = vec![refusal("d@example.net")];
    let relay = relay(settings(Hop::Unix(sink.socket())));
    let capabilities = relay.capabilities().await.unwrap();
    assert!(
        capabilities.pipelining && capabilities.eight_bit_mime,
        "{capabilities:?}"
    );
    let reply = one(&relay, copies).await;
    assert!(reply.starts_with("250 2.0.0 id=ID1 "), "{reply}");
    let taken = sink.taken();
    assert_eq!(taken.len(), 3, "{taken:#?}");
    let all = taken.join("\n");
    for words in [
        "X-Mail-Args: <alice@example.org>",
        "X-Rcpt-Args: <a@example.net>\nX-Rcpt-Args: <b@example.net>",
        "\nSubject: dots\n\n.\n..x\n",
        "X-Mail-Args: <>",
        "X-Rcpt-Args: <alice@example.org>",
        "Final-Recipient: rfc822; d@example.net",
    ] {
        assert!(all.contains(words), "{words}\n{all}");
    }
}

#[tokio::test]
async fn each_recipient_over_lmtp() {
    let sink = Sink::start(&["-L"]);
    let mut settings = settings(Hop::Unix(sink.socket()));
    settings.protocol = Protocol::Lmtp;
    let copies = delivery(&[&["a@example.net", "b@example.net"], &["c@example.net"]]);
    let replies = each(&relay(settings), copies).await;
    assert_eq!(replies.len(), 3);
    for reply in &replies {
        assert!(reply.starts_with("250 2.2.0 id=ID1 "), "{reply}");
    }
    assert_eq!(sink.taken().len(), 2);
}

/// `-Q`, `-q`, `-r`: it hangs up, or refuses, at a command.
#[tokio::test]
async fn misfortunes_of_a_real_hop() {
    for (options, expected) in [
        (["-q", "mail"], "451 4.4.2 id=ID1"),
        (["-q", "data"], "451 4.4.2 id=ID1"),
        (["-q", "."], "451 4.4.2 id=ID1"),
        // Its last words may be lost with the connection.
        (["-Q", "rcpt"], "451 4."),
        (["-A", "0"], "550 5.0.0 id=ID1"),
        (["-r", "rcpt"], "450 4.3.0 id=ID1"),
        (["-r", "data"], "450 4.3.0 id=ID1"),
        (["-r", "."], "450 4.3.0 id=ID1"),
        (["-f", "mail"], "451 4.3.0 id=ID1"),
        (["-f", "rcpt"], "451 4.3.0 id=ID1"),
        (["-f", "."], "451 4.3.0 id=ID1"),
    ] {
        let sink = Sink::start(&options);
        let relay = relay(settings(Hop::Unix(sink.socket())));
        let reply = one(&relay, delivery(&[&["a@example.net"]])).await;
        assert!(reply.starts_with(expected), "{options:?}: {reply}");
    }
}
