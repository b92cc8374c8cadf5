//! One SignerInfo, judged: attributes, content, key, path, usage, author.

use super::attributes::{SignedAttributes, check_protection};
use super::claims::{self, Version, check_signing_certificate};
use super::digests::{Digests, Place};
use super::{Flaw, algorithms, note};
use crate::algorithm::DigestAlgorithm;
use crate::asn1::{Element, tag, to_der};
use crate::certificate::Certificate;
use crate::choice::Purpose;
use crate::open::{Chain, Layer, Opening, Problem, Signature, State, author};
use crate::provider::ProviderError;
use crate::scheme::name_of;
use crate::signed_data::{SignedData, SignerId, SignerInfo, attributes};
use crate::trust::{DistrustKind, TrustRequest};
use const_oid::db::rfc5911;
use der::Decode;
use std::borrow::Cow;
use std::collections::HashMap;
use waxseal_message::Message;

/// Certificates of one name that are tried for one signature.
const MAX_CANDIDATES: usize = 8;

/// Judges the signers of one SignedData.
pub(super) struct Judge<'a> {
    signed: &'a SignedData<'a>,
    digests: Digests<'a>,
    layer: &'a Layer,
    /// Out of the message, then those from outside.
    certificates: Vec<Certificate>,
    authors: &'a Message,
    opening: &'a Opening<'a>,
    chains: HashMap<[u8; 32], Chain>,
}

/// A certificate of the signer's name, and what comes of it.
struct Candidate {
    certificate: Certificate,
    cryptographic: Result<(), Flaw>,
    chain: Chain,
}

impl Candidate {
    fn is_best(&self) -> bool {
        self.cryptographic.is_ok() && !matches!(self.chain, Chain::Distrusted(_))
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        signed: &'a SignedData<'a>,
        content: &'a [u8],
        layer: &'a Layer,
        authors: &'a Message,
        opening: &'a Opening<'a>,
    ) -> Self {
        let place = match signed.content {
            Some(_) => Place::Inside,
            None => Place::Apart,
        };
        let outside = opening.certificates.iter();
        Self {
            signed,
            digests: Digests::new(content, place, opening.provider),
            layer,
            certificates: layer.certificates.iter().chain(outside).cloned().collect(),
            authors,
            opening,
            chains: HashMap::new(),
        }
    }

    /// Judges one.
    pub(super) fn signature(&mut self, info: &SignerInfo<'_>) -> Signature {
        let attributes = SignedAttributes::read(info);
        let octets = self.signed_octets(info, &attributes);
        let attributes = attributes.ok().flatten();
        let found = self.find(info, attributes.as_ref(), &octets);
        let (signer, cryptographic, chain) = match found {
            Some(found) => (Some(found.certificate), found.cryptographic, found.chain),
            None => (None, octets.and(Err(unknown_signer())), Chain::NotChecked),
        };
        let weak = algorithms::weak(info, signer.as_ref());
        let claims = attributes.as_ref();
        let signing_time = claims.and_then(|claims| claims.signing_time);
        let mut signature = Signature {
            state: State::Valid,
            problem: self.remark(info),
            cryptographic: state_of(&cryptographic),
            chain,
            from: author::compared(signer.as_ref(), self.authors),
            issuer: issuer(info),
            serial: serial(info),
            digest: algorithms::digest_name(info),
            algorithm: name_of(info.algorithm),
            signing_time,
            capabilities: claims
                .and_then(|claims| claims.capabilities)
                .and_then(claims::capabilities),
            preferred: claims
                .and_then(|claims| claims.preference)
                .and_then(|value| claims::preferred(value, &self.layer.certificates)),
            signer,
            weak,
        };
        let flaws = self.flaws(&signature, cryptographic);
        // Of two that are equally bad, the first says why.
        let worst = flaws.into_iter().rev().max_by_key(|flaw| flaw.state);
        if let Some(worst) = worst {
            (signature.state, signature.problem) = (worst.state, Some(worst.problem));
        }
        if let Chain::Trusted(path) = &signature.chain {
            for name in &path.weak {
                note(&mut signature.weak, name);
            }
        }
        signature
    }

