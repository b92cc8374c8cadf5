//! `waxseal new`, `build` and `inspect`, as far as they go without a compiler; that a project
//! builds is tested end to end, where compilers are.

use insta::assert_snapshot;

use crate::Place;

#[test]
fn a_project_is_whole() {
    let place = Place::new();
    assert_snapshot!(place.sees("new work/mark-late"));
    let project = place.path("work/mark-late");
    let read = |name: &str| std::fs::read_to_string(project.join(name)).unwrap();
    assert!(read("Cargo.toml").contains("name = \"mark-late\""));
    assert!(read("waxseal.toml").contains("mark-late.wasm"));
    for file in [
        "src/lib.rs",
        "sdk/src/lib.rs",
        "sdk/Cargo.toml",
        "wit/filter.wit",
        "README.md",
    ] {
        assert!(!read(file).contains("{{"), "{file}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(project.join("identities/anna.pem")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_project_that_is_not_built_yet() {
    let place = Place::new();
    place.run("new mine");
    let seen = place.sees(&format!("check mine --at {}", crate::AT));
    assert!(
        seen.starts_with("exit: 78\n") && seen.contains("mine.wasm"),
        "{seen}"
    );
}

#[test]
fn a_name_that_is_none() {
    assert_snapshot!(Place::new().sees("new 1st"));
}

#[test]
fn a_directory_that_is_not_empty() {
    let place = Place::new();
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/notes", "keep me");
    assert_snapshot!(place.sees("new mine"));
}

#[test]
fn nothing_to_build() {
    assert_snapshot!(Place::new().sees("build"));
}

#[test]
fn no_component() {
    let place = Place::new();
    place.write("f.wasm", "nothing of the kind");
    assert_snapshot!(place.sees("inspect f.wasm"));
    std::fs::write(place.path("m.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert_snapshot!(place.sees("inspect m.wasm"));
}

#[test]
fn a_stock_filter_in_words() {
    let dist = concat!(env!("CARGO_MANIFEST_DIR"), "/../../filters/dist");
    let seen = Place::new().sees(&format!("inspect {dist}/must-encrypt.wasm"));
    assert!(
        seen.contains("\ngrant = [\"actions\", \"profiles\"]\n"),
        "{seen}"
    );
    assert!(
        seen.contains("  actions       set what is sent to whom"),
        "{seen}"
    );
}
