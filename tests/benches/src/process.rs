//! Programs as contestants: one process, or two with a pipe between, for each mail.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use waxseal_tests::operator::binary;

use crate::people::People;
use crate::smime::Operation;

/// What a program runs for an operation on a file, into a file.
pub type Program = fn(Operation, &People, &Path, &Path) -> Vec<Command>;

/// `openssl cms` on a file. With `-binary` where it can be: that is right for mail whose lines end
/// in CRLF, and takes OpenSSL less time. Verifying a multipart so fails: OpenSSL then reads its lines
/// with LF.
pub fn openssl(operation: Operation, people: &People, from: &Path, to: &Path) -> Vec<Command> {
    let sign = || {
        let mut sign = cms("-sign");
        sign.args(["-md", "sha256", "-signer"]);
        sign.arg(&people.sender.certificate);
        sign.arg("-inkey").arg(&people.sender.key);
        sign.arg("-in").arg(from);
        sign
    };
    let encrypt = || {
        let mut encrypt = cms("-encrypt");
        encrypt.arg("-aes-256-cbc").arg("-out").arg(to);
        encrypt
    };
    let recipient = &people.recipient;
    match operation {
        Operation::Sign => vec![with(sign(), &["-out".as_ref(), to])],
        Operation::Encrypt => {
            vec![with(
                encrypt(),
                &["-in".as_ref(), from, &recipient.certificate],
            )]
        }
        Operation::SignEncrypt => vec![sign(), with(encrypt(), &[&recipient.certificate])],
        Operation::Decrypt => {
            let mut decrypt = cms("-decrypt");
            decrypt.arg("-recip").arg(&recipient.certificate);
            decrypt.arg("-inkey").arg(&recipient.key);
            vec![with(decrypt, &["-in".as_ref(), from, "-out".as_ref(), to])]
        }
        Operation::Verify => {
            let mut verify = cms("-verify");
            verify.arg("-CAfile").arg(people.root());
            vec![with(verify, &["-in".as_ref(), from, "-out".as_ref(), to])]
        }
    }
}

/// `waxseal` on a file.
pub fn waxseal(operation: Operation, people: &People, from: &Path, to: &Path) -> Vec<Command> {
    let (sender, recipient) = (&people.sender, &people.recipient);
    let command = |name: &str| {
        let mut command = Command::new(binary());
        command.arg(name);
        command
    };
    let sign = || {
        let mut sign = command("sign");
        sign.arg("--identity").arg(&sender.certificate);
        sign.arg("--key").arg(&sender.key);
        sign
    };
    let encrypt = || {
        let mut encrypt = command("encrypt");
        encrypt.arg("--to").arg(&recipient.certificate);
        encrypt.arg("--out").arg(to);
        encrypt
    };
    match operation {
        Operation::Sign => vec![with(sign(), &["--out".as_ref(), to, from])],
        Operation::Encrypt => vec![with(encrypt(), &[from])],
        Operation::SignEncrypt => vec![with(sign(), &[from]), encrypt()],
        Operation::Decrypt => {
            let mut decrypt = command("decrypt");
            decrypt.arg("--identity").arg(&recipient.certificate);
            decrypt.arg("--key").arg(&recipient.key);
            vec![with(decrypt, &["--out".as_ref(), to, from])]
        }
        Operation::Verify => {
            let mut verify = command("verify");
            verify.arg("--anchor").arg(people.root());
            vec![with(verify, &["--out".as_ref(), to, from])]
        }
    }
}

fn cms(what: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(["cms", what]);
    if what != "-verify" {
        command.arg("-binary");
    }
    command
}

fn with(mut command: Command, arguments: &[&Path]) -> Command {
    command.args(arguments);
    command
}

/// Runs them, each one's output into the next; panics with what the last said when one fails.
pub fn run(pipeline: Vec<Command>) {
    let mut children = Vec::new();
    let mut input = Stdio::null();
    let last = pipeline.len() - 1;
    for (at, mut command) in pipeline.into_iter().enumerate() {
        command.stdin(input).stdout(Stdio::piped());
        if at == last {
            command.stderr(Stdio::piped());
        } else {
            command.stderr(Stdio::null());
        }
        let mut child = command.spawn().unwrap();
        input = child
            .stdout
            .take_if(|_| at < last)
            .map_or_else(Stdio::null, Stdio::from);
        children.push((command, child));
    }
    for (command, child) in children {
        succeeded(&command, &child.wait_with_output().unwrap());
    }
}

/// Panics with what it said when it failed.
pub fn succeeded(command: &Command, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Octets of memory that one process takes at most (`ru_maxrss`).
pub fn peak(command: &Command) -> u64 {
    let wait = "import os, sys\n\
                child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[\n\
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])\n\
                _, status, usage = os.wait4(child, 0)\n\
                print(usage.ru_maxrss)\n\
                sys.exit(status != 0)";
    let mut python = Command::new("python3");
    python.args(["-c", wait]).arg(command.get_program());
    let output = python.args(command.get_args()).output().unwrap();
    succeeded(command, &output);
    let kib = String::from_utf8(output.stdout).unwrap();
    kib.trim().parse::<u64>().unwrap() * 1024
}
