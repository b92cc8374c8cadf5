//! `types`: errors and certificates.

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::types;
use crate::capabilities::{CallError, ErrorKind};
use crate::reply::Reply;

use super::handles::CertificateHandle;
use super::{HostState, Refusal};

impl types::Host for HostState {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<types::Error> {
        match refusal {
            Refusal::Error(error) => Ok(error.into()),
            Refusal::Trap(trap) => Err(trap),
        }
    }
}

impl From<CallError> for types::Error {
    fn from(error: CallError) -> Self {
        Self {
            kind: match error.kind {
                ErrorKind::Denied => types::ErrorKind::Denied,
                ErrorKind::NotFound => types::ErrorKind::NotFound,
                ErrorKind::InvalidArgument => types::ErrorKind::InvalidArgument,
                ErrorKind::LimitExceeded => types::ErrorKind::LimitExceeded,
                ErrorKind::Unavailable => types::ErrorKind::Unavailable,
                ErrorKind::Failed => types::ErrorKind::Failed,
            },
            code: error.code,
            message: error.message,
            subject: error.subject,
        }
    }
}

impl From<types::Reply> for Reply {
    fn from(reply: types::Reply) -> Self {
        Self {
            code: reply.code,
            enhanced: reply.enhanced,
            text: reply.text,
        }
    }
}

/// Unix seconds as the contract has them: exact for 285 million years.
pub(super) fn seconds(time: i64) -> types::Time {
    time as f64
}

impl types::HostCertificate for HostState {
    fn subject(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<String> {
        let subject = self.held(&handle)?.0.subject.clone();
        self.give(subject)
    }

    fn issuer(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<String> {
        let issuer = self.held(&handle)?.0.issuer.clone();
        self.give(issuer)
    }

    fn serial(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<String> {
        let serial = self.held(&handle)?.0.serial.clone();
        self.give(serial)
    }

    fn fingerprint_sha256(
        &mut self,
        handle: Resource<CertificateHandle>,
    ) -> wasmtime::Result<Vec<u8>> {
        Ok(self.held(&handle)?.0.fingerprint_sha256.to_vec())
    }

    fn emails(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<Vec<String>> {
        let emails = self.held(&handle)?.0.emails.clone();
        self.charge_or_trap(emails.iter().map(String::len).sum())?;
        Ok(emails)
    }

    fn not_before(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<types::Time> {
        Ok(seconds(self.held(&handle)?.0.not_before))
    }

    fn not_after(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<types::Time> {
        Ok(seconds(self.held(&handle)?.0.not_after))
    }

    fn key_algorithm(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.key_algorithm.clone())
    }

    fn can_encrypt(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<bool> {
        Ok(self.held(&handle)?.0.can_encrypt)
    }

    fn can_sign(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<bool> {
        Ok(self.held(&handle)?.0.can_sign)
    }

    fn source(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.source.clone())
    }

    fn der(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<Vec<u8>> {
        let der = self.held(&handle)?.0.der.clone();
        self.charge_or_trap(der.len())?;
        Ok(der.to_vec())
    }

    fn drop(&mut self, handle: Resource<CertificateHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}
