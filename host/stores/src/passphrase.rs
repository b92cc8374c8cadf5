//! Passphrases: where they come from, and the forms in which the formats want them.
//!
//! A passphrase lives in a buffer that is wiped when dropped. It is never printed, not in
//! `Debug` and not in an error.

use crate::error::Error;
use crate::files;
use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where a passphrase comes from.
#[derive(Clone, Debug)]
pub enum Passphrase {
    /// The content of a file, less one newline at its end.
    File(PathBuf),
    /// The value of an environment variable, which stays in the environment.
    Environment(String),
    /// Known already, for example typed in.
    Given(Secret),
}

/// The octets of a passphrase, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

const MAX_SIZE: u64 = 64 << 10;

impl Passphrase {
    /// Reads it. The error names the file or the variable, never the content.
    pub fn read(&self) -> Result<Secret, Error> {
        match self {
            Self::File(path) => {
                let octets = files::read(path, MAX_SIZE)?;
                Ok(Secret::new(without_newline(&octets)))
            }
            Self::Environment(name) => match std::env::var_os(name) {
                Some(value) => Ok(Secret::new(
                    Zeroizing::new(value.into_encoded_bytes()).as_slice(),
                )),
                None => Err(Error::PassphraseVariable { name: name.clone() }),
            },
            Self::Given(secret) => Ok(secret.clone()),
        }
    }
}

/// Editors and `echo` end a file with one newline, which nobody means.
fn without_newline(octets: &[u8]) -> &[u8] {
    let line = octets.strip_suffix(b"\n").unwrap_or(octets);
    if line.len() == octets.len() {
        line
    } else {
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

impl Secret {
    /// Takes a copy of the octets; the caller wipes its own.
    pub fn new(octets: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(octets.as_ref().to_vec()))
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The forms in which PKCS #12's own key derivation may have had it, likeliest first.
    pub(crate) fn bmp_forms(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut forms = Vec::new();
        if let Ok(text) = std::str::from_utf8(&self.0) {
            // RFC 7292 §B.1: a BMPString, big-endian, ended by two octets of zero.
            forms.push(big_endian(text.encode_utf16(), self.0.len()));
        }
        if self.0.is_empty() {
            // No passphrase at all (NSS, Windows) against an empty one (OpenSSL).
            forms.push(Zeroizing::new(Vec::new()));
        } else if !self.0.is_ascii() {
            // Programs that took each octet for a character, as OpenSSL before 1.1 did.
            let characters = self.0.iter().map(|octet| u16::from(*octet));
            forms.push(big_endian(characters, self.0.len()));
        }
        forms
    }
}

/// There are never more units than octets in UTF-8: the buffer does not move and leave a copy.
fn big_endian(units: impl Iterator<Item = u16>, octets: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(2 * octets + 2));
    for unit in units.chain([0]) {
        out.extend_from_slice(&unit.to_be_bytes());
    }
    out
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<Secret> for Passphrase {
    fn from(secret: Secret) -> Self {
        Self::Given(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_goes() {
        let check = |input: &str, expected: &str| {
            assert_eq!(
                without_newline(input.as_bytes()),
                expected.as_bytes(),
                "{input:?}"
            );
        };
        check("word", "word");
        check("word\n", "word");
        check("word\r\n", "word");
        check("word\r", "word\r");
        check("word\n\n", "word\n");
        check("\n", "");
        check(" word ", " word ");
    }

    #[test]
    fn forms_of_a_passphrase() {
        let check = |input: &[u8], expected: &[&[u8]]| {
            let forms = Secret::new(input).bmp_forms();
            assert_eq!(
                forms.iter().map(|form| &form[..]).collect::<Vec<_>>(),
                expected
            );
        };
        check(b"ab", &[&[0, b'a', 0, b'b', 0, 0]]);
        check(b"", &[&[0, 0], &[]]);
        check(
            "é".as_bytes(),
            &[&[0, 0xe9, 0, 0], &[0, 0xc3, 0, 0xa9, 0, 0]],
        );
        check(
            "😀".as_bytes(),
            &[
                &[0xd8, 0x3d, 0xde, 0, 0, 0],
                &[0, 0xf0, 0, 0x9f, 0, 0x98, 0, 0x80, 0, 0],
            ],
        );
        check(&[0xff], &[&[0, 0xff, 0, 0]]);
    }

    #[test]
    fn never_printed() {
        let shown = format!("{:?}", Passphrase::from(Secret::new("tell nobody")));
        assert_eq!(shown, "Given(Secret(…))");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Passphrase::Environment("WAXSEAL_NO_SUCH_VARIABLE".into())
            .read()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable for the passphrase is not set: WAXSEAL_NO_SUCH_VARIABLE"
        );
    }
}
