//! The tests of every provider, with this one.

#![allow(clippy::unwrap_used, clippy::panic)]

use waxseal_provider_aws_lc::AwsLc;

const PROVIDER: AwsLc = AwsLc;

#[path = "../../../tests/providers/mod.rs"]
mod providers;
