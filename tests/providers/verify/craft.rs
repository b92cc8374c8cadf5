//! SignedData made by hand, so that each of its fields can be wrong.

use super::super::common::Person;
use crate::PROVIDER;
use waxseal_smime::{DigestAlgorithm, KeyAlgorithm, Provider, SignatureScheme};

pub(crate) fn tlv(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let value = pieces.concat();
    let mut out = vec![tag];
    match value.len() {
        short @ 0..=0x7f => out.push(short as u8),
        middle @ 0x80..=0xff => out.extend([0x81, middle as u8]),
        long => out.extend([0x83, (long >> 16) as u8, (long >> 8) as u8, long as u8]),
    }
    out.extend(value);
    out
}

pub(crate) fn sequence(pieces: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, pieces)
}

/// A SET in the order given.
pub(crate) fn set(pieces: &[&[u8]]) -> Vec<u8> {
    tlv(0x31, pieces)
}

pub(crate) fn oid(text: &str) -> Vec<u8> {
    let oid = const_oid::ObjectIdentifier::new(text).unwrap();
    tlv(6, &[oid.as_bytes()])
}

pub(crate) trait OctetString {
    fn octet_string(&self) -> Vec<u8>;
}

impl<T: AsRef<[u8]>> OctetString for T {
    fn octet_string(&self) -> Vec<u8> {
        tlv(4, &[self.as_ref()])
    }
}

pub(crate) fn attribute(name: &str, values: &[&[u8]]) -> Vec<u8> {
    sequence(&[&oid(name), &set(values)])
}

/// What a SignedData is to hold.
#[derive(Clone)]
pub(crate) struct Craft {
    signer: Person,
    pub(crate) content_type: &'static str,
    pub(crate) content: Vec<u8>,
    pub(crate) is_detached: bool,
    pub(crate) announced: Vec<&'static str>,
    pub(crate) digest: &'static str,
    pub(crate) algorithm: Vec<u8>,
    /// In this order.
    pub(crate) attributes: Option<Vec<Vec<u8>>>,
    /// What is signed is in order, whatever the attributes' order is.
    pub(crate) sign_sorted: bool,
    pub(crate) signed_instead: Option<Vec<u8>>,
    pub(crate) unsigned: Vec<Vec<u8>>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) revocation: Vec<Vec<u8>>,
    /// How often the signer stands there.
    pub(crate) signers: usize,
    others: Vec<Vec<u8>>,
}

