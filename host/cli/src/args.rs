//! The command line as types. The arguments of a command stand in its module; the values that
//! several of them take are parsed here.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand};
use std::str::FromStr;
use waxseal_message::Address;
use waxseal_smime::{ContentCipher, DigestAlgorithm, HeaderProtection, KeyTransport, RsaScheme};

use crate::commands::{
    build, cert, check, decrypt, demo, encrypt, explain, init, inspect, new, open, reload, run,
    serve, shadow, sign, status, test, verify,
};

/// Signs and encrypts mail by policy; the policy is a program.
#[derive(Parser)]
#[command(name = "waxseal", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes are those of sysexits.h: 0 done, 1 not valid or not decrypted, 64 usage, 65 bad data, \
66 no input, 69 refused, 70 our fault, 73 cannot create, 74 input or output, 75 try again, \
77 denied, 78 configuration."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say more on standard error; twice for everything (`WAXSEAL_LOG` sets it finely)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// A throw-away CA and sample mail through the stock filters, with results to look at
    Demo(demo::DemoArgs),
    /// Make a working policy directory to start from
    Init(init::InitArgs),
    /// Load a policy directory as the service would, and say what is wrong and where
    Check(check::CheckArgs),
    /// Take one message through a policy and write the copies
    Run(run::RunArgs),
    /// As `run`, with the plan, the calls, the rules that matched and the time of each step; with
    /// an ID, what a running service decided
    Explain(explain::args::ExplainArgs),
    /// Run the fixtures of a policy or a filter project
    Test(test::TestArgs),
    /// Serve a policy over milter, SMTP and LMTP, and reload it while mail flows
    Serve(serve::ServeArgs),
    /// Say what a running service does, and by which policy
    Status(status::StatusArgs),
    /// Load the policy directory into a running service
    Reload(reload::ReloadArgs),
    /// Go back to an earlier generation of a running service's policy
    Rollback(reload::RollbackArgs),
    /// Look at the candidate of `reload --shadow`, and make it active or let it go
    #[command(subcommand)]
    Shadow(shadow::ShadowCommand),
    /// Make a filter project: SDK, contract, a fixture and a test
    New(new::NewArgs),
    /// Build a filter project into a component
    Build(build::BuildArgs),
    /// Say in words what a component may ask for
    Inspect(inspect::InspectArgs),
    /// Sign a mail
    Sign(sign::SignArgs),
    /// Encrypt a mail
    Encrypt(encrypt::EncryptArgs),
    /// Take the S/MIME layers off a mail: verify, decrypt, and say what each is
    Open(open::OpenArgs),
    /// Verify the signatures of a mail, and say whose they are
    Verify(verify::VerifyArgs),
    /// Take the encryption off a mail
    Decrypt(decrypt::DecryptArgs),
    /// Make, show and choose certificates
    #[command(subcommand)]
    Cert(cert::CertCommand),
}

/// The argument of MAIL FROM: an address, or `<>` (also the empty string), the null
/// reverse-path (RFC 5321 §4.5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReversePath(pub(crate) Option<Address>);

impl FromStr for ReversePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" | "<>" => Ok(Self(None)),
            path => mailbox(path).map(|address| Self(Some(address))),
        }
    }
}

/// Reads an address as people give it, with or without angle brackets.
pub(crate) fn mailbox(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let bare = text
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(text);
    Address::parse(bare).map_err(|error| error.to_string())
}

/// One name for each value, listed by `--help`.
macro_rules! names {
    ($(#[$doc:meta])* $function:ident: $type:ty = [$($name:literal),+]) => {
        $(#[$doc])*
        pub(crate) fn $function() -> impl TypedValueParser<Value = $type> {
            PossibleValuesParser::new([$($name),+]).try_map(|name| name.parse::<$type>())
        }
    };
}

names!(/// Message digests.
    digest: DigestAlgorithm = ["sha-256", "sha-384", "sha-512"]);
names!(/// RSA signature schemes.
    scheme: RsaScheme = ["pkcs1v15", "pss"]);
names!(/// Content ciphers.
cipher: ContentCipher = [
    "aes-256-cbc", "aes-192-cbc", "aes-128-cbc", "aes-256-gcm", "aes-192-gcm", "aes-128-gcm"
]);
names!(/// Key transports.
    key_transport: KeyTransport = ["pkcs1v15", "oaep"]);
names!(/// Forms of header protection.
    header_protection: HeaderProtection = ["off", "no-confidentiality", "baseline", "shy"]);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reverse_paths() {
        let check = |input: &str, expected: Option<&str>| {
            let path: ReversePath = input.parse().unwrap();
            assert_eq!(
                path.0.map(|address| address.to_string()).as_deref(),
                expected,
                "{input}"
            );
        };
        check("", None);
        check("<>", None);
        check("a@example.org", Some("a@example.org"));
        check("<a@example.org>", Some("a@example.org"));
        assert!("nobody".parse::<ReversePath>().is_err());
    }
}
