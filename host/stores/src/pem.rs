//! PEM (RFC 7468), read as people and programs write it: blocks in any order, text between
//! them, any line length. Written with 64 columns.
//!
//! A block that was begun and does not end, or is not base64, is an error: a bundle that lost
//! a certificate would otherwise look like a shorter one.

use crate::error::Defect;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One block.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) octets: Zeroizing<Vec<u8>>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// Whether a line of the octets begins a block.
pub(crate) fn is_pem(octets: &[u8]) -> bool {
    lines(octets).any(|line| label_of(line, BEGIN).is_some())
}

/// Every block, in order.
pub(crate) fn blocks(octets: &[u8]) -> Result<Vec<Block>, Defect> {
    let mut blocks = Vec::new();
    let mut lines = lines(octets);
    while let Some(line) = lines.next() {
        if let Some(label) = label_of(line, BEGIN) {
            blocks.push(block(label, &mut lines, octets.len())?);
        }
    }
    Ok(blocks)
}

fn block<'a>(
    label: &str,
    lines: &mut impl Iterator<Item = &'a [u8]>,
    size: usize,
) -> Result<Block, Defect> {
    let mut digits = Zeroizing::new(Vec::with_capacity(size));
    for line in lines {
        if label_of(line, END) == Some(label) {
            let octets = BASE64.decode(&*digits).map(Zeroizing::new);
            let octets = octets.map_err(|_| Defect::Damaged("a PEM block is not base64"))?;
            return Ok(Block {
                label: label.to_owned(),
                octets,
            });
        }
        if line.starts_with(b"-----") {
            break;
        }
        if line.contains(&b':') {
            refuse_old_encryption(line)?;
        } else {
            digits.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
        }
    }
    Err(Defect::Damaged("a PEM block does not end"))
}

/// RFC 1421 §4.6.1.1, as OpenSSL once wrote keys: one round of MD5 over the passphrase.
fn refuse_old_encryption(header: &[u8]) -> Result<(), Defect> {
    if header.starts_with(b"Proc-Type:") && header.ends_with(b"ENCRYPTED") {
        return Err(Defect::Unsupported(
            "a key in OpenSSL's old encrypted PEM".into(),
        ));
    }
    Ok(())
}

fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets
        .split(|octet| matches!(octet, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii_end)
}

fn label_of<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    std::str::from_utf8(line.strip_prefix(start)?.strip_suffix(b"-----")?).ok()
}

/// A block as text, 64 columns, ended by a newline.
pub(crate) fn write(label: &str, octets: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(BASE64.encode(octets));
    let mut out = Zeroizing::new(String::with_capacity(
        digits.len() * 66 / 64 + 2 * label.len() + 64,
    ));
    out.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest: &str = &digits;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &[u8])], &str>) {
        let found = blocks(text.as_bytes())
            .map(|blocks| {
                blocks
                    .into_iter()
                    .map(|b| (b.label, b.octets.to_vec()))
                    .collect::<Vec<_>>()
            })
            .map_err(|defect| defect.to_string());
        let expected = expected
            .map(|blocks| {
                blocks
                    .iter()
                    .map(|(l, o)| ((*l).to_owned(), o.to_vec()))
                    .collect()
            })
            .map_err(str::to_owned);
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn blocks_with_text_between() {
        check("no block at all", Ok(&[]));
        check(
            "Bag Attributes\n    friendlyName: x\n-----BEGIN A-----\nAQI=\n-----END A-----\nsubject=/CN=x\n\
             \n-----BEGIN B C-----\nAw\n==\n-----END B C-----",
            Ok(&[("A", &[1, 2]), ("B C", &[3])]),
        );
        check(
            "\u{feff}-----BEGIN A-----\r\nAQI=\r\n-----END A-----\r\n",
            Ok(&[("A", &[1, 2])]),
        );
        check(
            "-----BEGIN A-----\nComment: x\n\nAQI\n-----END A-----",
            Ok(&[("A", &[1, 2])]),
        );
    }

    #[test]
    fn broken_blocks_are_named() {
        check(
            "-----BEGIN A-----\nAQI=\n",
            Err("damaged: a PEM block does not end"),
        );
        check(
            "-----BEGIN A-----\nAQI=\n-----BEGIN A-----\nAQI=\n-----END A-----",
            Err("damaged: a PEM block does not end"),
        );
        check(
            "-----BEGIN A-----\n!\n-----END A-----",
            Err("damaged: a PEM block is not base64"),
        );
        check(
            "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAQI=\n-----END A-----",
            Err("uses what waxseal does not read: a key in OpenSSL's old encrypted PEM"),
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        for size in [0, 1, 47, 48, 49, 1000] {
            let octets = vec![0xa5; size];
            let text = write("PRIVATE KEY", &octets);
            assert!(text.lines().all(|line| line.len() <= 64));
            check(&text, Ok(&[("PRIVATE KEY", &octets)]));
        }
    }
}
