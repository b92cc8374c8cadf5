//! One module for each command. Each has its arguments and `run`.

pub(crate) mod build;
pub(crate) mod cert;
pub(crate) mod check;
pub(crate) mod decrypt;
pub(crate) mod demo;
pub(crate) mod encrypt;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod new;
pub(crate) mod open;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod shadow;
pub(crate) mod sign;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod verify;

use std::process::ExitCode;

use crate::args::Command;
use crate::report::Failure;

/// Does what the command line says.
pub(crate) fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Init(args) => init::run(args),
        Command::Check(args) => check::run(args),
        Command::Run(args) => run::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Test(args) => test::run(args),
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Encrypt(args) => encrypt::run(args),
        Command::Open(args) => open::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Decrypt(args) => decrypt::run(args),
        Command::Cert(command) => cert::run(command),
        Command::Serve(args) => serve::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Reload(args) => reload::reload(&args),
        Command::Rollback(args) => reload::rollback(args),
        Command::Shadow(command) => shadow::run(&command),
    }
}
