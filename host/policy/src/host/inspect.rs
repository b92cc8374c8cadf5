//! `inspect`, `harvest` and `open`: what is protected already.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::waxseal::filter::{harvest, inspect, open, types};
use crate::capabilities::{CallError, ErrorKind};
use crate::plan::Recipe;

use super::convert::seconds;
use super::handles::{
    CertificateHandle, LayerHandle, MessageHandle, SignatureHandle, TransactionHandle,
};
use super::{HostState, Refusal, ok};

impl inspect::Host for HostState {
    fn layers(
        &mut self,
        message: Resource<MessageHandle>,
    ) -> Result<Vec<Resource<LayerHandle>>, Refusal> {
        let message = self.held(&message)?;
        let answer = self.ask(|_, host| host.layers(&message.recipe()));
        let layers = self.recorded(
            "inspect.layers",
            String::new,
            answer.map_err(Refusal::from),
            |layers| {
                let words = layers.iter();
                let words = words.map(|layer| format!("{} {}", layer.kind, layer.state));
                words.collect::<Vec<_>>().join(", ")
            },
        )?;
        let layers = layers.into_iter();
        layers
            .map(|layer| self.lend(LayerHandle(Arc::new(layer))))
            .collect()
    }

    fn unwrap_signature(
        &mut self,
        message: Resource<MessageHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let recipe = self.held(&message)?.recipe();
        let answer = unprotected(&recipe)
            .and_then(|()| self.ask(|_, host| host.unwrap_signature(&recipe)))
            .map_err(Refusal::from);
        let inside = self.recorded("inspect.unwrap-signature", String::new, answer, ok)?;
        self.lend(MessageHandle::unwrapped(inside, recipe))
    }
}

impl inspect::HostLayer for HostState {
    fn kind(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.kind.clone())
    }

    fn state(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.state.clone())
    }

    fn problem(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<Option<types::Error>> {
        Ok(self.held(&handle)?.0.problem.clone().map(Into::into))
    }

    fn signatures(
        &mut self,
        handle: Resource<LayerHandle>,
    ) -> wasmtime::Result<Vec<Resource<SignatureHandle>>> {
        let layer = self.held(&handle)?.0;
        let signatures = layer.signatures.iter().cloned();
        signatures
            .map(|signature| self.lend_or_trap(SignatureHandle(Arc::new(signature))))
            .collect()
    }

    fn form(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.form.clone())
    }

    fn weak(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<Vec<String>> {
        Ok(self.held(&handle)?.0.weak.clone())
    }

    fn drop(&mut self, handle: Resource<LayerHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl inspect::HostSignature for HostState {
    fn signer(
        &mut self,
        handle: Resource<SignatureHandle>,
    ) -> wasmtime::Result<Option<Resource<CertificateHandle>>> {
        let signer = self.held(&handle)?.0.signer.clone();
        signer
            .map(|signer| self.lend_or_trap(CertificateHandle(signer)))
            .transpose()
    }

    fn state(&mut self, handle: Resource<SignatureHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.state.clone())
    }

    fn problem(
        &mut self,
        handle: Resource<SignatureHandle>,
    ) -> wasmtime::Result<Option<types::Error>> {
        Ok(self.held(&handle)?.0.problem.clone().map(Into::into))
    }

    fn digest_algorithm(&mut self, handle: Resource<SignatureHandle>) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.digest_algorithm.clone())
    }

    fn signature_algorithm(
        &mut self,
        handle: Resource<SignatureHandle>,
    ) -> wasmtime::Result<String> {
        Ok(self.held(&handle)?.0.signature_algorithm.clone())
    }

    fn signing_time(
        &mut self,
        handle: Resource<SignatureHandle>,
    ) -> wasmtime::Result<Option<types::Time>> {
        Ok(self.held(&handle)?.0.signing_time.map(seconds))
    }

    fn matches_from(&mut self, handle: Resource<SignatureHandle>) -> wasmtime::Result<bool> {
        Ok(self.held(&handle)?.0.matches_from)
    }

    fn drop(&mut self, handle: Resource<SignatureHandle>) -> wasmtime::Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }
}

impl harvest::Host for HostState {
    fn harvest(
        &mut self,
        _: Resource<TransactionHandle>,
        message: Resource<MessageHandle>,
    ) -> Result<(), Refusal> {
        let recipe = self.held(&message)?.recipe();
        let answer = self.ask(|table, host| {
            host.check_harvest(&recipe)?;
            Arc::make_mut(table).harvest(recipe.key());
            Ok(())
        });
        let answer = answer.map_err(Refusal::from);
        self.recorded("harvest.harvest", String::new, answer, ok)
    }
}

impl open::Host for HostState {
    fn can_decrypt(&mut self, message: Resource<MessageHandle>) -> wasmtime::Result<bool> {
        let message = self.held(&message)?;
        let can = self.ask(|_, host| Ok(host.can_decrypt(&message.recipe())));
        Ok(can.unwrap_or(false))
    }

    fn decrypt(
        &mut self,
        message: Resource<MessageHandle>,
    ) -> Result<Resource<MessageHandle>, Refusal> {
        let recipe = self.held(&message)?.recipe();
        let answer = unprotected(&recipe)
            .and_then(|()| self.ask(|_, host| host.decrypt(&recipe)))
            .map_err(Refusal::from);
        let inside = self.recorded("open.decrypt", String::new, answer, |inside| {
            let readers = inside.readers.iter().flatten().map(ToString::to_string);
            format!("for {}", readers.collect::<Vec<_>>().join(" "))
        })?;
        self.lend(MessageHandle::unwrapped(inside, recipe))
    }
}

/// A message that is to be protected reads as what is inside, but what would come off is not
/// there yet.
fn unprotected(recipe: &Recipe) -> Result<(), CallError> {
    if recipe.steps.is_empty() {
        return Ok(());
    }
    Err(CallError::new(
        ErrorKind::InvalidArgument,
        "message.to-be-protected",
        "the message is to be protected: open it before",
    ))
}
