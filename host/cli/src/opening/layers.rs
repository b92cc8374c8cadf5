//! The layers of a message for people: one line each, what is wrong below it with a hint, then
//! the verdict.

use waxseal_smime::open::{
    Chain, FromMatch, Layer, LayerKind, Opened, Signature, SignerRule, State,
};

use crate::report::harmless;
use crate::table::aligned;

/// The whole report.
pub(crate) fn text(opened: &Opened, rule: SignerRule) -> String {
    let rows: Vec<Vec<String>> = opened.layers.iter().map(row).collect();
    let table = aligned(&rows);
    let mut text = String::new();
    for (line, layer) in table.lines().zip(&opened.layers) {
        text += line;
        text.push('\n');
        for remark in remarks(layer) {
            text += &format!("    {remark}\n");
        }
    }
    let verdict = opened.verdict(rule);
    text += &format!("verdict: {}\n", verdict.name());
    if let Some(hint) = verdict_hint(verdict.name()) {
        text += &format!("hint: {hint}\n");
    }
    harmless(&text)
}

/// Form, state, and who or what.
fn row(layer: &Layer) -> Vec<String> {
    let signers = layer.signatures.iter().map(signer);
    let mut about: Vec<String> = signers.collect();
    about.extend(layer.cipher.clone());
    about.extend(
        layer
            .opened_by
            .iter()
            .map(|name| format!("opened by {name}")),
    );
    if layer.opened_by.is_none() && !layer.recipients.is_empty() {
        about.push(match layer.recipients.len() {
            1 => "for one recipient".to_owned(),
            many => format!("for {many} recipients"),
        });
    }
    if !layer.weak.is_empty() {
        about.push(format!("weak: {}", layer.weak.join(" ")));
    }
    vec![
        layer.kind.form().to_owned(),
        layer.state.to_string(),
        about.join(", "),
    ]
}

fn signer(signature: &Signature) -> String {
    let name = match &signature.signer {
        Some(certificate) => certificate.subject(),
        None => format!("serial number {}", signature.serial),
    };
    match signature.signing_time {
        Some(time) => format!("{name}, signed {time}"),
        None => name,
    }
}

/// What is wrong, of the layer and of each signature, each once.
fn remarks(layer: &Layer) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |line: String| {
        if !all.contains(&line) {
            all.push(line);
        }
    };
    if let Some(problem) = &layer.problem {
        add(problem.message.clone());
    }
    for signature in &layer.signatures {
        if let Some(problem) = &signature.problem {
            add(problem.message.clone());
        }
        if let Chain::Distrusted(distrust) = &signature.chain {
            add(distrust.message.clone());
        }
        match signature.from {
            FromMatch::Differs => add("the signer is not whom the mail comes from".to_owned()),
            FromMatch::Several => add("the mail has several authors".to_owned()),
            FromMatch::Matches | FromMatch::Absent | FromMatch::Unknown => {}
        }
    }
    if let Some(hint) = hint(layer) {
        add(format!("hint: {hint}"));
    }
    all
}

/// What may help.
pub(crate) fn hint(layer: &Layer) -> Option<&'static str> {
    let needs_key = matches!(layer.state, State::Closed | State::NoKey);
    if needs_key && layer.kind == LayerKind::EncryptedData {
        return Some("give the key that it is encrypted with: --secret-key HEX");
    }
    Some(match layer.state {
        State::Closed => "give the identity that it is for: --identity FILE",
        State::NoKey => "none of the identities is a recipient's; give another: --identity FILE",
        State::Weak => "--allow-weak reads what is for old mail only, and reports it",
        State::Untrusted => {
            "give the authorities that you trust with --anchor, or leave paths out with --no-trust"
        }
        State::UnknownSigner => "give the signer's certificate: --cert FILE",
        State::Expired | State::NotYetValid | State::SignedInTheFuture => {
            "--at judges as of another time"
        }
        State::RevocationUnknown => "give the authorities' revocation lists: --crl FILE",
        _ => return None,
    })
}

fn verdict_hint(verdict: &str) -> Option<&'static str> {
    (verdict == "signer-mismatch").then_some("--any-signer leaves the comparison with From out")
}
