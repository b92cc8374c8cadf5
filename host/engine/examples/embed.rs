//! Waxseal inside another program: one policy directory, one message in, copies out.
//!
//! ```text
//! cargo run -p waxseal-engine --example embed -- POLICY-DIR FROM TO < MAIL
//! ```

use std::{env, error::Error, io::Read, path::Path, sync::Arc, time::UNIX_EPOCH};

use waxseal_config::{LoadOptions, Providers, load};
use waxseal_engine::{Disposition, Engine, Transaction};
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::Time;

fn main() -> Result<(), Box<dyn Error>> {
    let [policy, from, to]: [String; 3] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "POLICY-DIR FROM TO")?;
    let mut octets = Vec::new();
    std::io::stdin().read_to_end(&mut octets)?;
    let now = i64::try_from(UNIX_EPOCH.elapsed()?.as_secs())?;

    // Once: a runtime for the process, a generation for the policy.
    let runtime = Runtime::new(&RuntimeLimits::default())?;
    let options = LoadOptions {
        now: Time::from_unix(now),
    };
    let providers = Providers::new("aws-lc", Arc::new(AwsLc));
    let loaded = load(Path::new(&policy), &runtime, &providers, &options)?;
    let engine = Engine::new(loaded.generation);

    // For each message, from any thread.
    let (from, to) = (Address::parse(&from)?, Address::parse(&to)?);
    let mut transaction = Transaction::new(Some(from), [to], octets, now);
    transaction.session.listener = Some("cli".into()); // ours to sign, where [origin] says so
    match engine.process(transaction).disposition {
        Disposition::Deliver(delivery) => {
            for copy in delivery.copies {
                println!("{}", String::from_utf8_lossy(&copy.message.to_bytes()));
            }
        }
        Disposition::Reject(refused) | Disposition::Defer(refused) => {
            eprintln!("{} {}", refused.reply.code, refused.reply.text);
        }
        other => eprintln!("{other:?}"),
    }
    Ok(())
}
