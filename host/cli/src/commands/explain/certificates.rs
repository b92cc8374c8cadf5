//! Which certificates there are for each recipient, which one would be chosen, and why the
//! others would not.

use std::fmt::{self, Write};

use serde_json::{Value, json};
use waxseal_config::Loaded;
use waxseal_message::Address;
use waxseal_smime::{Candidates, Certificate, Found, Purpose, SourceError, Time, choose};

use crate::hex::hex;

/// Certificates for one recipient, or why a source did not answer.
pub(crate) struct Judged {
    recipient: Address,
    candidates: Result<Candidates, SourceError>,
}

/// Judges what every source has for each recipient. Certificates for a whole domain count
/// when some profile allows them.
pub(crate) fn judge(loaded: &Loaded, recipients: &[Address], at: Time) -> Vec<Judged> {
    let rules = loaded.generation.choice_rules(at);
    let judge = |recipient: &Address| {
        let mut found: Vec<Found> = Vec::new();
        for source in &loaded.certificates {
            found.extend(source.find(recipient)?);
        }
        Ok(choose(recipient, found, Purpose::Encrypt, &rules))
    };
    let judged = recipients.iter().map(|recipient| Judged {
        recipient: recipient.clone(),
        candidates: judge(recipient),
    });
    judged.collect()
}

/// As text.
pub(crate) fn write(out: &mut String, judged: &Judged) -> fmt::Result {
    writeln!(out, "  {}", judged.recipient)?;
    let candidates = match &judged.candidates {
        Ok(candidates) => candidates,
        Err(error) => return writeln!(out, "      no answer: {}: {error}", error.code),
    };
    if candidates.usable.is_empty() && candidates.rejected.is_empty() {
        writeln!(out, "      none")?;
    }
    for (index, found) in candidates.usable.iter().enumerate() {
        let word = if index == 0 { "chosen" } else { "usable" };
        let origin = format!("{:?}", found.origin).to_lowercase();
        writeln!(out, "      {word}: {}, {origin}", line(&found.certificate))?;
    }
    for rejected in &candidates.rejected {
        let reason = &rejected.reason;
        writeln!(out, "      not usable: {}", line(&rejected.certificate))?;
        writeln!(out, "          {}: {reason}", reason.code())?;
    }
    Ok(())
}

fn line(certificate: &Certificate) -> String {
    format!(
        "{}, {}, until {}, sha256 {}…",
        certificate.subject(),
        certificate.key_algorithm(),
        certificate.not_after(),
        hex(&certificate.fingerprint()[..8])
    )
}

/// For programs.
pub(crate) fn json(judged: &Judged) -> Value {
    let recipient = judged.recipient.to_string();
    let about = |certificate: &Certificate| {
        json!({
            "subject": certificate.subject(),
            "issuer": certificate.issuer(),
            "serial": certificate.serial(),
            "sha256": hex(&certificate.fingerprint()),
            "key-algorithm": certificate.key_algorithm().to_string(),
            "not-before": certificate.not_before().to_string(),
            "not-after": certificate.not_after().to_string(),
        })
    };
    match &judged.candidates {
        Ok(candidates) => json!({
            "recipient": recipient,
            "usable": candidates.usable.iter().map(|found| about(&found.certificate)).collect::<Vec<_>>(),
            "rejected": candidates.rejected.iter().map(|rejected| {
                let mut value = about(&rejected.certificate);
                value["code"] = json!(rejected.reason.code());
                value["reason"] = json!(rejected.reason.to_string());
                value
            }).collect::<Vec<_>>(),
        }),
        Err(error) => {
            json!({ "recipient": recipient, "problem": { "code": error.code, "message": error.message } })
        }
    }
}
