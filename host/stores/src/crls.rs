//! Certificate revocation lists from files: DER of one, or PEM with any number of them among
//! other blocks.

use crate::directory::listed;
use crate::error::{Defect, Error};
use crate::{files, pem};
use std::path::Path;

/// The largest list that is read. The largest ones of public authorities have a few megabytes.
const MAX_SIZE: u64 = 64 << 20;

/// The DER of every list in a file, or in all files of a directory. In a directory, files whose
/// names do not say that they hold one are passed over when they hold none.
pub fn load_crls(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    if !path.is_dir() {
        return read(path);
    }
    let mut all = Vec::new();
    for file in listed(path)?.iter().filter(|file| !file.is_dir()) {
        match read(file) {
            Ok(lists) => all.extend(lists),
            Err(Error::Content { .. }) if !is_crl_name(file) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let octets = files::read(path, MAX_SIZE)?;
    let content = |defect| Error::content(path, defect);
    if pem::is_pem(&octets) {
        let blocks = pem::blocks(&octets).map_err(content)?;
        let lists = blocks.into_iter().filter(|block| block.label == "X509 CRL");
        let lists: Vec<_> = lists.map(|block| block.octets.to_vec()).collect();
        if !lists.is_empty() {
            return Ok(lists);
        }
    } else if octets.first() == Some(&0x30) {
        return Ok(vec![octets.to_vec()]);
    }
    Err(content(Defect::Damaged("no certificate revocation list")))
}

fn is_crl_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("crl"))
}
