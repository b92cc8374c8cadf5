//! What wit-bindgen makes of `wit/filter.wit`, for the widest world.
//!
//! A component still imports only what its filter calls: the linker drops the
//! rest, and componentising follows the linker. Not for direct use; the modules
//! beside this one give it a Rust face.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "prepared-opener",
    pub_export_macro: true,
    export_macro_name: "export_handler",
    default_bindings_module: "waxseal_guest::bindings",
    additional_derives: [PartialEq],
});
