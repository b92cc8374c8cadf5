//! Signs and encrypts at once and sends it out; later filters are skipped.
//! Grants: `profiles:corporate`, `accept`.

use waxseal_guest::prelude::*;

struct SignEncryptNow;

impl Filter for SignEncryptNow {
    type Settings = ();

    fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
        Ok(SignEncryptNow)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        profiles::apply(tx, "corporate", Timing::Now, Recipients::All)?;
        Ok(Verdict::Accept)
    }
}

waxseal_guest::filter!(SignEncryptNow);
