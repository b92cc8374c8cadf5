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
    /// Anybody may have signed.
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
        let Some(worst) = self.layers.iter().map(|layer| layer.state).max() else {
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
        let is_signed = self.layers.iter().any(|layer| layer.state == State::Valid);
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
