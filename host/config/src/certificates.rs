//! `certificates/`, `anchors/` and `[trust]`: for whom to encrypt, and whom to trust.

use std::path::Path;
use std::sync::Arc;

use waxseal_smime::Anchors;
use waxseal_stores::{CertificateDirectory, load_anchors};

use crate::directory::Directory;
use crate::document::Section;
use crate::problem::Problem;

const CERTIFICATES: &str = "certificates";
const ANCHORS: &str = "anchors";

/// Opens `certificates/`. What cannot be read in it is a warning: one bad file must not stop
/// the mail of everybody else.
pub(crate) fn read(directory: &Directory<'_>) -> Option<Arc<CertificateDirectory>> {
    let path = directory.path(Path::new(CERTIFICATES));
    if !path.is_dir() {
        return None;
    }
    match CertificateDirectory::open(&path) {
        Ok(store) => {
            for problem in store.problems() {
                let file = Path::new(CERTIFICATES).join(&problem.file);
                let message = match problem.error.defect() {
                    Some(defect) => format!("passed over: {defect}"),
                    None => format!("passed over: {}", problem.error),
                };
                directory.warnings.add(Problem::with_file(file, message));
            }
            for entry in store.entries() {
                directory.digest(
                    directory.name(&entry.file),
                    &entry.certificate.fingerprint(),
                );
            }
            Some(Arc::new(store))
        }
        Err(error) => {
            directory
                .problems
                .add(Problem::with_file(CERTIFICATES, error.to_string()));
            None
        }
    }
}

/// `[trust]`: with `require-path`, a certificate needs a path to an anchor; without, what
/// stands in `certificates/` is trusted as imported. Authorities in `certificates/` serve as
/// intermediates.
pub(crate) fn anchors(
    section: Option<Section<'_>>,
    directory: &Directory<'_>,
    store: Option<&CertificateDirectory>,
) -> Option<Anchors> {
    let required = section.map(|section| {
        let required = section.flag("require-path").unwrap_or(false);
        section.finish();
        required
    });
    let stands_there = !directory.files(ANCHORS).is_empty();
    if required != Some(true) {
        if stands_there && required.is_none() {
            let message = "not used: certificates are trusted as imported";
            let hint =
                "set require-path = true under [trust] to require a path to these".to_owned();
            directory
                .warnings
                .add(Problem::with_file(ANCHORS, message).hint(hint));
        }
        return None;
    }
    if !stands_there {
        let message = "[trust] requires a path to an anchor, and there is none";
        directory.problems.add(Problem::with_file(ANCHORS, message));
        return None;
    }
    match load_anchors(&directory.path(Path::new(ANCHORS))) {
        Ok(anchors) => {
            for anchor in anchors.certificates() {
                directory.digest(Path::new(ANCHORS), &anchor.fingerprint());
            }
            let authorities = store
                .into_iter()
                .flat_map(CertificateDirectory::authorities);
            Some(anchors.with_intermediates(authorities.cloned().collect()))
        }
        Err(error) => {
            directory
                .problems
                .add(Problem::with_file(ANCHORS, error.to_string()));
            None
        }
    }
}
