//! [`TrustPolicy`]: what an operator trusts.

use crate::crl::Crl;
use crate::fetch::Fetch;
use crate::settings::Settings;
use std::sync::Arc;
use waxseal_smime::{
    Anchors, Certificate, Distrust, DistrustKind, Path, PathError, Provider, Revocation, Trust,
    TrustRequest, path,
};

/// What an operator trusts, and what he asks of a path.
#[derive(Clone)]
pub struct TrustPolicy {
    pub(crate) anchors: Vec<Certificate>,
    pub(crate) intermediates: Vec<Certificate>,
    pub(crate) crls: Vec<Crl>,
    pub(crate) settings: Settings,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) fetcher: Option<Arc<dyn Fetch>>,
}

impl TrustPolicy {
    /// Trusts these certificates, and what leads to them as the settings say.
    pub fn new(anchors: Vec<Certificate>, settings: Settings, provider: Arc<dyn Provider>) -> Self {
        Self {
            anchors,
            intermediates: Vec::new(),
            crls: Vec::new(),
            settings,
            provider,
            fetcher: None,
        }
    }

    /// Authorities that every path may lead through. None of them is trusted by that.
    #[must_use]
    pub fn with_intermediates(mut self, certificates: Vec<Certificate>) -> Self {
        self.intermediates = certificates;
        self
    }

    /// Lists that say what is revoked.
    #[must_use]
    pub fn with_crls(mut self, crls: Vec<Crl>) -> Self {
        self.crls = crls;
        self
    }

    /// Fetches lists, OCSP answers and authorities that nobody brought.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Arc<dyn Fetch>) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// The certificates that are trusted as they are.
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// What is asked of a path.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Trust for TrustPolicy {
    fn judge(
        &self,
        certificate: &Certificate,
        request: &TrustRequest<'_>,
    ) -> Result<Path, Distrust> {
        let anchors =
            Anchors::new(self.anchors.clone()).with_intermediates(self.intermediates.clone());
        let judged = path::validate(
            certificate,
            request.certificates,
            &anchors,
            request.at,
            &*self.provider,
        );
        judged.map_err(|error| distrust(&error))?;
        Ok(Path {
            certificates: vec![certificate.clone()],
            revocation: Revocation::NotChecked,
            policies: Vec::new(),
            weak: Vec::new(),
        })
    }
}

fn distrust(error: &PathError) -> Distrust {
    let kind = match error {
        PathError::Expired(_) => DistrustKind::Expired,
        PathError::NotYetValid(_) => DistrustKind::NotYetValid,
        PathError::Algorithm(_) => DistrustKind::Weak,
        _ => DistrustKind::Untrusted,
    };
    Distrust {
        kind,
        code: "certificate.untrusted",
        message: error.to_string(),
        subject: None,
    }
}
