//! "[secure]" at the start of the subject asks for encryption, and is taken off.
//! Grants: `actions`, `profiles:corporate`.

use waxseal_guest::prelude::*;

struct SecureSubject;

impl Filter for SecureSubject {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(SecureSubject)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        let message = tx.message();
        if let Some(subject) = message.subject().strip_prefix("[secure]") {
            let untagged = message.with_header_replaced("Subject", subject.trim_start())?;
            actions::set_message(tx, &untagged)?;
            actions::require_encryption(tx, Recipients::All)?;
            profiles::apply(tx, "corporate", Timing::OnDelivery, Recipients::All)?;
        }
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(SecureSubject);
