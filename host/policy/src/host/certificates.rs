//! `certificates`: what the host found for whom.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::certificates::{self, Rejected};
use crate::capabilities::{CallError, Candidates};

use super::handles::{CandidatesHandle, CertificateHandle};
use super::{HostState, Refusal, address, addresses, ok};

impl certificates::HostCandidates for HostState {
    fn address(&mut self, handle: Resource<CandidatesHandle>) -> wasmtime::Result<String> {
        Ok(self.handles.get(&handle)?.address.to_string())
    }

    fn usable(
        &mut self,
        handle: Resource<CandidatesHandle>,
    ) -> wasmtime::Result<Vec<Resource<CertificateHandle>>> {
        let found = self.held(&handle)?.found;
        let usable = found.usable.iter();
        usable
            .map(|certificate| self.lend_or_trap(CertificateHandle(certificate.clone())))
            .collect()
    }

    fn rejected(&mut self, handle: Resource<CandidatesHandle>) -> wasmtime::Result<Vec<Rejected>> {
        let found = self.held(&handle)?.found;
        let rejected = found.rejected.iter();
        Ok(rejected
            .map(|(certificate, reason)| Rejected {
                fingerprint_sha256: certificate.fingerprint_sha256.to_vec(),
                reason: reason.clone().into(),
            })
            .collect())
    }

    fn drop(&mut self, handle: Resource<CandidatesHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl certificates::Host for HostState {
    fn for_recipient(&mut self, recipient: String) -> Result<Resource<CandidatesHandle>, Refusal> {
        let answer = address(&recipient).and_then(|address| {
            let found = self.ask(|_, host| host.candidates(&address))?;
            Ok((address, found))
        });
        let answer = self.recorded(
            "certificates.for-recipient",
            || recipient,
            answer.map_err(Refusal::from),
            |(_, found)| in_words(found),
        );
        let (address, found) = answer?;
        self.lend(CandidatesHandle {
            address,
            found: Arc::new(found),
        })
    }

    fn missing(&mut self, recipients: Vec<String>) -> Result<Vec<String>, Refusal> {
        let answer = self.without_certificate(&recipients);
        let arguments = || recipients.join(" ");
        self.recorded(
            "certificates.missing",
            arguments,
            answer.map_err(Refusal::from),
            |missing| match missing.is_empty() {
                true => "none".to_owned(),
                false => missing.join(" "),
            },
        )
    }

    fn validate(&mut self, certificate: Resource<CertificateHandle>) -> Result<(), Refusal> {
        let certificate = self.held(&certificate)?.0;
        let answer = self.ask(|_, host| host.validate(&certificate));
        let arguments = || certificate.subject.clone();
        let answer = answer.map_err(Refusal::from);
        self.recorded("certificates.validate", arguments, answer, ok)
    }

    fn signer_for(&mut self, sender: String) -> Result<Option<String>, Refusal> {
        let answer = address(&sender)
            .and_then(|address| self.ask(|_, host| host.signer_for(&address)))
            .map(|name| name.filter(|name| self.may_sign_by_sender(name)));
        self.recorded(
            "certificates.signer-for",
            || sender,
            answer.map_err(Refusal::from),
            |name| name.clone().unwrap_or_else(|| "none".to_owned()),
        )
    }
}

impl HostState {
    /// Those of `recipients`, as given, that nobody can encrypt to.
    fn without_certificate(&mut self, recipients: &[String]) -> Result<Vec<String>, CallError> {
        let mut missing = Vec::new();
        for (text, address) in recipients.iter().zip(addresses(recipients)?) {
            let found = self.ask(|_, host| host.candidates(&address))?;
            if found.usable.is_empty() {
                missing.push(text.clone());
            }
        }
        Ok(missing)
    }
}

fn in_words(found: &Candidates) -> String {
    let (usable, rejected) = (found.usable.len(), found.rejected.len());
    format!("{usable} usable, {rejected} rejected")
}
