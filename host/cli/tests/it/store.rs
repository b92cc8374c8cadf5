//! `waxseal cert` over a store: import, list, show, pin, export, remove, with a policy or a file.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{AT, Place, data, shown};

/// A policy without filters, Alice's certificates beside it, one of them in `certificates/`.
fn policy() -> Place {
    let place = Place::new();
    place.write("waxseal.toml", "");
    std::fs::create_dir(place.path("certificates")).unwrap();
    std::fs::copy(data("alice.pem"), place.path("certificates/alice.pem")).unwrap();
    for name in ["alice-2024.pem", "alice-ed25519.pem"] {
        std::fs::copy(data(name), place.path(name)).unwrap();
    }
    place
}

fn json(place: &Place, line: &str) -> Value {
    let output = place.run(line);
    assert!(output.status.success(), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// When it was last used is the system's time.
fn without_used(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("used "));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn the_life_of_a_certificate_in_a_store() {
    let place = policy();
    let mut said = String::new();
    for line in [
        "cert import --policy . alice-2024.pem alice-ed25519.pem",
        "cert list --policy . --at AT",
        "cert list --policy . --origin imported --address ALICE@example.org --at AT",
        "cert list --policy . --origin pinned --at AT",
        "cert show 66e308adab96 --policy . --at AT",
        "cert pin 66e308adab96 --address alice@example.org --policy .",
        "cert list --store certificates.sqlite --at AT",
        "cert remove 66e3 --store certificates.sqlite",
        "cert remove 66e3 --policy .",
        "cert remove c58534f87ead --policy .",
        "cert list --store certificates.sqlite --at AT",
    ] {
        let output = place.run(&line.replace("--at AT", &format!("--at {AT}")));
        said += &format!("> {line}\n{}", without_used(&shown(&output)));
    }
    assert_snapshot!("store-life", said);
}

#[test]
fn what_the_store_knows_as_json() {
    let place = policy();
    assert!(
        place
            .run("cert import --policy . alice-2024.pem")
            .status
            .success()
    );
    let all = json(&place, "cert list --policy . --json");
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["file"], "alice.pem");
    let stored = &all[1];
    assert_eq!(stored["store"], "certificates.sqlite");
    assert_eq!(stored["origin"], "imported");
    assert_eq!(stored["holders"][0]["name"], "alice@example.org");
    assert_eq!(stored["provenance"], Value::Null);
    assert_eq!(stored["capabilities"], Value::Null);
    assert_eq!(stored["certificate"]["addresses"][0], "alice@example.org");
    let shown = json(&place, "cert show 750e81656614 --policy . --json");
    assert_eq!(shown[0]["holders"], stored["holders"]);
}

#[test]
fn an_identity_is_listed_without_its_filters() {
    let place = policy();
    let made = place.run("cert generate --address gate@example.org --key ec-p256 --out identities");
    assert!(made.status.success(), "{}", shown(&made));
    place.write(
        "waxseal.toml",
        "[[filter]]\nname = \"x\"\ncomponent = \"none.wasm\"\n\
         [identity.gate]\nfile = \"identities/gate@example.org.pem\"\n\
         key = \"identities/gate@example.org.key.pem\"\n",
    );
    let all = json(&place, "cert list --policy . --origin identity --json");
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["identity"], "gate");
    assert_eq!(all[0]["certificate"]["addresses"][0], "gate@example.org");
}

#[test]
fn what_is_exported_is_what_was_imported() {
    let place = policy();
    place.run("cert import --store other.db alice-2024.pem");
    let out = place.run("cert export 750e --store other.db --out back.pem");
    assert!(out.status.success(), "{}", shown(&out));
    let shows = |file: &str| place.run(&format!("cert show {file} --at {AT}")).stdout;
    assert_eq!(shows("back.pem"), shows("alice-2024.pem"));
    let files = place.run("cert export c58534f87ead --policy .");
    assert!(files.stdout.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
}

/// The command line → exit code, the whole of standard error.
#[test]
fn mistakes() {
    let place = policy();
    place.write("not.db", &"no database".repeat(99));
    place.run("cert import --policy . alice-ed25519.pem");
    let mut said = String::new();
    for line in [
        "cert import alice-2024.pem",
        "cert import --policy nowhere alice-2024.pem",
        "cert import --store absent/x.db alice-2024.pem",
        "cert list --store not.db",
        "cert import --store not.db alice-2024.pem",
        "cert remove 123456 --policy .",
        "cert remove alice --policy .",
        "cert show 123456 --policy .",
        "cert export 123456 --store none.db",
        "cert pin alice-2024.pem --address bob@example.org --policy .",
        "cert pin nobody.pem --address bob@example.org --policy .",
        "cert list --store none.db --policy .",
        "cert list --policy . --origin found",
    ] {
        let output = place.run(line);
        said += &format!("> {line}\n{}", shown(&output));
    }
    assert_snapshot!("store-mistakes", said);
    let files = place.files();
    assert!(!files.contains(&"none.db".to_owned()), "{files:?}");
}
