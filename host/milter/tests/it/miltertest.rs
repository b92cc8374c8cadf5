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
        .collect();
    scripts.sort();
    scripts
}

fn run(socket: &str) {
    let scripts = scripts();
    assert!(!scripts.is_empty());
    for script in scripts {
        let output = Command::new("miltertest")
            .args(["-D", &format!("socket={socket}"), "-s"])
            .arg(&script)
            .output()
            .expect("miltertest is installed (Debian: apt-get install miltertest)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", script.display());
        // A script that ends early would pass otherwise.
        assert!(said.ends_with("done\n"), "{}: {said}", script.display());
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
