//! Identities, a context and the `openssl` command for the tests of this directory.
//!
//! A test that needs `openssl` fails when it is missing: it never passes without having run.

use crate::PROVIDER;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use waxseal_message::{Address, Limits, Message};
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{Certificate, Context, Identity, KeyAlgorithm, Provider, Time};

/// 2026-11-24T15:00:00Z, for signing times and validity.
pub(crate) const NOW: Time = Time::from_unix(1_795_532_400);
const YEAR: i64 = 365 * 86_400;

/// Somebody with a key that OpenSSL can have too.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) pkcs8: Vec<u8>,
}

impl Person {
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.identity.certificate
    }
}

/// Opens with no key, and asks nobody for trust.
pub(crate) fn opening() -> waxseal_smime::open::Opening<'static> {
    waxseal_smime::open::Opening {
        provider: &PROVIDER,
        now: NOW,
        limits: limits(),
        keys: Vec::new(),
        secrets: &[],
        trust: None,
        certificates: &[],
        allow_weak: false,
        clock_skew: 0,
    }
}

/// Opens with these keys.
pub(crate) fn opening_with(keys: &[&'static Person]) -> waxseal_smime::open::Opening<'static> {
    waxseal_smime::open::Opening {
        keys: keys.iter().map(|person| &person.identity).collect(),
        ..opening()
    }
}

pub(crate) fn limits() -> &'static Limits {
    static LIMITS: OnceLock<Limits> = OnceLock::new();
    LIMITS.get_or_init(Limits::default)
}

pub(crate) fn context() -> Context<'static> {
    context_at(NOW)
}

pub(crate) fn context_at(now: Time) -> Context<'static> {
    Context {
        provider: &PROVIDER,
        now,
        limits: limits(),
    }
}

pub(crate) fn template(name: &str) -> Template {
    let address = format!("{}@example.org", name.to_lowercase().replace(' ', "."));
    Template {
        common_name: name.into(),
        organization: Some("Example".into()),
        addresses: vec![Address::parse(&address).unwrap()],
        not_before: NOW.plus(-YEAR),
        not_after: NOW.plus(YEAR),
    }
}

/// The test authority, made once for each test program.
pub(crate) fn authority() -> &'static Person {
    static AUTHORITY: OnceLock<Person> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let pkcs8 = PROVIDER
            .generate_key(&KeyAlgorithm::EcP256)
            .unwrap()
            .to_vec();
        let key = PROVIDER.load_key(&pkcs8).unwrap();
        let template = Template {
            addresses: vec![],
            ..template("Test Authority")
        };
        let certificate = certgen::authority(&template, &*key, &PROVIDER).unwrap();
        let identity = Identity::new("authority", certificate, vec![], Arc::from(key)).unwrap();
        Person { identity, pkcs8 }
    })
}

pub(crate) fn person_of(template: &Template, algorithm: &KeyAlgorithm) -> Person {
    let pkcs8 = PROVIDER.generate_key(algorithm).unwrap().to_vec();
    let key = PROVIDER.load_key(&pkcs8).unwrap();
    let issuer = authority();
    let certificate = certgen::leaf(
        template,
        key.public_key_info(),
        issuer.certificate(),
        &*issuer.identity.key,
        &PROVIDER,
    );
    let chain = vec![issuer.certificate().clone()];
    let identity = Identity::new("person", certificate.unwrap(), chain, Arc::from(key)).unwrap();
    Person { identity, pkcs8 }
}

/// One person for each algorithm, made once for each test program.
pub(crate) fn person(algorithm: &str) -> &'static Person {
    static PERSONS: [(&str, OnceLock<Person>); 7] = [
        ("rsa-2048", OnceLock::new()),
        ("rsa-3072", OnceLock::new()),
        ("ec-p256", OnceLock::new()),
        ("ec-p384", OnceLock::new()),
        ("ec-p521", OnceLock::new()),
        ("ed25519", OnceLock::new()),
        ("x25519", OnceLock::new()),
    ];
    let (name, cell) = PERSONS.iter().find(|(name, _)| *name == algorithm).unwrap();
    let name = format!("Holder of {name}");
    cell.get_or_init(|| person_of(&template(&name), &algorithm.parse().unwrap()))
}