    /// What speaks against a signature.
    fn flaws(&self, signature: &Signature, cryptographic: Result<(), Flaw>) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = cryptographic.err().into_iter().collect();
        if !signature.weak.is_empty() && !self.opening.allow_weak {
            let message = format!("not allowed: {}", signature.weak.join(", "));
            flaws.push(Flaw::new(State::Weak, "signature.weak", message));
        }
        let latest = self.opening.now.plus(self.opening.clock_skew);
        if let Some(time) = signature.signing_time.filter(|time| *time > latest) {
            let message = format!("signed in the future: {time}");
            let state = State::SignedInTheFuture;
            flaws.push(Flaw::new(state, "signature.future", message));
        }
        if let Chain::Distrusted(distrust) = &signature.chain {
            let state = state_of_distrust(distrust.kind);
            flaws.push(Flaw::new(state, distrust.code, &distrust.message));
        }
        // RFC 8550 §4.4.2, §4.4.4: also where nobody looks at the path.
        if let Some(signer) = signature
            .signer
            .as_ref()
            .filter(|signer| !signer.can_sign())
        {
            let message = format!("certificate is not for signing mail: {}", signer.subject());
            flaws.push(Flaw::new(
                State::WrongUsage,
                "certificate.key-usage",
                message,
            ));
        }
        flaws
    }

    /// RFC 5652 §5.1: SignedData announces the digests; see [`super`].
    fn remark(&self, info: &SignerInfo<'_>) -> Option<Problem> {
        let is_announced = self.signed.digest_algorithms.contains(&info.digest);
        (!is_announced).then(|| Problem {
            code: "signature.digest-algorithms",
            message: format!("digest is not announced: {}", algorithms::digest_name(info)),
        })
    }

    /// The octets that the signature is over, in the order in which they are tried; every check
    /// that needs no certificate has passed.
    fn signed_octets(
        &mut self,
        info: &SignerInfo<'_>,
        attributes: &Result<Option<SignedAttributes<'_>>, Flaw>,
    ) -> Result<Vec<Cow<'a, [u8]>>, Flaw> {
        if self.signed.digest_algorithms.is_empty() {
            let message = "no digest algorithm is announced";
            let code = "signature.digest-algorithms";
            return Err(Flaw::new(State::Malformed, code, message));
        }
        let attributes = attributes.as_ref().map_err(Clone::clone)?;
        let digest = DigestAlgorithm::readable(info.digest).ok_or_else(|| {
            let message = format!("digest not supported: {}", info.digest);
            Flaw::new(State::Unsupported, "signature.algorithm", message)
        })?;
        match attributes {
            Some(attributes) => {
                self.check_attributes(info, attributes, digest)?;
                Ok(attribute_octets(info))
            }
            None => self.content_octets(),
        }
    }

    fn check_attributes(
        &mut self,
        info: &SignerInfo<'_>,
        attributes: &SignedAttributes<'_>,
        digest: DigestAlgorithm,
    ) -> Result<(), Flaw> {
        // RFC 5652 §11.1.
        if attributes.content_type.value != self.signed.content_type.as_bytes() {
            let message = "the contentType attribute is not the type of the content";
            return Err(Flaw::new(State::Invalid, "signature.content-type", message));
        }
        if let Some(protection) = attributes.protection {
            check_protection(protection, info)?;
        }
        // RFC 5652 §5.6, §11.2.
        let stated = attributes.message_digest.value;
        let is_signed = self.digests.matches(digest, stated);
        let is_missing = self.signed.content.is_none() && self.digests.content().is_empty();
        let (code, message) = match (is_signed, is_missing) {
            (true, _) => return Ok(()),
            (false, true) => ("signature.no-content", "the signed content is not here"),
            (false, false) => ("signature.digest", "the content is not what was signed"),
        };
        Err(Flaw::new(State::Invalid, code, message))
    }

    /// Without signed attributes, the content itself is signed.
    fn content_octets(&self) -> Result<Vec<Cow<'a, [u8]>>, Flaw> {
        // RFC 5652 §5.3: only id-data goes without.
        if self.signed.content_type != rfc5911::ID_DATA {
            let code = "signature.attribute-missing";
            return Err(Flaw::new(State::MissingAttribute, code, "contentType"));
        }
        let content = self.digests.content();
        // Somebody may have made a content of another message's signed attributes: its
        // signature would verify, over what nobody wrote.
        if is_set_of_attributes(content) {
            let message = "the content is itself a set of signed attributes";
            return Err(Flaw::new(State::Invalid, "signature.ambiguous", message));
        }
        let canonical = self.digests.canonical().map(Cow::Owned);
        Ok(std::iter::once(Cow::Borrowed(content))
            .chain(canonical)
            .collect())
    }

    /// The signer's certificate. An unusable one never hides a usable one of the same name.
    fn find(
        &mut self,
        info: &SignerInfo<'_>,
        attributes: Option<&SignedAttributes<'_>>,
        octets: &Result<Vec<Cow<'_, [u8]>>, Flaw>,
    ) -> Option<Candidate> {
        let mut named: Vec<Certificate> = Vec::new();
        for certificate in self.certificates.iter().filter(|each| info.is_by(each)) {
            if named.len() < MAX_CANDIDATES && !named.contains(certificate) {
                named.push(certificate.clone());
            }
        }
        let mut best: Option<Candidate> = None;
        for certificate in named {
            let chain = self.chain(&certificate);
            let cryptographic = match octets {
                Err(flaw) => Err(flaw.clone()),
                Ok(octets) => self.check(info, attributes, octets, &certificate, &chain),
            };
            let candidate = Candidate {
                certificate,
                cryptographic,
                chain,
            };
            if candidate.is_best() {
                return Some(candidate);
            }
            let verified = |candidate: &Candidate| candidate.cryptographic.is_ok();
            if best
                .as_ref()
                .is_none_or(|best| verified(&candidate) && !verified(best))
            {
                best = Some(candidate);
            }
        }
        best
    }

    /// What the path of a certificate says; asked once for each.
    fn chain(&mut self, certificate: &Certificate) -> Chain {
        let Some(trust) = self.opening.trust else {
            return Chain::NotChecked;
        };
        let request = TrustRequest {
            at: self.opening.now,
            purpose: Purpose::Sign,
            certificates: &self.certificates,
            crls: &self.layer.crls,
            ocsp_responses: &self.layer.ocsp_responses,
        };
        let judge = || match trust.judge(certificate, &request) {
            Ok(path) => Chain::Trusted(path),
            Err(distrust) => Chain::Distrusted(distrust),
        };
        let chain = self.chains.entry(certificate.fingerprint());
        chain.or_insert_with(judge).clone()
    }

    /// Whether the signature is by the key of this certificate (RFC 5652 §5.6).
    fn check(
        &self,
        info: &SignerInfo<'_>,
        attributes: Option<&SignedAttributes<'_>>,
        octets: &[Cow<'_, [u8]>],
        certificate: &Certificate,
        chain: &Chain,
    ) -> Result<(), Flaw> {
        let provider = self.opening.provider;
        for (value, version) in [
            (
                attributes.and_then(|all| all.signing_certificate),
                Version::One,
            ),
            (
                attributes.and_then(|all| all.signing_certificate_v2),
                Version::Two,
            ),
        ] {
            if let Some(value) = value {
                check_signing_certificate(value, version, certificate, provider)?;
            }
        }
        let scheme = algorithms::supported(info, certificate)?;
        let key = self.public_key_info(certificate, chain);
        let mut last = ProviderError::BadSignature;
        for signed in octets {
            match provider.verify(&key, scheme, signed, &info.signature) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(match last {
            ProviderError::BadSignature => Flaw::new(
                State::Invalid,
                "signature.invalid",
                "the signature is not by this key over this content",
            ),
            ProviderError::MalformedKey(_) => {
                Flaw::new(State::Invalid, "signature.key", last.to_string())
            }
            _ => Flaw::new(State::Unsupported, "signature.algorithm", last.to_string()),
        })
    }

    /// The public key, with the DSA parameters that it inherits (RFC 3279 §2.3.2). They are
    /// taken from the path where there is one: whoever chooses parameters can sign for any key.
    fn public_key_info<'b>(&self, certificate: &'b Certificate, chain: &Chain) -> Cow<'b, [u8]> {
        let own = certificate.public_key_info();
        let above = match chain {
            Chain::Trusted(path) => path.certificates.get(1..).unwrap_or_default(),
            _ => &self.certificates,
        };
        let mut issuers = above
            .iter()
            .filter(|each| each.subject_der() == certificate.issuer_der());
        let inherited = issuers.find_map(|issuer| certificate.inherited_public_key_info(issuer));
        inherited.map_or(Cow::Borrowed(own), Cow::Owned)
    }
}

