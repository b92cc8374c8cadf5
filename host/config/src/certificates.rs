//! `certificates/`: for whom to encrypt.

use std::path::Path;
use std::sync::Arc;

use waxseal_stores::CertificateDirectory;

use crate::directory::Directory;
use crate::problem::Problem;

const CERTIFICATES: &str = "certificates";

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
