//! The JSON Schema of the settings, and the test that holds `schema.json` to it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use waxseal_guest::inspect::State;

use crate::{
    settings::{Inbound, Name, SIGNER_MISMATCH},
    tag::Tag,
};

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "State".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = State::NAMES.iter().chain(&[SIGNER_MISMATCH]).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl JsonSchema for Tag {
    fn schema_name() -> Cow<'static, str> {
        "Tag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`[S/MIME: {state}]`; begins with text of its own",
            "pattern": "^(?!\\s*($|\\{state\\}))[^\\u0000-\\u001f\\u007f-\\u009f]*$"
        })
    }
}

/// `UPDATE_SCHEMA=1 cargo test -p inbound` writes the file anew.
#[test]
fn the_shipped_schema_is_that_of_the_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = schemars::schema_for!(Inbound);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap();
    assert!(
        shipped == text,
        "schema.json is old; UPDATE_SCHEMA=1 cargo test -p inbound"
    );
}
