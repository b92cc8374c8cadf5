//! `waxseal demo`: a throw-away CA, sample mail through the stock filters, results to look at.
//!
//! The results directory has the policy, the mails, the copies and `check.sh` with the
//! `openssl` commands that check them. It appears whole or not at all.

mod back;
mod samples;
mod script;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use waxseal_engine::{Engine, Outcome, Transaction, plan_text};
use waxseal_message::{Address, Limits, Message};
use waxseal_policy::transaction::Session;
use waxseal_smime::{Clock, Time};
use waxseal_stores::pem_certificate;

use crate::args::mailbox;
use crate::clock::{self, CommandClock};
use crate::commands::check;
use crate::commands::demo::back::Back;
use crate::commands::demo::samples::{HOLDERS, SAMPLES, Sample};
use crate::commands::init::throwaway::Authority;
use crate::commands::init::{self, draft, place, write};
use crate::commands::run::copies;
use crate::fixture::session::at_the_keyboard;
use crate::output;
use crate::progress::Spinner;
use crate::report::{Exit, Failure};

const POLICY: [(&str, &[u8]); 7] = [
    (
        "waxseal.toml",
        include_bytes!("../../demo/policy/waxseal.toml"),
    ),
    ("rules.json", include_bytes!("../../demo/policy/rules.json")),
    (
        "lists/hospitals.txt",
        include_bytes!("../../demo/policy/hospitals.txt"),
    ),
    ("filters/rules.wasm", init::RULES),
    ("filters/must-encrypt.wasm", init::MUST_ENCRYPT),
    ("filters/subject-trigger.wasm", init::SUBJECT_TRIGGER),
    ("filters/opportunistic.wasm", init::OPPORTUNISTIC),
];

/// What `demo` takes.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where the results go; a new temporary directory when not given
    #[arg(long, visible_alias = "out-dir", value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// The time that it is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse, hide = true)]
    at: Option<Time>,
}

/// One sample and what came of it.
struct Done {
    sample: &'static Sample,
    outcome: Outcome,
    subject: String,
    back: Vec<Back>,
}

/// Runs the demonstration.
pub(crate) fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let now = CommandClock::from(args.at).now();
    let out = match args.out {
        Some(out) => out,
        None => new_place()?,
    };
    let draft = draft(&out)?;
    let done = {
        let _spinner = Spinner::start("a throw-away CA, keys, and eight mails");
        make_policy(draft.path(), now)?;
        let engine = Engine::new(check::load(&draft.path().join("policy"), now)?.generation);
        let mut done = Vec::new();
        for sample in &SAMPLES {
            done.push(one(sample, &engine, draft.path(), now)?);
        }
        done
    };
    write(
        &draft.path().join("check.sh"),
        script::text(&done).as_bytes(),
    )?;
    place(draft, &out)?;
    output::print(report(&done, &out))?;
    let is_good = done
        .iter()
        .flat_map(|each| &each.back)
        .all(|back| back.is_good);
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn new_place() -> Result<PathBuf, Failure> {
    let above = std::env::temp_dir();
    let place = tempfile::Builder::new()
        .prefix("waxseal-demo-")
        .tempdir_in(&above);
    Ok(place
        .map_err(|error| Failure::creating(&above, &error))?
        .keep())
}

/// The policy with everybody's certificates and the senders' identities; the recipients'
/// keys, which a gateway never has, go beside it.
fn make_policy(dir: &Path, now: Time) -> Result<(), Failure> {
    let policy = dir.join("policy");
    for (file, octets) in POLICY {
        write(&policy.join(file), octets)?;
    }
    // An hour ago, for machines whose clocks differ.
    let authority = Authority::new("Throw-away CA made by waxseal demo", now.plus(-3600))?;
    authority.write(&dir.join("ca"))?;
    let mut identities = String::new();
    for holder in &HOLDERS {
        let made = authority.issue(&address(holder.address)?, &holder.key)?;
        let name = holder.address.replace(['@', '.'], "-");
        if holder.signs {
            made.write_identity(&policy.join("identities"), &name, &authority)?;
            identities += &format!(
                "\n[identity.{name}]\nfile = \"identities/{name}.p12\"\npassphrase-file = \"identities/{name}.pass\"\n"
            );
        } else {
            let file = format!("{}.pem", holder.address);
            let pem = pem_certificate(&made.certificate);
            write(&policy.join("certificates").join(&file), pem.as_bytes())?;
            made.write_pem(&dir.join("keys").join(&file))?;
        }
    }
    let text = [include_str!("../../demo/policy/waxseal.toml"), &identities].concat();
    write(&policy.join("waxseal.toml"), text.as_bytes())
}

fn one(sample: &'static Sample, engine: &Engine, dir: &Path, now: Time) -> Result<Done, Failure> {
    write(&dir.join("mails").join(sample.file), sample.octets)?;
    let message = Message::parse(sample.octets, &Limits::default())
        .map_err(|error| Failure::new(Exit::Software, error))?;
    let to = sample
        .to
        .iter()
        .map(|to| address(to))
        .collect::<Result<Vec<_>, _>>()?;
    let mut transaction = Transaction::new(
        Some(address(sample.from)?),
        to,
        message.to_bytes(),
        now.unix(),
    );
    transaction.session = match sample.client_ip {
        Some(ip) => Session {
            client_ip: ip.parse().ok(),
            ..Session::default()
        },
        None => at_the_keyboard(),
    };
    let outcome = engine.process(transaction);
    copies::write(&outcome, &dir.join("out").join(sample.stem()))?;
    let subject = message
        .first("Subject")
        .map(|field| field.value())
        .unwrap_or_default();
    Ok(Done {
        sample,
        back: back::opened(&outcome, dir, now)?,
        outcome,
        subject,
    })
}

fn address(text: &str) -> Result<Address, Failure> {
    mailbox(text).map_err(|error| Failure::new(Exit::Software, error))
}

fn report(done: &[Done], out: &Path) -> String {
    let mut text = String::new();
    for each in done {
        let Done {
            sample,
            outcome,
            subject,
            back,
        } = each;
        text += &format!("{}  {subject:?}\n", sample.file);
        text += &format!("    why:  {}\n", sample.about);
        text += &format!("    plan: {}\n", plan_text::one_line(outcome));
        for back in back {
            text += &format!("    back: {}\n", back.line);
        }
    }
    let out = out.display();
    text + &format!(
        "
results are in {out}
  out/      each mail's copies and outcome.json
  policy/   the policy that did it, to change and run again
  mails/ ca/ keys/   the mails, the throw-away CA, the recipients' keys

open one yourself:
  waxseal open --identity {out}/keys/ben@partner.example.pem --anchor {out}/ca/ca.pem {out}/out/05-secure-subject/copy-1.eml
check them with openssl (all of it: sh {out}/check.sh):
{}
see why one of them came out as it did:
  waxseal explain --policy {out}/policy --from anna@example.org --to ben@partner.example {out}/mails/05-secure-subject.eml
",
        script::shown(done, &format!("{out}"))
    )
}
