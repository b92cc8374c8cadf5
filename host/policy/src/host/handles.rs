//! What the guest's handles stand for.
#![allow(unreachable_pub)] // the generated bindings re-export these

use std::sync::{Arc, OnceLock};

use waxseal_message::{Address, Message, Part};

use crate::capabilities::{Candidates, CertificateView, Layer, Parameters, Signature, Unwrapped};
use crate::plan::{HeaderEdit, Opening, Recipe, Step, sha256};

/// `mail.message`: a recipe whose digest is not needed until it goes into the plan.
#[derive(Clone)]
pub struct MessageHandle {
    base: Message,
    digest: Arc<OnceLock<[u8; 32]>>,
    steps: Vec<Step>,
    view: Message,
    view_digest: Arc<OnceLock<[u8; 32]>>,
    opening: Option<Arc<Opening>>,
}

impl MessageHandle {
    pub(crate) fn plain(message: Message) -> Self {
        let digest = Arc::<OnceLock<_>>::default();
        Self {
            view: message.clone(),
            base: message,
            view_digest: digest.clone(),
            digest,
            steps: Vec::new(),
            opening: None,
        }
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
        let handle = Self::of(&Recipe {
            digest: inside.digest,
            view: inside.message.clone(),
            base: inside.message,
            steps: Vec::new(),
            opening: None,
        });
        let opening = Opening {
            key: inside.digest,
            readers,
            closed: from,
        };
        Self {
            opening: Some(Arc::new(opening)),
            ..handle
        }
    }

    pub(crate) fn of(recipe: &Recipe) -> Self {
        let known = Arc::new(OnceLock::from(recipe.digest));
        let view_digest = match has_edits(&recipe.steps) {
            true => Arc::default(),
            false => known.clone(),
        };
        Self {
            base: recipe.base.clone(),
            digest: known,
            steps: recipe.steps.clone(),
            view: recipe.view.clone(),
            view_digest,
            opening: recipe.opening.clone(),
        }
    }

    pub(crate) fn recipe(&self) -> Recipe {
        Recipe {
            base: self.base.clone(),
            digest: *self.digest.get_or_init(|| sha256(&self.base)),
            steps: self.steps.clone(),
            view: self.view.clone(),
            opening: self.opening.clone(),
        }
    }

    /// How it reads.
    pub(crate) fn view(&self) -> &Message {
        &self.view
    }

    /// SHA-256 of what it reads as.
    pub(crate) fn view_digest(&self) -> [u8; 32] {
        *self.view_digest.get_or_init(|| sha256(&self.view))
    }

    /// With one more edit: of the message itself before its first protection, outside of
    /// it afterwards.
    pub(crate) fn edited(&self, edit: HeaderEdit) -> Result<Self, waxseal_message::Error> {
        let view = edit.apply(&self.view)?;
        if self.steps.is_empty() {
            return Ok(Self {
                opening: self.opening.clone(),
                ..Self::plain(view)
            });
        }
        let mut edited = self.clone();
        edited.view = view;
        edited.view_digest = Arc::default();
        edited.steps.push(Step::Edit(edit));
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
