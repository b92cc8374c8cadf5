//! The JSON Schema of the settings, and the test that holds `schema.json` to it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::settings::{
    AnyOf, Code, Enhanced, FieldName, Fingerprint, Line, Network, Rules, Text, Whom,
};

impl<T: JsonSchema> JsonSchema for AnyOf<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("AnyOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }]
        })
    }
}

/// A type that is written as a string.
macro_rules! text_schema {
    ($type:ty, $name:literal, $description:literal, $pattern:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, "pattern": $pattern })
            }
        }
    };
}

text_schema!(
    Text,
    "Text",
    "`*` stands for any run of characters (`\\*` is a star); the whole is compared, without regard to case",
    "^"
);
text_schema!(
    Whom,
    "Whom",
    "a domain (`example.org`, `.example.org` with those below it, `*.example.org` only those below), an address in which `*` stands for any run of characters, `<>` for the null sender, or `list:NAME`",
    "^[^\\s]+$"
);
text_schema!(
    Network,
    "Network",
    "`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`",
    "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"
);
text_schema!(
    Fingerprint,
    "Fingerprint",
    "SHA-256 in hexadecimal digits, with or without colons",
    "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$"
);
text_schema!(
    Line,
    "Line",
    "text without control characters",
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
);
text_schema!(
    FieldName,
    "FieldName",
    "the name of a header field, not Content-* or MIME-Version",
    "^(?!([Mm][Ii][Mm][Ee]-[Vv][Ee][Rr][Ss][Ii][Oo][Nn]$|[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-))[!-9;-~]+$"
);

impl<const CLASS: u16> JsonSchema for Code<CLASS> {
    fn schema_name() -> Cow<'static, str> {
        format!("Code{CLASS}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let least = CLASS * 100;
        json_schema!({ "type": "integer", "minimum": least, "maximum": least + 99 })
    }
}

impl<const CLASS: u16> JsonSchema for Enhanced<CLASS> {
    fn schema_name() -> Cow<'static, str> {
        format!("Enhanced{CLASS}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^{CLASS}\\.[0-9]{{1,3}}\\.[0-9]{{1,3}}$");
        json_schema!({ "type": "string", "pattern": pattern })
    }
}

/// `UPDATE_SCHEMA=1 cargo test -p rules -p inbound-rules` writes the files anew.
#[test]
fn the_shipped_schema_is_that_of_the_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = schemars::schema_for!(Rules);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap();
    assert!(
        shipped == text,
        "schema.json is old; UPDATE_SCHEMA=1 cargo test -p rules -p inbound-rules"
    );
}
