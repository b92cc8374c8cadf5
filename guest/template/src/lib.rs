//! Signs and encrypts what leaves, by the profile that the settings name:
//! `{"profile": "corporate"}`. Grant: `profiles:NAME`.

use serde::Deserialize;
use waxseal_guest::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    profile: String,
}

struct Protect {
    profile: String,
}

impl Filter for Protect {
    type Settings = Settings;

    fn new(Settings { profile }: Settings) -> Result<Self, Vec<ConfigProblem>> {
        Ok(Protect { profile })
    }

    fn check(&self) -> Vec<ConfigProblem> {
        profiles::check("profile", &self.profile)
    }

    fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
        profiles::apply(tx, &self.profile, Timing::OnDelivery, Recipients::All)?;
        Ok(Verdict::Proceed)
    }
}

waxseal_guest::filter!(Protect);
