//! Marks mail that claims to be confidential; nothing else is changed.
//! Grant: `actions`.

use waxseal_guest::prelude::*;

struct MarkHeader;

impl Filter for MarkHeader {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(MarkHeader)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        let message = tx.message();
        let sensitivity = message.header("Sensitivity").map(|field| field.value);
        if sensitivity.as_deref() == Some("Company-Confidential") {
            let marked = message.with_header_replaced("X-Waxseal-Class", "confidential")?;
            actions::set_message(tx, &marked)?;
        }
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(MarkHeader);