impl Craft {
    /// As it should be: SHA-256, the two attributes that must be there, the certificate.
    pub(crate) fn new(signer: &Person, content: &[u8]) -> Self {
        let digest = PROVIDER.digest(DigestAlgorithm::Sha256, content);
        let rsa = matches!(signer.identity.key.algorithm(), KeyAlgorithm::Rsa { .. });
        let algorithm = if rsa {
            sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]])
        } else {
            sequence(&[&oid("1.2.840.10045.4.3.2")])
        };
        Self {
            signer: signer.clone(),
            content_type: "1.2.840.113549.1.7.1",
            content: content.to_vec(),
            is_detached: false,
            announced: vec![super::SHA256],
            digest: super::SHA256,
            algorithm,
            attributes: Some(vec![
                attribute(super::CONTENT_TYPE, &[&oid("1.2.840.113549.1.7.1")]),
                attribute(super::MESSAGE_DIGEST, &[&digest.octet_string()]),
            ]),
            sign_sorted: false,
            signed_instead: None,
            unsigned: vec![],
            certificates: vec![signer.certificate().to_der().to_vec()],
            revocation: vec![],
            signers: 1,
            others: vec![],
        }
    }

    fn position(&self, name: &str) -> usize {
        let name = oid(name);
        let has_name = |attribute: &Vec<u8>| attribute.windows(name.len()).any(|part| part == name);
        self.attributes
            .as_ref()
            .unwrap()
            .iter()
            .position(has_name)
            .unwrap()
    }

    fn all(&mut self) -> &mut Vec<Vec<u8>> {
        self.attributes.as_mut().unwrap()
    }

    pub(crate) fn add(&mut self, name: &str, value: &[u8]) {
        self.all().push(attribute(name, &[value]));
        self.all().sort();
    }

    pub(crate) fn without(&mut self, name: &str) {
        let at = self.position(name);
        self.all().remove(at);
    }

    pub(crate) fn replace(&mut self, name: &str, value: &[u8]) {
        self.without(name);
        self.add(name, value);
    }

    pub(crate) fn twice(&mut self, name: &str) {
        let at = self.position(name);
        let again = self.all()[at].clone();
        self.all().insert(at, again);
    }

    pub(crate) fn two_values(&mut self, name: &str) {
        self.without(name);
        let (one, other) = (oid("1.2.840.113549.1.7.1"), [4; 2]);
        self.all()
            .push(attribute(name, &[&one, &other.octet_string()]));
        self.all().sort();
    }

    pub(crate) fn no_value(&mut self, name: &str) {
        self.without(name);
        self.all().push(attribute(name, &[]));
        self.all().sort();
    }

    /// Puts the attributes into an order that DER forbids.
    pub(crate) fn reverse(&mut self) {
        self.all().sort();
        self.all().reverse();
    }

    /// Takes the other's signer and certificates along.
    pub(crate) fn join(&mut self, other: &Self) {
        self.others.push(other.signer_info());
        self.certificates.extend(other.certificates.clone());
    }

    fn signer_info(&self) -> Vec<u8> {
        let joined = |all: &[Vec<u8>]| all.concat();
        let signed = match (&self.signed_instead, &self.attributes) {
            (Some(instead), _) => instead.clone(),
            (None, None) => self.content.clone(),
            (None, Some(attributes)) => {
                let mut attributes = attributes.clone();
                if self.sign_sorted {
                    attributes.sort();
                }
                set(&[&joined(&attributes)])
            }
        };
        let scheme = match self.signer.identity.key.algorithm() {
            KeyAlgorithm::Rsa { .. } => SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha256),
            _ => SignatureScheme::Ecdsa(DigestAlgorithm::Sha256),
        };
        let signature = self.signer.identity.key.sign(scheme, &signed).unwrap();
        let certificate = self.signer.certificate();
        let attributes = self.attributes.as_ref();
        let attributes = attributes.map_or_else(Vec::new, |all| tlv(0xa0, &[&joined(all)]));
        let unsigned = match self.unsigned.as_slice() {
            [] => vec![],
            all => tlv(0xa1, &[&joined(all)]),
        };
        sequence(&[
            &[2, 1, 1],
            &sequence(&[certificate.issuer_der(), certificate.serial_der()]),
            &sequence(&[&oid(self.digest)]),
            &attributes,
            &self.algorithm,
            &signature.octet_string(),
            &unsigned,
        ])
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let announced = self.announced.iter().map(|name| sequence(&[&oid(name)]));
        let announced: Vec<u8> = announced.collect::<Vec<_>>().concat();
        let content = if self.is_detached || self.signers == 0 && self.content.is_empty() {
            vec![]
        } else {
            tlv(0xa0, &[&self.content.octet_string()])
        };
        let revocation = match self.revocation.as_slice() {
            [] => vec![],
            all => tlv(0xa1, &[&all.concat()]),
        };
        let infos = [vec![self.signer_info(); self.signers], self.others.clone()].concat();
        let signed_data = sequence(&[
            &[2, 1, 1],
            &set(&[&announced]),
            &sequence(&[&oid(self.content_type), &content]),
            &tlv(0xa0, &[&self.certificates.concat()]),
            &revocation,
            &set(&[&infos.concat()]),
        ]);
        sequence(&[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&signed_data])])
    }
}
