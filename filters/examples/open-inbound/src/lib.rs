//! Opens what arrives and says what its signatures are worth.
//! Grants: `actions`, `inspect`, `open`, `quarantine`.

use waxseal_guest::{authentication_results, inspect::State, prelude::*};

struct OpenInbound;

impl Filter for OpenInbound {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(OpenInbound)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        if tx.direction().as_deref() != Some("inbound") {
            return Ok(Verdict::Proceed);
        }
        let arrived = tx.message();
        let message = open::decrypt_all(&arrived).unwrap_or(arrived);
        let layers = inspect::layers(&message)?;
        if layers.iter().any(|layer| layer.state == State::Suspicious) {
            return Ok(Verdict::Quarantine("looks like an attack".into()));
        }
        if let Some(own) = tx.property("authserv-id") {
            let results = authentication_results(&own, &layers);
            let marked = message.with_header_added("Authentication-Results", &results)?;
            actions::set_message(tx, &marked)?;
        }
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(OpenInbound);
