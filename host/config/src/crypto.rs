//! `[crypto]`: who computes.

use std::fmt;
use std::sync::Arc;

use waxseal_smime::Provider;

use crate::document::Section;

/// The providers that `[crypto] provider` may name, and which of them computes where no policy
/// names one.
#[derive(Clone)]
pub struct Providers(Vec<(&'static str, Arc<dyn Provider>)>);

impl Providers {
    /// The one that computes where no policy names another.
    pub fn new(name: &'static str, provider: Arc<dyn Provider>) -> Self {
        Self(vec![(name, provider)])
    }

    /// And one that a policy may name.
    #[must_use]
    pub fn and(mut self, name: &'static str, provider: Arc<dyn Provider>) -> Self {
        self.0.push((name, provider));
        self
    }

    /// These with another default. `None` when there is none of this name.
    pub fn with_default(mut self, name: &str) -> Option<Self> {
        let position = self.0.iter().position(|(known, _)| *known == name)?;
        self.0.swap(0, position);
        Some(self)
    }

    /// The default.
    pub fn default_provider(&self) -> &Arc<dyn Provider> {
        let (_, provider) = self.0.first().expect("there is no way to make it empty");
        provider
    }

    /// The names, the default first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The provider that the policy names, or the default.
pub(crate) fn read(root: &Section<'_>, providers: &Providers) -> Arc<dyn Provider> {
    let positions: Vec<(&str, usize)> = providers.names().zip(0..).collect();
    let named = root.section("crypto").and_then(|section| {
        let position = section.word("provider", &positions);
        section.finish();
        position
    });
    let (_, provider) = &providers.0[named.unwrap_or(0)];
    provider.clone()
}
