//! [`TrustPolicy`]: what an operator trusts.

use crate::crl::Crl;
use crate::defect::{Defect, Fault};
use crate::fetch::Fetch;
use crate::judgement::Judgement;
use crate::parsed::{Entry, Parsed, Pool};
use crate::right::RightSignatures;
use crate::settings::Settings;
use crate::validate::Goal;
use std::sync::Arc;
use waxseal_smime::{Certificate, Distrust, Path, Provider, Trust, TrustRequest};

/// What an operator trusts, and what he asks of a path.
#[derive(Clone)]
pub struct TrustPolicy {
    pub(crate) anchors: Anchors,
    pub(crate) intermediates: Pool,
    pub(crate) crls: Vec<Crl>,
    pub(crate) settings: Settings,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) fetcher: Option<Arc<dyn Fetch>>,
    pub(crate) right: Arc<RightSignatures>,
}

/// Certificates that are trusted as they are.
#[derive(Clone)]
pub(crate) struct Anchors {
    certificates: Vec<Certificate>,
    entries: Vec<Entry>,
}

impl Anchors {
    pub(crate) fn contains(&self, entry: &Parsed) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|anchor| anchor.fingerprint == entry.fingerprint)
    }
}

impl TrustPolicy {
    /// Trusts these certificates, and what leads to them as the settings say. An anchor whose
    /// extensions do not parse leads nowhere.
    pub fn new(anchors: Vec<Certificate>, settings: Settings, provider: Arc<dyn Provider>) -> Self {
        let entries = anchors.iter().filter_map(|anchor| Parsed::of(anchor).ok());
        Self {
            anchors: Anchors {
                entries: entries.collect(),
                certificates: anchors,
            },
            intermediates: Pool::default(),
            crls: Vec::new(),
            settings,
            provider,
            fetcher: None,
            right: Arc::default(),
        }
    }

    /// Authorities that every path may lead through. None of them is trusted by that.
    #[must_use]
    pub fn with_intermediates(mut self, certificates: Vec<Certificate>) -> Self {
        self.intermediates = Pool::new(&certificates);
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
        &self.anchors.certificates
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
        let subject = Parsed::of(certificate).map_err(|_| Fault {
            defect: Defect::Malformed,
            subject: certificate.subject(),
        })?;
        let mut judgement = Judgement::new(self, request);
        let goal = Goal::Mail(request.purpose);
        let validated = judgement.find_path(&subject, &self.anchors.entries, &goal)?;
        let certificates = validated.path.iter().map(|entry| entry.certificate.clone());
        Ok(Path {
            certificates: certificates.collect(),
            revocation: validated.revocation,
            policies: validated.policies,
            weak: judgement.verifier.take_weak(),
        })
    }
}
