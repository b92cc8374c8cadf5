//! STARTTLS (RFC 3207), with rustls, OpenSSL and swaks at the other end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use waxseal_smtp::{Protocol, Settings};

use crate::dialog::{Client, Dialog, Talk, from};
use crate::gateway::{Gateway, Policy, relay};
use crate::hop::Hop;

/// A certificate of `gw.example`, and its file for programs.
struct Tls {
    directory: tempfile::TempDir,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn tls() -> Tls {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("c.pem"),
        directory.path().join("k.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-subj",
            "/CN=gw.example",
            "-addext",
            "subjectAltName=DNS:gw.example",
        ])
        .args([
            "-days",
            "300",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is installed");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Tls {
        directory,
        server: Arc::new(server),
        client: Arc::new(client),
    }
}

async fn begin(tls: &Tls, peer: &str) -> Client {
    let mut dialog = Dialog::new(Protocol::Smtp);
    dialog.settings.tls = Some(Arc::clone(&tls.server));
    dialog.peer = from(peer);
    let mut client = dialog.begin().await;
    client.send(b"EHLO clear.example\r\n").await;
    assert!(client.reply().await.contains("STARTTLS"), "not offered");
    client
}

async fn secured(
    tls: &Tls,
    stream: tokio::io::DuplexStream,
) -> Talk<tokio_rustls::client::TlsStream<tokio::io::DuplexStream>> {
    let name = ServerName::try_from("gw.example").unwrap();
    let connector = TlsConnector::from(Arc::clone(&tls.client));
    Talk::new(
        connector
            .connect(name, stream)
            .await
            .expect("a TLS session"),
    )
}

/// RFC 3207 §4.2: nothing said before counts; §6: nothing slipped in behind STARTTLS is obeyed.
#[tokio::test]
async fn nothing_from_before_counts() {
    let tls = tls();
    let mut client = begin(&tls, "127.0.0.1").await;
    client
        .says(&[
            ("XFORWARD ADDR=10.0.0.1", "250 "),
            ("MAIL FROM:<a@a.example>", "250 "),
            ("STARTTLS", "503 5.5.1"),
            ("RSET", "250 "),
            ("STARTTLS now", "501 5.5.4"),
            ("XFORWARD ADDR=10.0.0.1", "250 "),
        ])
        .await;
    client
        .expect(
            b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@a.example>\r\n",
            "220 2.0.0",
        )
        .await;
    let Client { talk, courier, .. } = client;
    let mut talk = secured(&tls, talk.stream).await;
    talk.says(&[("MAIL FROM:<a@a.example>", "503 5.5.1")]).await;
    talk.send(b"EHLO sealed.example\r\n").await;
    assert!(!talk.reply().await.contains("STARTTLS"), "offered twice");
    talk.says(&[
        ("STARTTLS", "503 5.5.1"),
        ("MAIL FROM:<a@a.example>", "250 "),
        ("RCPT TO:<b@b.example>", "250 "),
        ("DATA", "354 "),
        ("x\r\n.", "250 2.0.0"),
        ("QUIT", "221 |closed"),
    ])
    .await;
    let message = courier.taken.lock().unwrap()[0].clone();
    assert_eq!(message.session.client_ip, None);
    let text = String::from_utf8(message.octets.to_vec()).unwrap();
    assert!(text.starts_with("Received: from sealed.example"), "{text}");
    assert!(text.contains("with ESMTPS id"), "{text}");
}

#[tokio::test]
async fn a_clients_own_tls_is_a_fact() {
    let tls = tls();
    let mut client = begin(&tls, "192.0.2.1").await;
    client.says(&[("STARTTLS", "220 ")]).await;
    let Client { talk, courier, .. } = client;
    let mut talk = secured(&tls, talk.stream).await;
    talk.says(&[
        ("EHLO x", "250-"),
        ("MAIL FROM:<a@a.example>", "250 "),
        ("RCPT TO:<b@b.example>", "250 "),
        ("DATA", "354 "),
        ("x\r\n.", "250 2.0.0"),
    ])
    .await;
    let session = courier.taken.lock().unwrap()[0].session.clone();
    assert_eq!(session.tls_version.as_deref(), Some("TLSv1.3"));
    assert!(session.tls_cipher.unwrap().starts_with("TLS13_"));
}

/// A handshake that fails ends the session: there is no way back into clear.
#[tokio::test]
async fn no_way_back() {
    let tls = tls();
    let mut client = begin(&tls, "127.0.0.1").await;
    client.says(&[("STARTTLS", "220 ")]).await;
    client.send(b"MAIL FROM:<a@a.example>\r\n").await;
    crate::dialog::soon("the session", client.session)
        .await
        .unwrap();
}

async fn gateway(tls: &Tls, protocol: Protocol, hop: &Hop) -> Gateway {
    let policy = Policy::new("", "mode = \"sign\"", "");
    let mut settings = Settings::new("ours", "gw.example", protocol);
    settings.tls = Some(Arc::clone(&tls.server));
    Gateway::start(settings, policy.service(), relay(protocol, hop.port)).await
}

/// A conversation inside `openssl s_client`, in steps of what is said and answered.
fn s_client(port: u16, protocol: &str, root: &std::path::Path, script: &[(&str, &str)]) {
    let mut child = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-crlf",
            "-verify_return_error",
            "-starttls",
            protocol,
        ])
        .args([
            "-servername",
            "gw.example",
            "-verify_hostname",
            "gw.example",
            "-connect",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .arg("-CAfile")
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for (line, expected) in script {
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
        loop {
            let reply = output.next().expect("a reply").unwrap();
            // The last line of what s_client itself was told comes out, too.
            if reply.as_bytes().get(3) == Some(&b'-') || reply.starts_with("250 XFORWARD") {
                continue;
            }
            if reply.starts_with(expected) {
                break;
            }
            assert!(*line == "EHLO x" || *line == "LHLO x", "to {line}: {reply}");
        }
    }
    drop(input);
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_sends_through_starttls() {
    for (protocol, name) in [(Protocol::Smtp, "smtp"), (Protocol::Lmtp, "lmtp")] {
        let (tls, hop) = (tls(), Hop::start().await);
        let gateway = gateway(&tls, protocol, &hop).await;
        let (port, root) = (gateway.address.port(), tls.directory.path().join("c.pem"));
        let hello = if name == "smtp" { "EHLO x" } else { "LHLO x" };
        let script = [
            (hello, "250 "),
            ("MAIL FROM:<a@a.example>", "250 2.1.0"),
            ("RCPT TO:<b@b.example>", "250 2.1.5"),
            ("DATA", "354 "),
            ("Subject: through TLS\n\nhello\n.", "250 2.0.0"),
            ("QUIT", "221 "),
        ];
        tokio::task::spawn_blocking(move || s_client(port, name, &root, &script))
            .await
            .unwrap();
        let kept = hop.take();
        assert_eq!(kept.len(), 1);
        let keyword = if name == "smtp" {
            "with ESMTPS id"
        } else {
            "with LMTPS id"
        };
        assert!(kept[0].message.contains(keyword), "{}", kept[0].message);
        assert!(
            kept[0].message.ends_with("\r\n\r\nhello\r\n"),
            "{}",
            kept[0].message
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaks_sends() {
    let (tls, hop) = (tls(), Hop::start().await);
    let smtp = gateway(&tls, Protocol::Smtp, &hop).await.address.port();
    let lmtp_hop = Hop::start().await;
    let lmtp = gateway(&tls, Protocol::Lmtp, &lmtp_hop)
        .await
        .address
        .port();
    for (arguments, port) in [
        ("--protocol ESMTP --tls", smtp),
        ("--protocol ESMTP --pipeline", smtp),
        ("--protocol SMTP", smtp),
        ("--protocol LMTP --pipeline", lmtp),
        ("--protocol LMTP --tls", lmtp),
    ] {
        let sent = tokio::task::spawn_blocking(move || {
            Command::new("swaks")
                .args(["--server", "127.0.0.1", "--port", &port.to_string()])
                .args(arguments.split(' '))
                .args(["--from", "a@a.example", "--to", "b@b.example,c@c.example"])
                .args(["--helo", "relay.example", "--body", ".dot\n.\nend"])
                .output()
                .expect("swaks is installed")
        })
        .await
        .unwrap();
        let log = String::from_utf8_lossy(&sent.stdout);
        assert!(sent.status.success(), "{arguments}: {log}");
        let kept = if port == smtp {
            hop.take()
        } else {
            lmtp_hop.take()
        };
        assert_eq!(kept.len(), 1, "{arguments}: {log}");
        assert_eq!(
            kept[0].recipients,
            ["b@b.example", "c@c.example"],
            "{arguments}"
        );
        let message = &kept[0].message;
        assert!(
            message.contains("\r\n.dot\r\n.\r\nend\r\n"),
            "{arguments}: {message}"
        );
    }
}
