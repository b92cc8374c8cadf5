//! A throw-away CA and those whom it vouches for, in the layout of `waxseal cert generate`: for
//! `init` and `demo`.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use waxseal_message::{Address, Limits, Message};
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{
    Certificate, Context, EncryptOptions, Identity, KeyAlgorithm, PrivateKey, SignOptions, Then,
    Time,
};
use waxseal_stores::{
    Pkcs12Entry, Pkcs12Options, Secret, pem_certificate, pem_private_key, write_pkcs12,
};
use zeroize::Zeroizing;

use crate::commands::init::write;
use crate::crypto::provider;
use crate::hex::hex;
use crate::output::{self, Access};
use crate::report::{Exit, Failure};

const DAY: i64 = 86_400;
const DAYS: i64 = 730;

/// A CA with its key.
pub(crate) struct Authority {
    /// Its certificate.
    pub(crate) certificate: Certificate,
    key: NewKey,
}

/// A certificate with its key.
pub(crate) struct Holder {
    /// The certificate.
    pub(crate) certificate: Certificate,
    key: NewKey,
}

/// A key as octets and ready for use.
struct NewKey {
    pkcs8: Zeroizing<Vec<u8>>,
    usable: Box<dyn PrivateKey>,
}

impl Authority {
    /// A new CA.
    pub(crate) fn new(name: &str, now: Time) -> Result<Self, Failure> {
        let key = NewKey::make(&KeyAlgorithm::EcP256)?;
        let template = template(name, Vec::new(), now, now.plus(DAYS * DAY));
        let certificate = certgen::authority(&template, key.usable.as_ref(), provider().as_ref());
        Ok(Self {
            certificate: certificate.map_err(broken)?,
            key,
        })
    }

    /// A certificate for an address, as long as the CA's own.
    pub(crate) fn issue(&self, address: &Address, kind: &KeyAlgorithm) -> Result<Holder, Failure> {
        let key = NewKey::make(kind)?;
        let own = &self.certificate;
        let (from, until) = (own.not_before(), own.not_after());
        let template = template(&address.to_string(), vec![address.clone()], from, until);
        let public = key.usable.public_key_info();
        let issuer = self.key.usable.as_ref();
        let certificate = certgen::leaf(&template, public, own, issuer, provider().as_ref());
        Ok(Holder {
            certificate: certificate.map_err(broken)?,
            key,
        })
    }

    /// Writes `ca.pem` and `ca.key.pem`, as `cert generate --ca` reads them.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Failure> {
        write(
            &directory.join("ca.pem"),
            pem_certificate(&self.certificate).as_bytes(),
        )?;
        secret(
            &directory.join("ca.key.pem"),
            pem_private_key(&self.key.pkcs8).as_bytes(),
        )
    }
}

impl Holder {
    /// Writes `NAME.p12` and its passphrase in `NAME.pass`.
    pub(crate) fn write_identity(
        &self,
        directory: &Path,
        name: &str,
        authority: &Authority,
    ) -> Result<(), Failure> {
        let mut random = Zeroizing::new([0; 16]);
        provider().random(random.as_mut()).map_err(broken)?;
        let passphrase = Zeroizing::new(hex(random.as_ref()));
        let entry = Pkcs12Entry {
            name,
            key: &self.key.pkcs8,
            certificate: &self.certificate,
        };
        // The passphrase is random and lies beside the file: iterations would add nothing.
        let options = Pkcs12Options { iterations: 2048 };
        let chain = std::slice::from_ref(&authority.certificate);
        let phrase = Secret::new(passphrase.as_bytes());
        let container = write_pkcs12(&[entry], chain, &phrase, options, provider().as_ref());
        output::create_directory(directory)?;
        secret(
            &directory.join(format!("{name}.p12")),
            &container.map_err(broken)?,
        )?;
        let line = Zeroizing::new(format!("{}\n", passphrase.as_str()));
        secret(&directory.join(format!("{name}.pass")), line.as_bytes())
    }

    /// A mail of the holder's, signed and encrypted to somebody.
    pub(crate) fn sends(
        &self,
        mail: Vec<u8>,
        to: &Certificate,
        now: Time,
    ) -> Result<Bytes, Failure> {
        let limits = Limits::default();
        let context = Context {
            provider: provider().as_ref(),
            now,
            limits: &limits,
        };
        let key = Arc::from(provider().load_key(&self.key.pkcs8).map_err(broken)?);
        let signer = Identity::new("sender", self.certificate.clone(), Vec::new(), key)?;
        let sign = SignOptions {
            then: Then::Encrypt,
            ..SignOptions::default()
        };
        let mail = Message::parse(mail, &limits).map_err(broken)?;
        let signed = waxseal_smime::sign(&mail, &signer, &sign, &context)?;
        let to = [to.clone()];
        let options = EncryptOptions::default();
        let enveloped = waxseal_smime::encrypt(signed.message(), &to, &options, &context)?;
        Ok(enveloped.message().to_bytes())
    }

    /// Writes certificate and key into one PEM file, as `openssl cms -recip` takes it.
    pub(crate) fn write_pem(&self, file: &Path) -> Result<(), Failure> {
        let mut text = Zeroizing::new(pem_certificate(&self.certificate));
        text.push_str(&pem_private_key(&self.key.pkcs8));
        secret(file, text.as_bytes())
    }
}

fn template(name: &str, addresses: Vec<Address>, from: Time, until: Time) -> Template {
    Template {
        common_name: name.to_owned(),
        organization: None,
        addresses,
        not_before: from,
        not_after: until,
    }
}

impl NewKey {
    fn make(kind: &KeyAlgorithm) -> Result<Self, Failure> {
        let pkcs8 = provider().generate_key(kind).map_err(broken)?;
        let usable = provider().load_key(&pkcs8).map_err(broken)?;
        Ok(Self { pkcs8, usable })
    }
}

fn secret(file: &Path, octets: &[u8]) -> Result<(), Failure> {
    if let Some(directory) = file.parent() {
        output::create_directory(directory)?;
    }
    output::create(file, octets, Access::Private)
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Software, error)
}
