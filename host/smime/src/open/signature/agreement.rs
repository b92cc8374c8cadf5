//! The state of a signed layer, from the states of its signatures (rule 9).

use crate::certificate::Certificate;
use crate::open::{Problem, Signature, State};

/// One state for all signers. All valid, and for one address: valid. All equally bad: that
/// state. Anything else is a conflict, because readers would choose differently.
pub(super) fn of(signatures: &[Signature]) -> (State, Option<Problem>) {
    let Some(first) = signatures.first() else {
        return (State::Malformed, None);
    };
    let same_state = signatures.iter().all(|each| each.state == first.state);
    let same_signer = signatures.iter().all(|each| is_same_signer(first, each));
    if same_state && (same_signer || first.state != State::Valid) {
        let problem = signatures.iter().find_map(|each| each.problem.clone());
        return (first.state, problem);
    }
    let signers: Vec<String> = signatures.iter().map(in_words).collect();
    let message = format!("the signers are not of one kind: {}", signers.join(", "));
    let code = "signature.conflict";
    (State::ConflictingSigners, Some(Problem { code, message }))
}

/// One certificate, or an address in common.
fn is_same_signer(one: &Signature, other: &Signature) -> bool {
    let (Some(one), Some(other)) = (&one.signer, &other.signer) else {
        return false;
    };
    let named = |certificate: &Certificate| certificate.addresses().to_vec();
    let others = named(other);
    one == other
        || named(one)
            .iter()
            .any(|address| others.iter().any(|each| each.matches_folded(address)))
}

/// Who, and how the signature stands.
fn in_words(signature: &Signature) -> String {
    let signer = signature.signer.as_ref();
    let address = signer.and_then(|signer| signer.addresses().first());
    let name = match (address, signer) {
        (Some(address), _) => address.to_string(),
        (None, Some(signer)) => signer.subject(),
        (None, None) => signature.serial.clone(),
    };
    format!("{name} {}", signature.state)
}
