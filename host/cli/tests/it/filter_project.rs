//! `waxseal new`, `build` and `inspect`, as far as they go without a compiler; that a project
//! builds is tested end to end, where compilers are.

use insta::assert_snapshot;

use crate::Place;

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
