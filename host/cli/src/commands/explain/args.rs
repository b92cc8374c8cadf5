//! `explain` takes a mail, as `run` does, or the id of a message that a service decided about.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use std::path::PathBuf;

use crate::commands::run::RunArgs;
use crate::serve::control::client::Server;

/// What is to be explained.
pub(crate) enum ExplainArgs {
    /// A mail.
    Mail(RunArgs),
    /// A decision of a running service.
    Decision(DecisionArgs),
}

/// A decision of a running service.
pub(crate) struct DecisionArgs {
    /// The id of the message.
    pub(crate) id: String,
    pub(crate) server: Server,
    pub(crate) json: bool,
}

impl Args for ExplainArgs {
    fn augment_args(command: Command) -> Command {
        // Without an envelope the argument is the id of a message.
        RunArgs::augment_args(command)
            .mut_arg("policy", |arg| {
                arg.required(false)
                    .help("The policy directory; with an ID: the one that is served")
            })
            .mut_arg("from", |arg| {
                arg.required(false).requires("to").requires("policy")
            })
            .mut_arg("to", |arg| arg.required(false).requires("from"))
            .mut_arg("file", |arg| {
                arg.value_name("FILE|ID").help(
                    "The mail; standard input when there is none. Without --from and --to: the id \
                     of a message that a service decided about",
                )
            })
            .arg(
                path("socket", "SOCKET", "With an ID: the control socket").conflicts_with("policy"),
            )
            .arg(path(
                "config",
                "CONFIG",
                "With an ID: the serve.toml of the service",
            ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    let parser = value_parser!(PathBuf);
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .value_parser(parser)
        .conflicts_with("from")
}

impl FromArgMatches for ExplainArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        if matches.contains_id("from") {
            return RunArgs::from_arg_matches(matches).map(Self::Mail);
        }
        let path = |name| matches.get_one::<PathBuf>(name).cloned();
        let Some(id) = path("file") else {
            let message = "an ID, or --policy, --from and --to\n";
            return Err(Error::raw(ErrorKind::MissingRequiredArgument, message));
        };
        if id.is_file() {
            let message = "a mail is explained with --policy, --from and --to\n";
            return Err(Error::raw(ErrorKind::MissingRequiredArgument, message));
        }
        Ok(Self::Decision(DecisionArgs {
            id: id.to_string_lossy().into_owned(),
            server: Server {
                socket: path("socket"),
                policy: path("policy"),
                config: path("config"),
            },
            json: matches.get_flag("json"),
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
