//! Debian's `miltertest` (of OpenDKIM) as the MTA: the scripts in `tests/mta/milter`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gateway::Gateway;

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mta/milter");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut scripts: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
        .filter(|path| !path.ends_with("run.lua"))
        .collect();
    scripts.sort();
    scripts
}

fn run(socket: &str) {
    let scripts = scripts();
    assert!(!scripts.is_empty());
    for script in scripts {
        let output = Command::new("miltertest")
            .args(["-D", &format!("socket={socket}")])
            .args(["-D", &format!("script={}", script.display())])
            .arg("-s")
            .arg(script.with_file_name("run.lua"))
            .output()
            .expect("miltertest is installed (Debian: apt-get install miltertest)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", script.display());
        assert_eq!(said, "done\n", "{}", script.display());
    }
}

#[test]
fn over_tcp() {
    let gateway = Gateway::start();
    run(&format!("inet:{}@127.0.0.1", gateway.address.port()));
}

#[test]
fn over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("milter.sock");
    let mut gateway = Gateway::start();
    gateway.at(&path);
    run(&format!("unix:{}", path.display()));
}
