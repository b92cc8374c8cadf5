//! Protected messages made to order, where no profile fits. Grant: `protect`.
//!
//! Each call returns another message, which is sent by
//! [`actions::set_message`](crate::actions::set_message) or `route`. An envelope
//! is made for exactly those whom its copy goes to, so those two are what fails
//! with `recipient.no-certificate`.

use crate::{
    Error, bindings::waxseal::filter::protect as host, certificates::Certificate, mail::Message,
};

/// How to protect. What is not set is the profile's or the operator's default;
/// the operator's floor for algorithms and key sizes always holds.
#[derive(Debug)]
pub struct Options(host::Options);

impl Default for Options {
    fn default() -> Self {
        Options(host::Options::new())
    }
}

impl Options {
    /// Starts from a sending profile.
    pub fn from_profile(profile: &str) -> Result<Self, Error> {
        Ok(Options(host::Options::from_profile(profile)?))
    }

    /// The signing identity, by name.
    pub fn signer(self, identity: &str) -> Result<Self, Error> {
        self.0.signer(identity)?;
        Ok(self)
    }

    /// `detached` (multipart/signed) or `opaque`.
    pub fn signature_format(self, format: &str) -> Result<Self, Error> {
        self.0.signature_format(format)?;
        Ok(self)
    }

    /// `sha-256`, `sha-384`, `sha-512`.
    pub fn digest(self, algorithm: &str) -> Result<Self, Error> {
        self.0.digest(algorithm)?;
        Ok(self)
    }

    /// `aes-256-cbc`, `aes-256-gcm`.
    pub fn content_cipher(self, algorithm: &str) -> Result<Self, Error> {
        self.0.content_cipher(algorithm)?;
        Ok(self)
    }

    /// Also encrypts to this one: an archive, a colleague.
    pub fn also_to(self, certificate: &Certificate) -> Self {
        self.0.also_to(certificate);
        self
    }

    /// Also encrypts to the sender's own certificate.
    pub fn include_sender(self) -> Self {
        self.0.include_sender(true);
        self
    }

    /// Not to the sender's own certificate, whatever the profile says.
    pub fn exclude_sender(self) -> Self {
        self.0.include_sender(false);
        self
    }

    /// RFC 9788 header protection.
    pub fn protect_headers(self) -> Self {
        self.0.protect_headers(true);
        self
    }

    /// No header protection, whatever the profile says.
    pub fn expose_headers(self) -> Self {
        self.0.protect_headers(false);
        self
    }
}

/// Signed.
pub fn sign(message: &Message, options: &Options) -> Result<Message, Error> {
    Ok(Message(host::sign(&message.0, &options.0)?))
}

/// Encrypted.
pub fn encrypt(message: &Message, options: &Options) -> Result<Message, Error> {
    Ok(Message(host::encrypt(&message.0, &options.0)?))
}

/// Signed, then encrypted.
pub fn sign_encrypt(message: &Message, options: &Options) -> Result<Message, Error> {
    Ok(Message(host::sign_encrypt(&message.0, &options.0)?))
}

/// Signed, encrypted, signed again (RFC 2634).
pub fn triple_wrap(message: &Message, inner: &Options, outer: &Options) -> Result<Message, Error> {
    Ok(Message(host::triple_wrap(&message.0, &inner.0, &outer.0)?))
}
