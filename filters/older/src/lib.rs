//! A filter built against fewer functions of the contract, for the host's tests.
//!
//! `wit/filter.wit` here is version 0.1.0 before it grew: no `with-header-replaced`,
//! no `message-for`, no `route`, no interface but the few that it has. The contract
//! grows additively, so a component built then loads now.

wit_bindgen::generate!({ path: "wit", world: "older" });

use crate::{
    exports::waxseal::filter::handler::{ConfigProblem, Guest, Transaction, Verdict},
    waxseal::filter::actions,
};

struct Older;

impl Guest for Older {
    fn evaluate(tx: Transaction) -> Result<Verdict, String> {
        let marked = tx
            .message()
            .with_header_added("X-Older", "was here")
            .map_err(|error| error.message)?;
        actions::set_message(&tx, &marked).map_err(|error| error.message)?;
        Ok(Verdict::Proceed)
    }

    fn validate_config(_: String) -> Result<(), Vec<ConfigProblem>> {
        Ok(())
    }
}

export!(Older);
