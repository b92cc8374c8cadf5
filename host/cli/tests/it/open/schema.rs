//! Whether a value is of `docs/open.schema.json`: as much of JSON Schema as that file uses.
//! A keyword that is not known here fails the test.

use serde_json::{Map, Value};

const SCHEMA: &str = include_str!("../../../../../docs/open.schema.json");

pub(crate) fn assert_valid(value: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    if let Err(error) = check(value, &schema, &schema, "$") {
        panic!("not of the schema: {error}: {value:#}");
    }
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let schema = schema.as_object().unwrap();
    for (keyword, rule) in schema {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(value, root.pointer(pointer).unwrap(), root, at)?;
                true
            }
            "type" => is_type(value, rule),
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => {
                let mut all = rule.as_array().unwrap().iter();
                all.any(|schema| check(value, schema, root, at).is_ok())
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, rule, root, &format!("{at}[{index}]"))?;
                }
                true
            }
            "required" => value.as_object().is_none_or(|object| {
                let mut names = rule.as_array().unwrap().iter();
                names.all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "properties" => properties(value, rule, root, at)?,
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                object(value).keys().all(|name| known.contains_key(name))
            }
            other => return Err(format!("{at}: keyword not known: {other}")),
        };
        if !holds {
            return Err(format!("{at}: {keyword}: {value}"));
        }
    }
    Ok(())
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn properties(value: &Value, rule: &Value, root: &Value, at: &str) -> Result<bool, String> {
    for (name, inside) in object(value) {
        if let Some(schema) = rule.get(&name) {
            check(&inside, schema, root, &format!("{at}.{name}"))?;
        }
    }
    Ok(true)
}

fn is_type(value: &Value, rule: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        other => panic!("type not known: {other}"),
    };
    match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        other => panic!("no type: {other}"),
    }
}

#[test]
fn the_schema_refuses() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let refused = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(check(&value, &schema, &schema, "$").is_err(), "{text}");
    };
    assert_valid(&serde_json::json!({"layers": [], "verdict": "not-smime"}));
    refused(r#"{"layers": []}"#);
    refused(r#"{"layers": [], "verdict": "fine"}"#);
    refused(r#"{"layers": [], "verdict": "valid", "more": 1}"#);
    refused(r#"{"layers": [{}], "verdict": "valid"}"#);
    refused(r#"{"layers": {}, "verdict": "valid"}"#);
}

/// A state that is added to the code is added to the schema.
#[test]
fn every_state_is_in_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let listed = schema["$defs"]["state"]["enum"].as_array().unwrap();
    let code = include_str!("../../../../smime/src/open/state.rs");
    let names = code.lines().filter_map(|line| {
        let (before, name) = line.trim().split_once(" => \"")?;
        before
            .starts_with("Self::")
            .then(|| name.trim_end_matches("\","))
    });
    let names: Vec<&str> = names.collect();
    assert_eq!(names.len(), listed.len());
    for (name, listed) in names.iter().zip(listed) {
        assert_eq!(name, listed);
    }
}
