//! Whose keys are used: files for programs, loaded for what runs in this process.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use waxseal_pki::{Settings, TrustPolicy};
use waxseal_smime::{Identity, Time};
use waxseal_stores::{load_certificates, load_identity};
use waxseal_tests::openssl::{self, Authority};

use crate::mail::{FROM, TO};
use crate::{PROVIDER, provider};

/// A kind of key: as `openssl req -newkey` takes it, and how it receives.
pub type Key = (&'static str, &'static str);
/// RSA with 2048 bits.
pub const RSA: Key = ("rsa:2048", "keyEncipherment");
/// On the curve P-256.
pub const P256: Key = ("ec -pkeyopt ec_paramgen_curve:P-256", "keyAgreement");

/// A sender and a recipient with RSA-2048 keys, and the authority that vouches for both.
pub struct People {
    directory: PathBuf,
    /// The sender's files.
    pub sender: openssl::Identity,
    /// The recipient's files.
    pub recipient: openssl::Identity,
    /// The sender, who signs.
    pub signer: Identity,
    /// The sender with a key on P-256.
    pub signer_p256: Identity,
    /// The recipient, who decrypts.
    pub reader: Identity,
    /// Trusts the authority.
    pub trust: TrustPolicy,
    /// When all certificates are valid.
    pub now: Time,
}

impl People {
    /// Makes them with OpenSSL in this directory.
    pub fn make(directory: &Path) -> Self {
        let authority = Authority::new(directory);
        for (serial, address, (key, usage)) in [(1, FROM, RSA), (2, TO, RSA), (3, FROM, P256)] {
            authority.issue_with(serial, address, key, usage);
        }
        Self::load(directory)
    }

    /// Those that were made in this directory.
    pub fn load(directory: &Path) -> Self {
        let files = |serial: u32, address: &str| openssl::Identity {
            address: address.to_owned(),
            certificate: directory.join(format!("{serial}.pem")),
            key: directory.join(format!("{serial}.key")),
            serial,
        };
        let (sender, recipient) = (files(1, FROM), files(2, TO));
        let anchors = load_certificates(&directory.join("root.pem")).unwrap();
        Self {
            directory: directory.to_owned(),
            signer: identity(&sender),
            signer_p256: identity(&files(3, FROM)),
            reader: identity(&recipient),
            trust: TrustPolicy::new(anchors, Settings::default(), provider()),
            now: now(),
            sender,
            recipient,
        }
    }

    /// The root's certificate, in PEM.
    pub fn root(&self) -> PathBuf {
        self.directory.join("root.pem")
    }

    /// A place for files of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn identity(files: &openssl::Identity) -> Identity {
    let loaded = load_identity(
        "bench",
        &files.certificate,
        Some(&files.key),
        None,
        &PROVIDER,
    );
    loaded.unwrap().into_signer(now()).unwrap()
}

/// The time that it is.
pub fn now() -> Time {
    let since = UNIX_EPOCH.elapsed().unwrap().as_secs();
    Time::from_unix(i64::try_from(since).unwrap())
}
