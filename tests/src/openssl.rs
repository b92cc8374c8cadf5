//! The `openssl` program: makes the identities of a test, and reads what Waxseal wrote.
//!
//! Panics when OpenSSL fails at what must work; what may fail returns an `Option`.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certification authority of one test, in a directory.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
}

/// A certificate with its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Whom it is for.
    pub address: String,
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key, PKCS#8, not encrypted.
    pub key: PathBuf,
    /// Its serial number, by which a test recognises it.
    pub serial: u32,
}

impl Authority {
    /// Makes an authority in `directory`.
    pub fn new(directory: &Path) -> Authority {
        std::fs::create_dir_all(directory).unwrap();
        let at = directory.display();
        run(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7300 -subj /CN=Test-Root \
             -addext keyUsage=critical,keyCertSign,cRLSign -keyout {at}/root.key -out {at}/root.pem"
        ));
        Authority {
            directory: directory.to_path_buf(),
        }
    }

    /// The root certificate.
    pub fn root(&self) -> PathBuf {
        self.directory.join("root.pem")
    }

    /// Issues a certificate for signing and encryption, with a new RSA key.
    pub fn issue(&self, serial: u32, address: &str) -> Identity {
        self.issue_with(serial, address, "rsa:2048", "keyEncipherment")
    }

    /// Issues a certificate with a key of another kind: `key` as `openssl req -newkey` takes it,
    /// `usage` is how it receives (`keyEncipherment`, `keyAgreement`).
    pub fn issue_with(&self, serial: u32, address: &str, key: &str, usage: &str) -> Identity {
        let at = self.directory.display();
        let extensions = format!(
            "basicConstraints=critical,CA:FALSE\n\
             keyUsage=critical,digitalSignature,{usage}\n\
             extendedKeyUsage=emailProtection\nsubjectAltName=email:{address}\n"
        );
        std::fs::write(self.directory.join(format!("{serial}.ext")), extensions).unwrap();
        run(&format!(
            "req -new -newkey {key} -nodes -subj /CN=Test-{serial} \
             -keyout {at}/{serial}.key -out {at}/{serial}.csr"
        ));
        run(&format!(
            "x509 -req -in {at}/{serial}.csr -CA {at}/root.pem -CAkey {at}/root.key \
             -set_serial {serial} -days 7300 -extfile {at}/{serial}.ext -out {at}/{serial}.pem"
        ));
        Identity {
            address: address.to_owned(),
            certificate: self.directory.join(format!("{serial}.pem")),
            key: self.directory.join(format!("{serial}.key")),
            serial,
        }
    }
}

impl Identity {
    /// Packs certificate and key as PKCS#12.
    pub fn p12(&self, passphrase: &str) -> PathBuf {
        let file = self.certificate.with_extension("p12");
        let Identity {
            certificate, key, ..
        } = self;
        run(&format!(
            "pkcs12 -export -in {} -inkey {} -out {} -passout pass:{passphrase}",
            certificate.display(),
            key.display(),
            file.display()
        ));
        file
    }
}

/// Verifies the outermost signature of a mail, and gives what it signs; nothing if it is not
/// signed or does not verify.
pub fn verify(mail: &Path, root: &Path) -> Option<Vec<u8>> {
    attempt(&format!(
        "cms -verify -in {} -CAfile {}",
        mail.display(),
        root.display()
    ))
}

/// Opens the outermost envelope of a mail, and gives what is inside; nothing if it is not
/// encrypted to this identity.
pub fn decrypt(mail: &Path, identity: &Identity) -> Option<Vec<u8>> {
    let Identity {
        certificate, key, ..
    } = identity;
    attempt(&format!(
        "cms -decrypt -binary -in {} -recip {} -inkey {}",
        mail.display(),
        certificate.display(),
        key.display()
    ))
}

/// The serial numbers that the RecipientInfos of an encrypted mail name.
pub fn recipients(mail: &Path) -> BTreeSet<u32> {
    let text = print(mail);
    // Only issuerAndSerialNumber carries a serial number; an envelope holds no certificates.
    let serials = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("serialNumber: "));
    serials.map(|serial| serial.parse().unwrap()).collect()
}

/// What a signed or encrypted mail is made of, as OpenSSL prints it.
pub fn print(mail: &Path) -> String {
    let printed = run(&format!("cms -cmsout -print -noout -in {}", mail.display()));
    String::from_utf8_lossy(&printed).into_owned()
}

fn run(arguments: &str) -> Vec<u8> {
    attempt(arguments).unwrap_or_else(|| panic!("openssl {arguments} failed"))
}

/// Arguments hold no spaces of their own: the paths are those of temporary directories.
fn attempt(arguments: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("openssl");
    let output = command
        .args(arguments.split_whitespace())
        .output()
        .expect("openssl is installed");
    output.status.success().then_some(output.stdout)
}
