//! What the guest's handles stand for.
#![allow(unreachable_pub)] // the generated bindings re-export these

use std::sync::Arc;

use waxseal_message::{Address, Message, Part};

use crate::capabilities::{Candidates, CertificateView, Layer, Parameters, Signature, Unwrapped};
use crate::plan::{Digest, HeaderEdit, Opening, Recipe, Step};

/// `mail.message`.
#[derive(Clone)]
pub struct MessageHandle {
    recipe: Recipe,
    view_digest: Digest,
}

impl MessageHandle {
    pub(crate) fn plain(message: Message) -> Self {
        Self::of(&Recipe::plain(message))
    }

    /// What came out of a protected message.
    pub(crate) fn unwrapped(inside: Unwrapped, from: Recipe) -> Self {
        let mut readers = inside.readers;
        let before = from
            .opening
            .as_ref()
            .and_then(|known| known.readers.as_ref());
        if let Some(before) = before {
            match &mut readers {
                Some(readers) => readers.retain(|reader| before.contains(reader)),
                None => readers = Some(before.clone()),
            }
        }
        let opening = Opening {
            key: inside.digest,
            readers,
            closed: from,
        };
        Self::of(&Recipe {
            digest: inside.digest.into(),
            opening: Some(Arc::new(opening)),
            ..Recipe::plain(inside.message)
        })
    }

    pub(crate) fn of(recipe: &Recipe) -> Self {
        let view_digest = match has_edits(&recipe.steps) {
            true => Digest::default(),
            false => recipe.digest.clone(),
        };
        Self {
            recipe: recipe.clone(),
            view_digest,
        }
    }

    pub(crate) fn recipe(&self) -> Recipe {
        self.recipe.clone()
    }

    /// How it reads.
    pub(crate) fn view(&self) -> &Message {
        &self.recipe.view
    }

    /// SHA-256 of what it reads as.
    pub(crate) fn view_digest(&self) -> [u8; 32] {
        self.view_digest.of(&self.recipe.view)
    }

    /// With one more edit: of the message itself before its first protection, outside of
    /// it afterwards.
    pub(crate) fn edited(&self, edit: HeaderEdit) -> Result<Self, waxseal_message::Error> {
        let view = edit.apply(&self.recipe.view)?;
        if self.recipe.steps.is_empty() {
            return Ok(Self::of(&Recipe {
                opening: self.recipe.opening.clone(),
                ..Recipe::plain(view)
            }));
        }
        let mut edited = self.clone();
        edited.recipe.view = view;
        edited.recipe.steps.push(Step::Edit(edit));
        edited.view_digest = Digest::default();
        Ok(edited)
    }
}

fn has_edits(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Edit(_)))
}

/// `mail.part`.
#[derive(Clone)]
pub struct PartHandle {
    pub(crate) message: Message,
    pub(crate) id: Arc<str>,
}

impl PartHandle {
    /// The part: a handle is made only for one that is there, and messages do not change.
    pub(crate) fn part(&self) -> wasmtime::Result<Part<'_>> {
        self.message
            .part(&self.id)
            .ok_or_else(|| wasmtime::Error::msg(format!("no part {}", self.id)))
    }
}

/// `session.transaction`: there is one for each evaluation, in the store.
#[derive(Clone)]
pub struct TransactionHandle;

/// `types.certificate`.
#[derive(Clone)]
pub struct CertificateHandle(pub(crate) Arc<CertificateView>);

/// `certificates.candidates`.
#[derive(Clone)]
pub struct CandidatesHandle {
    pub(crate) address: Address,
    pub(crate) found: Arc<Candidates>,
}

/// `protect.options`.
#[derive(Clone, Default)]
pub struct OptionsHandle {
    pub(crate) parameters: Parameters,
}

/// `inspect.layer`.
#[derive(Clone)]
pub struct LayerHandle(pub(crate) Arc<Layer>);

/// `inspect.signature`.
#[derive(Clone)]
pub struct SignatureHandle(pub(crate) Arc<Signature>);
