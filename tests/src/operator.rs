//! An operator with a policy directory and the `waxseal` binary.
//!
//! The binary is `$WAXSEAL_BIN`, else the one beside the test in the target directory: build it
//! first (`tests/run` does). The stock filters are those of `filters/dist`. Panics with what is
//! missing; a test that cannot run fails.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::openssl::{Authority, Identity};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The binary under test.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("WAXSEAL_BIN").map_or_else(beside_this_test, PathBuf::from);
    assert!(
        path.is_file(),
        "no binary (cargo build -p waxseal): {}",
        path.display()
    );
    path
}

fn beside_this_test() -> PathBuf {
    // target/debug/deps/outbound-0123456789abcdef
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("waxseal")
}

/// A policy directory under construction. Files appear as they are added; the configuration is
/// written by `run`.
#[derive(Debug)]
pub struct Policy {
    home: tempfile::TempDir,
    configuration: String,
    authority: Authority,
    serial: u32,
}

impl Policy {
    /// A policy whose filters, profiles and origin stand in `configuration`, with an authority
    /// that it trusts.
    pub fn new(configuration: &str) -> Policy {
        let home = tempfile::Builder::new()
            .prefix("waxseal-test-")
            .tempdir()
            .unwrap();
        let authority = Authority::new(&home.path().join("authority"));
        let policy = Policy {
            home,
            configuration: configuration.to_owned(),
            authority,
            serial: 1000,
        };
        for name in [
            "identities",
            "certificates",
            "anchors",
            "lists",
            "dictionaries",
        ] {
            std::fs::create_dir_all(policy.directory().join(name)).unwrap();
        }
        std::fs::copy(policy.root(), policy.directory().join("anchors/root.pem")).unwrap();
        policy
    }

    /// The policy directory.
    pub fn directory(&self) -> PathBuf {
        self.home.path().join("policy")
    }

