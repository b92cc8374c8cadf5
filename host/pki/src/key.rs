//! Public keys of issuers, and the signatures that they are asked about.

use crate::defect::Defect;
use crate::limits;
use crate::parsed::Parsed;
use crate::right::RightSignatures;
use waxseal_smime::asn1::{Element, sequence, tag};
use waxseal_smime::{DigestAlgorithm, KeyAlgorithm, Provider, SignatureScheme, signature_scheme};

/// The working key of a path (RFC 5280 §6.1.2 (g) to (i)): a SubjectPublicKeyInfo with its
/// parameters, inherited ones included.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    info: Vec<u8>,
    algorithm: KeyAlgorithm,
    is_pss_only: bool,
}

impl Key {
    /// The key of a certificate; `above` is the working key that DSA parameters are inherited
    /// from. `None` when they are missing and there is nothing to inherit.
    pub(crate) fn of(parsed: &Parsed, above: Option<&Self>) -> Option<Self> {
        let own = parsed.certificate.public_key_info();
        let algorithm = parsed.certificate.key_algorithm();
        let info = match algorithm == KeyAlgorithm::Dsa && dsa_parameters(own).is_none() {
            false => own.to_vec(),
            true => with_parameters(own, dsa_parameters(&above?.info)?)?,
        };
        Some(Self {
            info,
            algorithm,
            is_pss_only: parsed.certificate.is_pss_only(),
        })
    }

    pub(crate) fn info(&self) -> &[u8] {
        &self.info
    }
}

/// The parameters of a DSA key (RFC 3279 §2.3.2), if it has its own.
fn dsa_parameters(info: &[u8]) -> Option<&[u8]> {
    let mut algorithm = Element::only(info).ok()?.children().sequence().ok()?;
    algorithm.object_identifier().ok()?;
    let parameters = algorithm.expect(tag::SEQUENCE).ok()?;
    Some(parameters.raw)
}

/// RFC 5280 §6.1.4 (f): the key with the parameters of the key above.
fn with_parameters(info: &[u8], parameters: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Element::only(info).ok()?.children();
    let mut algorithm = fields.sequence().ok()?;
    let identifier = algorithm.expect(tag::OBJECT_IDENTIFIER).ok()?;
    let key = fields.expect(tag::BIT_STRING).ok()?;
    Some(sequence(&[
        &sequence(&[identifier.raw, parameters]),
        key.raw,
    ]))
}

/// What was signed: the octets, the AlgorithmIdentifier, the signature.
pub(crate) struct Signed<'a> {
    /// SHA-256 of the certificate or list that has all three, where it is asked about again.
    pub(crate) whole: Option<[u8; 32]>,
    pub(crate) octets: &'a [u8],
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// Checks signatures within the bounds of rule 11 and of one judgement, and keeps what was weak.
pub(crate) struct Verifier<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) allow_weak: bool,
    right: &'a RightSignatures,
    signatures: usize,
    weak: Vec<String>,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(
        provider: &'a dyn Provider,
        allow_weak: bool,
        right: &'a RightSignatures,
    ) -> Self {
        Self {
            provider,
            allow_weak,
            right,
            signatures: 0,
            weak: Vec::new(),
        }
    }

    /// Checks one signature.
    pub(crate) fn verify(&mut self, signed: &Signed<'_>, key: &Key) -> Result<(), Defect> {
        let scheme = self.scheme(signed, key)?;
        if self.signatures == limits::SIGNATURES {
            return Err(Defect::Limit("signatures"));
        }
        self.signatures += 1;
        let fact = signed.whole.map(|whole| (whole, self.sha256(&key.info)));
        if fact.is_some_and(|fact| self.right.knows(&fact)) {
            return Ok(());
        }
        self.provider
            .verify(&key.info, scheme, signed.octets, signed.signature)
            .map_err(|error| match error {
                waxseal_smime::ProviderError::Unsupported(what) => Defect::Weak(what),
                _ => Defect::BadSignature,
            })?;
        if let Some(fact) = fact {
            self.right.keep(fact);
        }
        Ok(())
    }

    pub(crate) fn sha256(&self, octets: &[u8]) -> [u8; 32] {
        let digest = self.provider.digest(DigestAlgorithm::Sha256, octets);
        digest.try_into().expect("SHA-256 has 32 octets")
    }

    /// The scheme, if rule 11 and the operator allow it with this key.
    fn scheme(&mut self, signed: &Signed<'_>, key: &Key) -> Result<SignatureScheme, Defect> {
        let scheme = signature_scheme(signed.algorithm, &key.algorithm, None)
            .ok_or_else(|| Defect::Weak(format!("unknown, with a key of {}", key.algorithm)))?;
        // RFC 4055 §1.2.
        if key.is_pss_only && !matches!(scheme, SignatureScheme::RsaPss { .. }) {
            return Err(Defect::BadSignature);
        }
        if scheme.is_weak() {
            self.accept_weak(name_of(scheme)).map_err(Defect::Weak)?;
        }
        self.accept_key(&key.algorithm)
            .map_err(|_| Defect::Weak(key.algorithm.to_string()))?;
        Ok(scheme)
    }

    /// Rule 11 for a key, whatever it does.
    pub(crate) fn accept_key(&mut self, key: &KeyAlgorithm) -> Result<(), Defect> {
        let refused = || Defect::WeakKey(key.clone());
        match key {
            key if key.is_within_floor() => Ok(()),
            KeyAlgorithm::Rsa { bits: 1024..2048 } | KeyAlgorithm::Dsa => {
                self.accept_weak(key.to_string()).map_err(|_| refused())
            }
            _ => Err(refused()),
        }
    }

    fn accept_weak(&mut self, name: String) -> Result<(), String> {
        if !self.allow_weak {
            return Err(name);
        }
        if !self.weak.contains(&name) {
            self.weak.push(name);
        }
        Ok(())
    }

    /// The bound is reached: what was not verified may have been right.
    pub(crate) fn is_spent(&self) -> bool {
        self.signatures == limits::SIGNATURES
    }

    /// What was weak and accepted so far; starts anew.
    pub(crate) fn take_weak(&mut self) -> Vec<String> {
        let mut weak = std::mem::take(&mut self.weak);
        weak.sort();
        weak
    }
}

fn name_of(scheme: SignatureScheme) -> String {
    match scheme {
        SignatureScheme::RsaPkcs1v15(digest)
        | SignatureScheme::RsaPss { digest, .. }
        | SignatureScheme::Ecdsa(digest)
        | SignatureScheme::Dsa(digest) => digest.to_string(),
        SignatureScheme::Ed25519 => "ed25519".into(),
    }
}
