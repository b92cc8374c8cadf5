//! STARTTLS to the next hop: off, may, must.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use waxseal_relay::{Error, Relay, Tls};

use crate::hop::Act::{Go, Say};
use crate::hop::{Hop, Offers, Stage};
use crate::{delivery, one, relay, to};

/// A certificate for `hop.example`, its own authority, made by OpenSSL.
struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=hop.example"])
            .args(["-addext", "subjectAltName=DNS:hop.example"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(directory.path())
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{made:?}");
        Self { directory }
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = self.directory.path().join("key.pem");
        let chain = CertificateDer::pem_file_iter(self.certificate()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                chain.map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn must(ca: &Path, name: &str) -> Tls {
    Tls::Must {
        ca: ca.to_owned(),
        name: name.to_owned(),
    }
}

fn offering(acceptor: Option<TlsAcceptor>) -> Offers {
    Offers {
        tls: acceptor,
        ..Offers::default()
    }
}

/// The reply, and the commands that the hop heard.
async fn send(hop: &Hop, tls: Tls) -> (String, Vec<String>) {
    let mut settings = to(hop);
    settings.tls = tls;
    let relay = relay(settings);
    let reply = one(&relay, delivery(&[&["bob@example.net"]])).await;
    let verbs = hop.lines().into_iter();
    let verbs = verbs.map(|line| line.split([' ', ':']).next().unwrap().to_owned());
    (reply, verbs.collect())
}

const ENCRYPTED: [&str; 6] = ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"];
const CLEAR: [&str; 4] = ["EHLO", "MAIL", "RCPT", "DATA"];
const GOOD: &str = "250 2.0.0 id=ID1 queued";

#[tokio::test]
async fn it_is_encrypted_where_it_can_be() {
    let authority = Authority::new();
    for tls in [Tls::May, must(&authority.certificate(), "hop.example")] {
        let hop = Hop::start(offering(Some(authority.acceptor())), |_| Go).await;
        let (reply, verbs) = send(&hop, tls).await;
        assert_eq!(reply, GOOD);
        assert_eq!(verbs, ENCRYPTED);
    }
    let hop = Hop::start(offering(Some(authority.acceptor())), |_| Go).await;
    let (reply, verbs) = send(&hop, Tls::Off).await;
    assert_eq!(reply, GOOD);
    assert_eq!(verbs, CLEAR);
}

#[tokio::test]
async fn may_falls_back() {
    let authority = Authority::new();
    let hop = Hop::start(offering(None), |_| Go).await;
    assert_eq!(send(&hop, Tls::May).await.0, GOOD);
    let refuse = |asked: &crate::hop::Asked<'_>| match asked.stage {
        Stage::StartTls => Say("454 4.7.0 not now"),
        _ => Go,
    };
    let hop = Hop::start(offering(Some(authority.acceptor())), refuse).await;
    let (reply, verbs) = send(&hop, Tls::May).await;
    assert_eq!(reply, GOOD);
    assert_eq!(verbs[..2], ["EHLO", "STARTTLS"]);
    assert_eq!(verbs[2..], CLEAR);
}

#[tokio::test]
async fn must_never_falls_back() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let ca = authority.certificate();
    let check = async |hop: Hop, tls: Tls, expected: &str| {
        let (reply, verbs) = send(&hop, tls).await;
        assert!(reply.starts_with(expected), "{reply}");
        assert!(!verbs.contains(&"MAIL".to_owned()), "{verbs:?}");
        assert_eq!(hop.taken(), []);
    };
    let hop = Hop::start(offering(None), |_| Go).await;
    check(hop, must(&ca, "hop.example"), "451 4.7.10 id=ID1").await;
    let hop = Hop::start(offering(Some(authority.acceptor())), |asked| {
        match asked.stage {
            Stage::StartTls => Say("454 4.7.0 not now"),
            _ => Go,
        }
    })
    .await;
    check(hop, must(&ca, "hop.example"), "451 4.3.0 id=ID1").await;
    // Another name, another authority.
    let hop = Hop::start(offering(Some(authority.acceptor())), |_| Go).await;
    check(hop, must(&ca, "other.example"), "451 4.4.2 id=ID1").await;
    let hop = Hop::start(offering(Some(stranger.acceptor())), |_| Go).await;
    check(hop, must(&ca, "hop.example"), "451 4.4.2 id=ID1").await;
}

/// Words slipped in behind the answer to STARTTLS would count as encrypted (CVE-2011-0411).
#[tokio::test]
async fn nothing_said_in_clear_counts_after_starttls() {
    let authority = Authority::new();
    let hop = Hop::start(offering(Some(authority.acceptor())), |asked| {
        match asked.stage {
            Stage::StartTls => Say("220 go\r\n250-hop.example\r\n250 X"),
            _ => Go,
        }
    })
    .await;
    let (reply, verbs) = send(&hop, must(&authority.certificate(), "hop.example")).await;
    assert_eq!(
        reply,
        "451 4.5.0 id=ID1 next hop: STARTTLS: an answer to no question"
    );
    assert_eq!(verbs, ["EHLO", "STARTTLS"]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let hop = Hop::start(offering(None), |_| Go).await;
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let refused = |tls: Tls| {
        let mut settings = to(&hop);
        settings.tls = tls;
        Relay::new(settings).err().unwrap()
    };
    let error = refused(must(&empty, "hop.example"));
    assert!(matches!(error, Error::Authorities { .. }), "{error}");
    let error = refused(must(&directory.path().join("none.pem"), "hop.example"));
    assert!(matches!(error, Error::Authorities { .. }), "{error}");
    let authority = Authority::new();
    let error = refused(must(&authority.certificate(), "not a name"));
    assert_eq!(error.to_string(), "not a name of a TLS server: not a name");
}