    /// A place for files of the test outside the policy directory.
    pub fn elsewhere(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The root that readers trust.
    pub fn root(&self) -> PathBuf {
        self.authority.root()
    }

    /// An identity of `[identity.NAME]` that signs for `address`.
    pub fn signer(&mut self, name: &str, address: &str) -> Identity {
        self.signer_with(name, address, "rsa:2048", "keyEncipherment")
    }

    /// The same with another kind of key, as [`Authority::issue_with`] takes it.
    pub fn signer_with(&mut self, name: &str, address: &str, key: &str, usage: &str) -> Identity {
        self.serial += 1;
        let identity = self.authority.issue_with(self.serial, address, key, usage);
        let both =
            [&identity.certificate, &identity.key].map(|f| std::fs::read_to_string(f).unwrap());
        let file = format!("identities/{name}.pem");
        std::fs::write(self.directory().join(&file), both.concat()).unwrap();
        private(&self.directory().join(&file));
        self.configuration.push_str(&format!(
            "\n[identity.{name}]\nfile = \"{file}\"\naddresses = [\"{address}\"]\nuse = [\"sign\"]\n"
        ));
        identity
    }

    /// An identity of `[identity.NAME]` that decrypts for `address`.
    pub fn reader(&mut self, name: &str, address: &str) -> Identity {
        let identity = self.signer(name, address);
        let signs = format!("addresses = [\"{address}\"]\nuse = [\"sign\"]");
        let reads = format!("addresses = [\"{address}\"]\nuse = [\"decrypt\"]");
        self.configuration = self.configuration.replace(&signs, &reads);
        identity
    }

    /// An identity of `[identity.NAME]` that decrypts for everybody in `domain`.
    pub fn domain_reader(&mut self, name: &str, address: &str, domain: &str) -> Identity {
        let identity = self.reader(name, address);
        let alone = format!("addresses = [\"{address}\"]\nuse");
        let everybody = format!("addresses = []\ndomains = [\"{domain}\"]\nuse");
        self.configuration = self.configuration.replace(&alone, &everybody);
        identity
    }

    /// Somebody elsewhere with a certificate that the policy trusts, and does not know.
    pub fn correspondent(&mut self, address: &str) -> Identity {
        self.issue(address)
    }

    /// A recipient whose certificate lies in `certificates/`.
    pub fn recipient(&mut self, address: &str) -> Identity {
        let identity = self.issue(address);
        let target = self
            .directory()
            .join(format!("certificates/{}.pem", identity.serial));
        std::fs::copy(&identity.certificate, target).unwrap();
        identity
    }

    fn issue(&mut self, address: &str) -> Identity {
        self.serial += 1;
        self.authority.issue(self.serial, address)
    }

    /// `waxseal run` on a mail; `session` are further arguments.
    pub fn run(&self, mail: &str, from: &str, to: &[&str], session: &[&str]) -> Ran {
        self.write();
        let (file, out) = (self.elsewhere("mail.eml"), self.elsewhere("out"));
        let _ = std::fs::remove_dir_all(&out);
        std::fs::write(&file, mail.replace('\n', "\r\n")).unwrap();
        let mut command = Command::new(binary());
        command
            .args(["run", "--json", "--from", from, "--policy"])
            .arg(self.directory());
        command.arg("--out-dir").arg(&out).args(session);
        to.iter().for_each(|address| {
            command.args(["--to", address]);
        });
        let output = command.arg(&file).stdin(Stdio::null()).output().unwrap();
        Ran::new(&output, &out)
    }

    /// Writes the configuration and copies the stock filters, so that the directory is whole.
    pub fn write(&self) {
        let filters = self.directory().join("filters");
        if !filters.exists() {
            std::fs::create_dir_all(&filters).unwrap();
            for from in ["filters/dist", "tests/fixtures"] {
                copy_components(&repository().join(from), &filters);
            }
        }
        std::fs::write(self.directory().join("waxseal.toml"), &self.configuration).unwrap();
    }
}

fn copy_components(from: &Path, to: &Path) {
    let entries = std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    for entry in entries {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|e| e == "wasm") {
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Path) {}

/// What came of a mail.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; nothing after a signal.
    pub code: Option<i32>,
    /// Standard error.
    pub stderr: String,
    /// The report of `--json`.
    pub report: Value,
    /// The copies that were written.
    pub copies: Vec<Copy>,
}

/// One copy.
#[derive(Debug)]
pub struct Copy {
    /// Where it lies.
    pub file: PathBuf,
    /// To whom it goes, sorted.
    pub recipients: Vec<String>,
    /// The layers that Waxseal says it made, outermost first.
    pub protections: Vec<String>,
    /// The mail.
    pub text: String,
}

impl Ran {
    fn new(output: &Output, out: &Path) -> Ran {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        // A filter's own panic is in the log; ours names a thread, and ends with 101.
        assert!(
            output.status.code() != Some(101) && !stderr.contains("\nthread '"),
            "{stderr}"
        );
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let copies = report["copies"].as_array().into_iter().flatten();
        let copies = copies.map(|copy| Copy::new(copy, out)).collect();
        Ran {
            code: output.status.code(),
            stderr,
            report,
            copies,
        }
    }

    /// The codes of the causes of a refusal or a delay, sorted.
    pub fn causes(&self) -> Vec<String> {
        let report = &self.report;
        let whole = report["causes"].as_array().into_iter().flatten();
        let failures = report["filter-failures"].as_array().into_iter().flatten();
        let alone = ["refusals", "dropped"].into_iter().flat_map(|key| {
            report[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|r| &r["cause"])
        });
        let all = whole.chain(failures).chain(alone);
        let mut codes: Vec<_> = all
            .filter_map(|cause| cause["code"].as_str())
            .map(str::to_owned)
            .collect();
        codes.sort();
        codes.dedup();
        codes
    }

    /// The only copy.
    pub fn copy(&self) -> &Copy {
        assert_eq!(self.copies.len(), 1, "one copy expected: {self:#?}");
        &self.copies[0]
    }

    /// The copy that this recipient gets.
    pub fn copy_for(&self, address: &str) -> Option<&Copy> {
        self.copies
            .iter()
            .find(|copy| copy.recipients.iter().any(|r| r == address))
    }
}

impl Copy {
    fn new(report: &Value, out: &Path) -> Copy {
        let texts = |key: &str| -> Vec<String> {
            let values = report[key].as_array().into_iter().flatten();
            values
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let file = out.join(report["file"].as_str().unwrap());
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        let mut recipients = texts("recipients");
        recipients.sort();
        Copy {
            file,
            recipients,
            protections: texts("protections"),
            text,
        }
    }

    /// Do these words stand in it for anyone to read? They must be ASCII and on one line.
    pub fn reveals(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// The value of a header field outside the protection.
    pub fn field(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