fn unknown_signer() -> Flaw {
    let message = "the signer's certificate is not known";
    Flaw::new(State::UnknownSigner, "signature.unknown-signer", message)
}

fn state_of(result: &Result<(), Flaw>) -> State {
    result
        .as_ref()
        .map_or_else(|flaw| flaw.state, |()| State::Valid)
}

const fn state_of_distrust(kind: DistrustKind) -> State {
    match kind {
        DistrustKind::Untrusted => State::Untrusted,
        DistrustKind::Expired => State::Expired,
        DistrustKind::NotYetValid => State::NotYetValid,
        DistrustKind::Revoked => State::Revoked,
        DistrustKind::RevocationUnknown => State::RevocationUnknown,
        DistrustKind::Weak => State::Weak,
        DistrustKind::Usage => State::WrongUsage,
    }
}

/// RFC 5652 §5.4: the DER of the attributes. Writers that do not sort the set sign it as it
/// stands, so that is tried first.
fn attribute_octets<'a>(info: &SignerInfo<'_>) -> Vec<Cow<'a, [u8]>> {
    let as_received = info.signed_attributes();
    let explicit = info.attributes.map(|attributes| Element {
        tag: tag::SET,
        ..attributes
    });
    let der = explicit.and_then(|set| to_der(&set).ok());
    let der = der.filter(|der| Some(der) != as_received.as_ref());
    as_received.into_iter().chain(der).map(Cow::Owned).collect()
}

/// A SET of Attributes and nothing else.
fn is_set_of_attributes(content: &[u8]) -> bool {
    let set = Element::only(content)
        .ok()
        .filter(|set| set.tag == tag::SET);
    let all = set.and_then(|set| attributes(set).ok());
    all.is_some_and(|all| !all.is_empty())
}

/// The issuer as RFC 4514 writes it.
fn issuer(info: &SignerInfo<'_>) -> Option<String> {
    match &info.id {
        SignerId::IssuerAndSerial { issuer, .. } => {
            let name = x509_cert::name::Name::from_der(issuer).ok()?;
            Some(name.to_string())
        }
        SignerId::KeyIdentifier(_) => None,
    }
}

fn serial(info: &SignerInfo<'_>) -> String {
    let octets: &[u8] = match &info.id {
        SignerId::IssuerAndSerial { serial, .. } => serial,
        SignerId::KeyIdentifier(identifier) => identifier,
    };
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