/// Somebody whose self-signed certificate OpenSSL makes, valid from the moment of the call.
pub(crate) fn foreign(new_key: &str, key_usage: &str) -> Person {
    let bench = Workbench::new();
    bench.run(&format!(
        "req -x509 -newkey {new_key} -nodes -keyout key.pem -outform der -out cert.der \
         -subj /CN=foreign -days 3650 -addext keyUsage={key_usage}"
    ));
    let pkcs8 = bench.run("pkcs8 -topk8 -nocrypt -in key.pem -outform der");
    let key = PROVIDER.load_key(&pkcs8).unwrap();
    let certificate = Certificate::from_der(&bench.read("cert.der")).unwrap();
    let identity = Identity::new("foreign", certificate, vec![], Arc::from(key)).unwrap();
    Person { identity, pkcs8 }
}

pub(crate) const MAIL: &[u8] = b"Received: from here\r\n\
From: Holder <holder.of.rsa-2048@example.org>\r\n\
To: Somebody Else <somebody@example.com>\r\n\
Subject: =?utf-8?q?Caf=C3=A9?= in the =?utf-8?q?garden?=\r\n\
Date: Tue, 24 Nov 2026 16:00:00 +0100\r\n\
Message-ID: <one@example.org>\r\n\
Keywords: secret, plan\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"b\"\r\n\
\r\n\
--b\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: 8bit\r\n\
\r\n\
Gr\xc3\xbc\xc3\x9fe from here \r\n\
From there\r\n\
--b\r\n\
Content-Type: application/octet-stream; name=\"data.bin\"\r\n\
Content-Transfer-Encoding: base64\r\n\
\r\n\
AAECAwQFBgc=\r\n\
--b--\r\n";

pub(crate) fn mail() -> Message {
    message(MAIL)
}

pub(crate) fn message(octets: &[u8]) -> Message {
    Message::parse(octets.to_vec(), limits()).unwrap()
}

/// A directory of its own for one use of `openssl`.
pub(crate) struct Workbench(PathBuf);

impl Workbench {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openssl-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn put(&self, name: &str, octets: &[u8]) -> &Self {
        std::fs::write(self.0.join(name), octets).unwrap();
        self
    }

    pub(crate) fn certificate(&self, name: &str, certificate: &Certificate) -> &Self {
        self.put(name, pem("CERTIFICATE", certificate.to_der()).as_bytes())
    }

    pub(crate) fn key(&self, name: &str, pkcs8: &[u8]) -> &Self {
        self.put(name, pem("PRIVATE KEY", pkcs8).as_bytes())
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Runs `openssl` in the directory. Fails the test when there is no such command.
    pub(crate) fn openssl(&self, arguments: &str) -> Output {
        Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("this test needs the openssl command")
    }

    /// Runs `openssl`, which must succeed; gives its standard output.
    pub(crate) fn run(&self, arguments: &str) -> Vec<u8> {
        let output = self.openssl(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {errors}");
        output.stdout
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        // A failing test leaves its files for inspection.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = String::from_utf8(waxseal_message::base64_lines(der)).unwrap();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        body.replace('\r', "").trim()
    )
}

/// A directory of the shared corpus, which is optional: `None` says loudly that the test did
/// not run, and in CI that is a failure.
pub(crate) fn corpus(set: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let root = std::env::var_os("WAXSEAL_CORPUS").map_or_else(default, PathBuf::from);
    let path = root.join(set);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}",
        path.display()
    );
    eprintln!(
        "NOT RUN: no corpus at {}; set WAXSEAL_CORPUS",
        path.display()
    );
    None
}

/// The files of a directory, with their names, in order.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

/// What a PEM file holds.
pub(crate) fn from_pem(octets: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(octets);
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1);
    let body: String = lines
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    let mail = format!("Content-Transfer-Encoding: base64\r\n\r\n{body}");
    message(mail.as_bytes()).root().decoded().into_owned()
}

/// Octets of hexadecimal digits, whatever stands between them.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| byte.is_ascii_hexdigit())
        .collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
