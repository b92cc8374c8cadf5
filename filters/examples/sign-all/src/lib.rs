//! Every message is signed. Grant: `profiles:sign`.

use waxseal_guest::prelude::*;

struct SignAll;

impl Filter for SignAll {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(SignAll)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        profiles::apply(tx, "sign", Timing::OnDelivery, Recipients::All)?;
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(SignAll);
