//! Makes keys and names the files that they and their certificates go into.

use std::io::Write;
use std::path::{Path, PathBuf};

use waxseal_smime::{Certificate, KeyAlgorithm, PrivateKey};
use waxseal_stores::{
    Passphrase, Pkcs12Entry, Pkcs12Options, Secret, pem_certificate, pem_encrypted_private_key,
    pem_private_key, write_pkcs12,
};
use zeroize::Zeroizing;

use crate::crypto::provider;
use crate::output::{self, Access};
use crate::progress::Spinner;
use crate::report::{Exit, Failure};

/// What becomes of a new key when there is no passphrase.
pub(super) const CLEAR: &str = "Without a passphrase the private key is written in clear, for \
its owner alone, and the PKCS #12 file opens with an empty one.";

/// A new private key, in both of its forms.
pub(super) struct NewKey {
    /// DER of PKCS #8 PrivateKeyInfo.
    pub(super) pkcs8: Zeroizing<Vec<u8>>,
    /// The key in use.
    pub(super) key: Box<dyn PrivateKey>,
}

/// Makes a key; large RSA keys take seconds.
pub(super) fn new_key(kind: &KeyAlgorithm) -> Result<NewKey, Failure> {
    let _spinner = Spinner::start(format!("making a key ({kind})"));
    let provider = provider();
    let pkcs8 = provider
        .generate_key(kind)
        .map_err(waxseal_smime::Error::from)?;
    let key = provider
        .load_key(&pkcs8)
        .map_err(waxseal_smime::Error::from)?;
    Ok(NewKey { pkcs8, key })
}

/// The files of one certificate or request: a directory and a stem.
pub(super) struct Place {
    directory: PathBuf,
    stem: String,
}

impl Place {
    /// Makes the directory. A key that lies there already is never overwritten; this says so
    /// before any work is done.
    pub(super) fn prepare(directory: &Path, name: &str) -> Result<Self, Failure> {
        output::create_directory(directory)?;
        let place = Self {
            directory: directory.to_owned(),
            stem: stem(name),
        };
        for file in [
            place.key(),
            place.certificate(),
            place.pkcs12(),
            place.request(),
        ] {
            if file.exists() {
                let message = format!("file exists: {}", file.display());
                return Err(Failure::new(Exit::CannotCreate, message)
                    .hint("choose another --out, or move the file away"));
            }
        }
        Ok(place)
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.file(".pem")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.file(".key.pem")
    }

    pub(super) fn pkcs12(&self) -> PathBuf {
        self.file(".p12")
    }

    pub(super) fn request(&self) -> PathBuf {
        self.file(".csr.pem")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}{ending}", self.stem))
    }
}

/// An address or a short name as a file name.
fn stem(name: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "@._+-=".contains(c);
    let stem: String = name
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    // Neither hidden nor an option.
    match stem.strip_prefix(['.', '-']) {
        Some(rest) => format!("_{rest}"),
        None => stem,
    }
}

/// Writes the private key for its owner alone, encrypted when there is a passphrase.
pub(super) fn write_key(
    place: &Place,
    key: &NewKey,
    secret: Option<&Secret>,
) -> Result<(), Failure> {
    let pem = match secret {
        None => pem_private_key(&key.pkcs8),
        Some(secret) => Zeroizing::new(pem_encrypted_private_key(
            &key.pkcs8,
            secret,
            Pkcs12Options::default(),
            provider().as_ref(),
        )?),
    };
    output::create(&place.key(), pem.as_bytes(), Access::Private)
}

/// Writes certificate and chain, leaf first.
pub(super) fn write_certificates(
    path: &Path,
    certificates: &[&Certificate],
) -> Result<(), Failure> {
    let pem: String = certificates
        .iter()
        .map(|each| pem_certificate(each))
        .collect();
    output::create(path, pem.as_bytes(), Access::Shared)
}

/// Writes key, certificate and chain as PKCS #12.
pub(super) fn write_container(
    place: &Place,
    key: &NewKey,
    certificate: &Certificate,
    chain: &[Certificate],
    secret: Option<&Secret>,
) -> Result<(), Failure> {
    let entry = Pkcs12Entry {
        name: &place.stem,
        key: &key.pkcs8,
        certificate,
    };
    // Every PKCS #12 file is encrypted under something; with no passphrase, the empty one.
    let empty = Secret::new("");
    let octets = write_pkcs12(
        &[entry],
        chain,
        secret.unwrap_or(&empty),
        Pkcs12Options::default(),
        provider().as_ref(),
    )?;
    output::create(&place.pkcs12(), &octets, Access::Private)
}

/// Reads the passphrase that protects new keys, if one was given.
pub(super) fn secret(passphrase: Option<Passphrase>) -> Result<Option<Secret>, Failure> {
    Ok(passphrase.map(|passphrase| passphrase.read()).transpose()?)
}

/// DER as PEM (RFC 7468).
pub(super) fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let mut out = format!("-----BEGIN {label}-----\n").into_bytes();
    let base64 = waxseal_message::base64_lines(der);
    let digits: Vec<u8> = base64
        .into_iter()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    for line in digits.chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    // Writing to a vector does not fail.
    let _ = writeln!(out, "-----END {label}-----");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_file_names() {
        assert_eq!(stem("alice@example.org"), "alice@example.org");
        assert_eq!(stem("../a b/c"), "_._a_b_c");
        assert_eq!(stem("-x"), "_x");
    }

    #[test]
    fn pem_lines() {
        let text = String::from_utf8(pem("CERTIFICATE REQUEST", &[0; 50])).unwrap();
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [35, 64, 4, 33]);
    }
}
