//! Which certificates of received mail are kept for later encryption (DESIGN §5), and when:
//! after the message was carried out.
//!
//! The certificates beside a signature are not signed: anybody on the way can add one. So only
//! two are taken, the signer's own, and the one that a signed attribute names (RFC 8551
//! §2.5.3), which must be trusted for itself.

use waxseal_message::Message;
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::plan::Plan;
use waxseal_smime::open::{Chain, FromMatch, Layer, Signature, State};
use waxseal_smime::{Certificate, Harvested, Purpose, TrustRequest, Unverified};

use crate::host_calls::HostCalls;

/// May a filter ask for this? It is answered at once, and done at the end.
pub(crate) fn check(calls: &HostCalls, layers: &[Layer]) -> Result<(), CallError> {
    let fail = |code, text: &str| Err(CallError::new(ErrorKind::Failed, code, text));
    if calls.generation.keeper.is_none() {
        return fail(
            "harvest.no-store",
            "the policy has no store to keep certificates in",
        );
    }
    if layers.iter().all(|layer| layer.signatures.is_empty()) {
        return fail("harvest.not-signed", "the message is not signed");
    }
    if found(calls, layers, "").is_empty() {
        return fail(
            "harvest.not-verified",
            "no valid signature of the sender brings a certificate to encrypt to",
        );
    }
    Ok(())
}

/// Keeps what filters asked for. How many certificates were kept; a store that fails delays no
/// mail.
pub(crate) fn keep(calls: &HostCalls, plan: &Plan, message: &Message) -> Result<usize, CallError> {
    let Some(keeper) = &calls.generation.keeper else {
        return Ok(0);
    };
    let provenance = message.first("Message-ID").map(|field| field.value());
    let provenance = provenance.unwrap_or_default();
    let mut all: Vec<Harvested> = Vec::new();
    for key in &plan.harvests {
        for each in found(calls, &calls.opener.layers_of(*key), &provenance) {
            if all
                .iter()
                .all(|known| known.certificate != each.certificate)
            {
                all.push(each);
            }
        }
    }
    if all.is_empty() {
        return Ok(0);
    }
    keeper
        .keep(&all)
        .map_err(|error| CallError::new(ErrorKind::Failed, error.code, error.message))?;
    Ok(all.len())
}

fn found(calls: &HostCalls, layers: &[Layer], provenance: &str) -> Vec<Harvested> {
    let signatures = layers.iter().flat_map(|layer| {
        let signatures = layer.signatures.iter();
        signatures.map(move |signature| (layer, signature))
    });
    signatures
        .filter_map(|(layer, signature)| of(calls, layer, signature, provenance))
        .collect()
}

fn of(
    calls: &HostCalls,
    layer: &Layer,
    signature: &Signature,
    provenance: &str,
) -> Option<Harvested> {
    let verified = is_verified(signature);
    if !verified && calls.generation.harvest.unverified == Unverified::Refuse {
        return None;
    }
    let signer = signature.signer.as_ref()?;
    let certificate = match &signature.preferred {
        None => signer.clone(),
        Some(preferred) if preferred == signer => signer.clone(),
        Some(preferred) if verified && !is_trusted(calls, layer, preferred) => return None,
        Some(preferred) => preferred.clone(),
    };
    let usable = certificate.can_encrypt() && certificate.key_algorithm().is_within_floor();
    // The preferred certificate is for whom the signer is, and for nobody else.
    let names = certificate.addresses().iter();
    let addresses: Vec<_> = names
        .filter(|name| signer.addresses().iter().any(|own| own.matches(name)))
        .cloned()
        .collect();
    if !usable || addresses.is_empty() {
        return None;
    }
    Some(Harvested {
        certificate,
        addresses,
        capabilities: signature.capabilities.clone().filter(|_| verified),
        preferred: signature.preferred.is_some(),
        verified,
        at: signature.signing_time.unwrap_or(calls.at).min(calls.at),
        provenance: provenance.to_owned(),
    })
}

/// Valid, trusted, the sender's own, and without anything weak.
fn is_verified(signature: &Signature) -> bool {
    signature.state == State::Valid
        && matches!(signature.chain, Chain::Trusted(_))
        && signature.from == FromMatch::Matches
        && signature.weak.is_empty()
}

fn is_trusted(calls: &HostCalls, layer: &Layer, certificate: &Certificate) -> bool {
    let request = TrustRequest {
        at: calls.at,
        purpose: Purpose::Encrypt,
        certificates: &layer.certificates,
        crls: &layer.crls,
        ocsp_responses: &layer.ocsp_responses,
    };
    let trust = calls.generation.inbound.trust();
    trust.judge(certificate, &request).is_ok()
}
