//! Signs and encrypts what leaves in the end; later filters may still change it.
//! Grant: `profiles:corporate`.

use waxseal_guest::prelude::*;

struct SignEncryptOnDelivery;

impl Filter for SignEncryptOnDelivery {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(SignEncryptOnDelivery)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        profiles::apply(tx, "corporate", Timing::OnDelivery, Recipients::All)?;
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(SignEncryptOnDelivery);
