//! What became of a message, in one word and as JSON for programs. The schema is
//! `docs/open.schema.json`.
//!
//! Nothing of the content is in a report, and nothing of a key.

use super::{Chain, FromMatch, Layer, Opened, Problem, Signature, State};
use crate::certificate::Certificate;
use crate::recipients::RecipientId;
use crate::trust::Revocation;
use serde_json::{Value, json};

/// Whether the signer must be the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignerRule {
    /// The signer's certificate must name From, or Sender (RFC 8550 §3). Of a bare CMS object
    /// that holds no From there is nothing to compare.
    Author,
    /// Anybody may have signed, also several people together.
    Anybody,
}

/// All layers taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    name: &'static str,
    is_good: bool,
}

impl Verdict {
    /// The stable name: that of a state, `not-smime` or `signer-mismatch`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// It is S/MIME, everything was opened, and all signatures are in order.
    pub const fn is_good(self) -> bool {
        self.is_good
    }
}

impl Opened {
    /// The verdict: the worst layer's state, `signer-mismatch` when nothing but the comparison
    /// with From is wrong; `valid` when all is well and something is signed.
    pub fn verdict(&self, rule: SignerRule) -> Verdict {
        let states = self.layers.iter().map(|layer| state(layer, rule));
        let Some(worst) = states.clone().max() else {
            return bad("not-smime");
        };
        if !worst.is_good() {
            return bad(worst.name());
        }
        let mut signatures = self.layers.iter().flat_map(|layer| &layer.signatures);
        let is_stranger = |signature: &Signature| match signature.from {
            FromMatch::Matches => false,
            FromMatch::Absent => !self.is_bare,
            _ => true,
        };
        if rule == SignerRule::Author && signatures.any(is_stranger) {
            return bad("signer-mismatch");
        }
        let is_signed = states.into_iter().any(|state| state == State::Valid);
        Verdict {
            name: if is_signed {
                State::Valid.name()
            } else {
                worst.name()
            },
            is_good: true,
        }
    }

    /// The report as JSON.
    pub fn to_json(&self, rule: SignerRule) -> Value {
        json!({
            "layers": self.layers.iter().map(layer).collect::<Vec<_>>(),
            "verdict": self.verdict(rule).name(),
        })
    }
}

/// Valid signatures of several people conflict in who the author is, and in nothing else.
fn state(layer: &Layer, rule: SignerRule) -> State {
    let mut signatures = layer.signatures.iter();
    let mut all_valid = || signatures.all(|signature| signature.state == State::Valid);
    match (layer.state, rule) {
        (State::ConflictingSigners, SignerRule::Anybody) if all_valid() => State::Valid,
        (state, _) => state,
    }
}

const fn bad(name: &'static str) -> Verdict {
    Verdict {
        name,
        is_good: false,
    }
}

fn layer(layer: &Layer) -> Value {
    json!({
        "kind": layer.kind.name(),
        "form": layer.kind.form(),
        "state": layer.state.name(),
        "problem": problem(layer.problem.as_ref()),
        "signatures": layer.signatures.iter().map(signature).collect::<Vec<_>>(),
        "cipher": layer.cipher,
        "recipients": layer.recipients.iter().map(recipient).collect::<Vec<_>>(),
        "opened-by": layer.opened_by,
        "weak": layer.weak,
    })
}

fn problem(problem: Option<&Problem>) -> Value {
    problem.map_or(
        Value::Null,
        |problem| json!({ "code": problem.code, "message": problem.message }),
    )
}

fn signature(signature: &Signature) -> Value {
    json!({
        "state": signature.state.name(),
        "cryptographic": signature.cryptographic.name(),
        "chain": chain(&signature.chain),
        "problem": problem(signature.problem.as_ref()),
        "signer": signature.signer.as_ref().map(certificate),
        "issuer": signature.issuer,
        "serial": signature.serial,
        "digest": signature.digest,
        "algorithm": signature.algorithm,
        "signing-time": signature.signing_time.map(|time| time.to_string()),
        "from": signature.from.name(),
        "weak": signature.weak,
    })
}

