//! Partners get encrypted mail or none, the others a signed one. Settings:
//! `{"partners": ["partner.example", ".bank.example"]}`. Grants: `actions`,
//! `profiles:corporate`, `profiles:sign`.

use serde::Deserialize;
use waxseal_guest::{pattern::AddressPattern, prelude::*};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitByDomain {
    partners: Vec<AddressPattern>,
}

impl Filter for SplitByDomain {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, Vec<ConfigProblem>> {
        Ok(settings)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        let is_partner = |to: &Recipient| self.partners.iter().any(|p| p.matches(&to.address));
        let partners = tx.recipients_where(is_partner);
        let others = tx.recipients_where(|to| !is_partner(to));
        actions::require_encryption(tx, &partners)?;
        profiles::apply(tx, "corporate", Timing::OnDelivery, &partners)?;
        profiles::apply(tx, "sign", Timing::OnDelivery, &others)?;
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(SplitByDomain);
