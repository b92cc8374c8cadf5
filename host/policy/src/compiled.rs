//! Compiled components, kept for the next generation: mostly it has the filters of the last one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::component::Component;

/// How many are kept.
const KEPT: usize = 128;

/// Components of one engine, those used lately at the end.
#[derive(Default)]
pub(crate) struct Compiled(Mutex<Vec<([u8; 32], Component)>>);

impl Compiled {
    /// The component that the digest stands for, compiled if it is not there.
    pub(crate) fn find(
        &self,
        digest: [u8; 32],
        compile: impl FnOnce() -> wasmtime::Result<Component>,
    ) -> wasmtime::Result<Component> {
        if let Some(component) = self.known(&digest) {
            return Ok(component);
        }
        let component = compile()?;
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((digest, component.clone()));
        Ok(component)
    }

    fn known(&self, digest: &[u8; 32]) -> Option<Component> {
        let mut kept = self.lock();
        let index = kept.iter().position(|(known, _)| known == digest)?;
        let found = kept.remove(index);
        let component = found.1.clone();
        kept.push(found);
        Some(component)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<([u8; 32], Component)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