fn chain(chain: &Chain) -> Value {
    match chain {
        Chain::NotChecked => json!({ "state": "not-checked" }),
        Chain::Trusted(path) => {
            let subjects = path.certificates.iter().map(Certificate::subject);
            json!({
                "state": "trusted",
                "path": subjects.collect::<Vec<_>>(),
                "revocation": match path.revocation {
                    Revocation::Good => "good",
                    Revocation::NotChecked => "not-checked",
                },
                "policies": path.policies,
                "weak": path.weak,
            })
        }
        Chain::Distrusted(distrust) => json!({
            "state": distrust.kind.name(),
            "code": distrust.code,
            "message": distrust.message,
            "subject": distrust.subject,
        }),
    }
}

fn certificate(certificate: &Certificate) -> Value {
    let addresses = certificate.addresses().iter().map(ToString::to_string);
    json!({
        "subject": certificate.subject(),
        "issuer": certificate.issuer(),
        "serial": certificate.serial(),
        "fingerprint": hexadecimal(&certificate.fingerprint()),
        "addresses": addresses.collect::<Vec<_>>(),
        "not-before": certificate.not_before().to_string(),
        "not-after": certificate.not_after().to_string(),
        "key": certificate.key_algorithm().to_string(),
    })
}

fn recipient(recipient: &RecipientId) -> Value {
    match recipient {
        RecipientId::IssuerAndSerial { issuer, serial } => json!({
            "issuer": name(issuer),
            "serial": hexadecimal(integer(serial)),
        }),
        RecipientId::KeyIdentifier(identifier) => {
            json!({ "key-identifier": hexadecimal(identifier) })
        }
        RecipientId::NoCertificate => json!({}),
    }
}

/// A Name as RFC 4514 writes it, or its DER in hexadecimal when it is none.
fn name(der: &[u8]) -> String {
    use der::Decode as _;
    x509_cert::name::Name::from_der(der).map_or_else(
        |_| format!("#{}", hexadecimal(der)),
        |name| name.to_string(),
    )
}

/// The contents of an INTEGER.
fn integer(der: &[u8]) -> &[u8] {
    crate::asn1::Element::only(der).map_or(der, |element| element.value)
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::LayerKind;

    fn check(states: &[(LayerKind, State)], expected: (&str, bool)) {
        let layers = states.iter().map(|(kind, state)| Layer::new(*kind, *state));
        let opened = Opened {
            layers: layers.collect(),
            content: None,
            message: None,
            is_bare: false,
        };
        let verdict = opened.verdict(SignerRule::Author);
        assert_eq!((verdict.name(), verdict.is_good()), expected, "{states:?}");
    }

    #[test]
    fn verdicts() {
        use LayerKind::{CertificatesOnly, Compressed, Enveloped, SignedDetached};
        check(&[], ("not-smime", false));
        check(&[(CertificatesOnly, State::Present)], ("present", true));
        check(&[(Compressed, State::Expanded)], ("expanded", true));
        let decrypted = (Enveloped, State::DecryptedUnauthenticated);
        check(&[decrypted], ("decrypted-unauthenticated", true));
        check(
            &[
                (Enveloped, State::Decrypted),
                (SignedDetached, State::Valid),
            ],
            ("valid", true),
        );
        check(
            &[(SignedDetached, State::Valid), (Enveloped, State::NoKey)],
            ("no-key", false),
        );
        check(
            &[
                (SignedDetached, State::Valid),
                (SignedDetached, State::NotRoot),
            ],
            ("not-root", false),
        );
        check(
            &[decrypted, (SignedDetached, State::Expired)],
            ("expired", false),
        );
        check(
            &[
                (Enveloped, State::Suspicious),
                (SignedDetached, State::Invalid),
            ],
            ("suspicious", false),
        );
    }
}
