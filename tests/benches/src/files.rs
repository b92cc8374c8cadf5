//! A mail as files: as it was written, signed, encrypted; and the proof that what a contestant made
//! of it is right.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use waxseal_message::Message;
use waxseal_tests::openssl;

use crate::mail::mail;
use crate::people::People;
use crate::process;
use crate::smime::{Operation, perform};

/// Inputs of all operations, and a place for outputs.
pub struct Files {
    mail: PathBuf,
    signed: PathBuf,
    encrypted: PathBuf,
    output: PathBuf,
    octets: Bytes,
}

impl Files {
    /// Writes a mail of this size, signed and encrypted too.
    pub fn new(people: &People, name: &str, size: usize) -> Self {
        let octets = mail(size, 0);
        let file = |kind: &str, octets: &[u8]| {
            let file = people.file(&format!("{name}-{kind}.eml"));
            std::fs::write(&file, octets).unwrap();
            file
        };
        let made = |operation| perform(operation, &octets, people).to_bytes();
        Self {
            mail: file("mail", &octets),
            signed: file("signed", &made(Operation::Sign)),
            encrypted: file("encrypted", &made(Operation::Encrypt)),
            output: file("output", b""),
            octets,
        }
    }

    /// What the operation is done to.
    pub fn input(&self, operation: Operation) -> &Path {
        match operation {
            Operation::Sign | Operation::Encrypt | Operation::SignEncrypt => &self.mail,
            Operation::Decrypt => &self.encrypted,
            Operation::Verify => &self.signed,
        }
    }

    /// Where the result goes.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Does it in this process and with the program, and proves both results.
    pub fn prove_ours(&self, operation: Operation, people: &People) {
        let octets = Bytes::from(std::fs::read(self.input(operation)).unwrap());
        self.prove_message(operation, &perform(operation, &octets, people), people);
        let (from, to) = (self.input(operation), self.output());
        process::run(process::waxseal(operation, people, from, to));
        self.prove(operation, people);
    }

    /// Proves a message that has not been written.
    pub fn prove_message(&self, operation: Operation, message: &Message, people: &People) {
        std::fs::write(&self.output, message.to_bytes()).unwrap();
        self.prove(operation, people);
    }

    /// Panics unless OpenSSL finds the mail's body, whole, in what lies at `output`.
    pub fn prove(&self, operation: Operation, people: &People) {
        let (made, inner) = (self.output(), people.file("inner.eml"));
        let decrypted = || openssl::decrypt(made, &people.recipient);
        let content = match operation {
            Operation::Sign => openssl::verify(made, &people.root()),
            Operation::Encrypt => decrypted(),
            Operation::SignEncrypt => decrypted().and_then(|signed| {
                std::fs::write(&inner, signed).unwrap();
                openssl::verify(&inner, &people.root())
            }),
            Operation::Decrypt | Operation::Verify => std::fs::read(made).ok(),
        };
        let content = content.unwrap_or_else(|| panic!("OpenSSL refuses it: {}", operation.name()));
        prove_content(&content, &self.octets, operation);
    }
}

/// Panics unless the content ends with the mail's body, but for line ends after it.
pub fn prove_content(content: &[u8], mail: &Bytes, operation: Operation) {
    let head = mail.windows(4).position(|four| four == b"\r\n\r\n");
    let body = mail[head.unwrap() + 4..].trim_ascii_end();
    let same = content.trim_ascii_end().ends_with(body);
    assert!(same, "other content: {}", operation.name());
}
