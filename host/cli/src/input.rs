//! Mail and other octets from a file or standard input, up to a size limit.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use waxseal_message::{Limits, Message};

use crate::report::{Exit, Failure, note};

/// Reads a mail from the file, or from standard input when there is none or it is `-`.
pub(crate) fn message(file: Option<&Path>, limits: &Limits) -> Result<Message, Failure> {
    parsed(octets(file, limits.octets)?, file, limits)
}

/// The mail that these octets of the file are.
pub(crate) fn parsed(
    octets: Vec<u8>,
    file: Option<&Path>,
    limits: &Limits,
) -> Result<Message, Failure> {
    if octets.is_empty() {
        return Err(Failure::new(
            Exit::Data,
            format_args!("no mail in the input: {}", name(file)),
        ));
    }
    Message::parse(octets, limits)
        .map_err(|error| Failure::new(Exit::Data, format_args!("{error}: {}", name(file))))
}

/// Reads everything, but no more than `limit` octets.
pub(crate) fn octets(file: Option<&Path>, limit: usize) -> Result<Vec<u8>, Failure> {
    match file.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let opened = File::open(path).and_then(|file| {
                let size = file.metadata().map_or(0, |found| found.len());
                read(file, usize::try_from(size).unwrap_or(0), limit)
            });
            opened.map_err(|error| Failure::reading(path, &error))?
        }
        None => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                note("reading from the terminal; end with ctrl-d");
            }
            let read = read(stdin.lock(), 0, limit);
            read.map_err(|error| Failure::reading(Path::new("standard input"), &error))?
        }
    }
    .ok_or_else(|| {
        Failure::new(
            Exit::Data,
            format_args!("more than {limit} octets: {}", name(file)),
        )
    })
}

/// `None` when there is more than the limit. About so many octets are expected.
fn read(source: impl Read, expected: usize, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::with_capacity(expected.min(limit).saturating_add(1));
    // One octet more than allowed, to know that there was more.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_end(&mut octets)?;
    Ok((octets.len() <= limit).then_some(octets))
}

/// What to call the input.
pub(crate) fn name(file: Option<&Path>) -> String {
    match file {
        Some(path) if path != Path::new("-") => path.display().to_string(),
        _ => "standard input".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_no_truncation() {
        assert_eq!(read(&b"abc"[..], 0, 3).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(read(&b"abcd"[..], 0, 3).unwrap(), None);
    }
}
