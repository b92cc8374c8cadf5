//! The Debian package and the systemd units, as an operator gets them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::repository;

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Builds the package from the binary under test.
fn package(out: &Path) -> String {
    let mut command = Command::new(repository().join("packaging/deb"));
    command.args(["--fast", "--binary", env!("CARGO_BIN_EXE_waxseal"), "--out"]);
    text(&run(command.arg(out)).stdout).trim().to_owned()
}

/// `dpkg` on a system of its own below `root`.
fn dpkg(root: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("dpkg");
    command.arg(format!("--root={}", root.display()));
    command.args([
        "--force-not-root",
        "--force-depends",
        "--force-script-chrootless",
    ]);
    command.arg(format!("--log={}", root.join("log").display()));
    run(command.args(arguments))
}

#[test]
fn the_package_installs_and_what_it_brings_is_sound() {
    let place = tempfile::tempdir().unwrap();
    let package = package(place.path());
    let root = place.path().join("root");
    for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    dpkg(&root, &["--install", &package]);
    let waxseal = root.join("usr/bin/waxseal");
    let version = run(Command::new(&waxseal).arg("--version"));
    assert!(text(&version.stdout).starts_with("waxseal "));
    let checked = run(Command::new(&waxseal)
        .arg("check")
        .arg(root.join("etc/waxseal")));
    let checked = text(&checked.stdout);
    for expected in [
        ": sound\n",
        "filter inbound",
        "listener milter: milter on 127.0.0.1:8891",
    ] {
        assert!(checked.contains(expected), "{checked}");
    }
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", &package]);
    assert_eq!(text(&run(&mut lintian).stdout), "");
    // The operator's files are the operator's.
    fs::write(
        root.join("etc/waxseal/lists/must-encrypt.txt"),
        "mine.example\n",
    )
    .unwrap();
    dpkg(&root, &["--force-confold", "--install", &package]);
    let list = fs::read_to_string(root.join("etc/waxseal/lists/must-encrypt.txt")).unwrap();
    assert_eq!(list, "mine.example\n");
    fs::create_dir_all(root.join("var/lib/waxseal/policies")).unwrap();
    dpkg(&root, &["--remove", "waxseal"]);
    assert!(root.join("etc/waxseal/waxseal.toml").exists());
    assert!(!waxseal.exists());
    dpkg(&root, &["--purge", "waxseal"]);
    assert!(!root.join("etc/waxseal/waxseal.toml").exists());
    assert!(!root.join("var/lib/waxseal").exists());
}

#[test]
fn the_man_page_names_every_command() {
    let help = text(&run(Command::new(env!("CARGO_BIN_EXE_waxseal")).arg("--help")).stdout);
    let page = fs::read_to_string(repository().join("packaging/man/waxseal.8")).unwrap();
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let commands = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<&str> = commands
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"serve"), "{help}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(
            page.contains(command),
            "the man page says nothing of: {command}"
        );
    }
}

#[test]
fn the_units_are_sound_and_harden() {
    let place = tempfile::tempdir().unwrap();
    for unit in ["waxseal.service", "waxseal.socket"] {
        let text = fs::read_to_string(repository().join("packaging/systemd").join(unit)).unwrap();
        // What it runs must be there.
        let text = text.replace("/usr/bin/waxseal", env!("CARGO_BIN_EXE_waxseal"));
        fs::write(place.path().join(unit), text).unwrap();
    }
    let service = place.path().join("waxseal.service");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    let verified = run(verify
        .arg(&service)
        .arg(place.path().join("waxseal.socket")));
    assert_eq!(text(&verified.stderr), "");
    let mut security = Command::new("systemd-analyze");
    // In tenths: at most 1.5 of 10.
    security.args(["security", "--offline=yes", "--threshold=15"]);
    run(security.arg(&service));
}
