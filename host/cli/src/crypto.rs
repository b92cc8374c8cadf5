//! The cryptography that this binary was built with: by default both providers, of which a
//! policy names one in `[crypto] provider`. `WAXSEAL_PROVIDER` names the one for policies that
//! name none, and for what is done by hand.

use std::sync::{Arc, OnceLock};

use waxseal_config::Providers;
use waxseal_smime::Provider;

use crate::report::{Exit, Failure};

/// Names the default.
const VARIABLE: &str = "WAXSEAL_PROVIDER";

static PROVIDERS: OnceLock<Providers> = OnceLock::new();

#[cfg(feature = "provider-aws-lc")]
fn built_in() -> Providers {
    let providers = Providers::new("aws-lc", Arc::new(waxseal_provider_aws_lc::AwsLc));
    #[cfg(feature = "provider-rustcrypto")]
    let providers = providers.and("rustcrypto", rust_crypto());
    providers
}

#[cfg(all(feature = "provider-rustcrypto", not(feature = "provider-aws-lc")))]
fn built_in() -> Providers {
    Providers::new("rustcrypto", rust_crypto())
}

#[cfg(feature = "provider-rustcrypto")]
fn rust_crypto() -> Arc<dyn Provider> {
    Arc::new(waxseal_provider_rustcrypto::RustCrypto)
}

#[cfg(not(any(feature = "provider-aws-lc", feature = "provider-rustcrypto")))]
compile_error!("no cryptography: build with feature provider-aws-lc, provider-rustcrypto or both");

/// Obeys the environment. Before anything is computed.
pub(crate) fn start() -> Result<(), Failure> {
    let mut providers = built_in();
    if let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
        let name = name.to_string_lossy();
        let known = providers.names().collect::<Vec<_>>().join(", ");
        providers = providers.with_default(&name).ok_or_else(|| {
            let message = format!("{VARIABLE} is none of {known}: {name}");
            Failure::new(Exit::Usage, message)
        })?;
    }
    PROVIDERS.get_or_init(|| providers);
    Ok(())
}

/// What `[crypto] provider` may name, the default first.
pub(crate) fn providers() -> &'static Providers {
    PROVIDERS.get_or_init(built_in)
}

/// The default.
pub(crate) fn provider() -> &'static Arc<dyn Provider> {
    providers().default_provider()
}
