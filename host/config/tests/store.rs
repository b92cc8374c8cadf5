//! `[store]` and `[harvest]`: what they set, what is wrong with them, and the store as a source.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use waxseal_config::{LoadOptions, Loaded, Providers, load, open_store, read_identities};
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_smime::certgen::{Template, self_signed};
use waxseal_smime::{
    Certificate, HarvestRules, Harvested, KeyAlgorithm, Origin, Provider, Time, Unverified,
    WhenKnown,
};
use waxseal_stores::pem_certificate;

const NOW: Time = Time::from_unix(1_795_532_400);
const DAY: i64 = 86_400;

fn policy(configuration: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("waxseal.toml"), configuration).unwrap();
    directory
}

fn providers() -> Providers {
    Providers::new("aws-lc", Arc::new(AwsLc))
}

fn loaded(directory: &Path) -> Result<Loaded, waxseal_config::Errors> {
    let limits = RuntimeLimits {
        slots: 1,
        ..RuntimeLimits::default()
    };
    let runtime = Runtime::new(&limits).unwrap();
    let options = LoadOptions { now: NOW };
    load(directory, &runtime, &providers(), &options)
}

fn bob() -> Certificate {
    let pkcs8 = AwsLc.generate_key(&KeyAlgorithm::EcP256).unwrap();
    let key = AwsLc.load_key(&pkcs8).unwrap();
    let template = Template {
        common_name: "Bob".into(),
        organization: None,
        addresses: vec![address()],
        not_before: NOW.plus(-9 * DAY),
        not_after: NOW.plus(99 * DAY),
    };
    self_signed(&template, key.as_ref(), &AwsLc).unwrap()
}

fn address() -> Address {
    Address::parse("bob@example.net").unwrap()
}

fn harvested(certificate: Certificate, verified: bool) -> Harvested {
    Harvested {
        certificate,
        addresses: vec![address()],
        capabilities: None,
        preferred: false,
        verified,
        at: NOW,
        provenance: "<1@example.net>".into(),
    }
}

/// How many of them there are for Bob, and where the first came from.
fn found(loaded: &Loaded) -> (usize, Option<Origin>) {
    let sources = loaded.certificates.iter();
    let found: Vec<_> = sources
        .flat_map(|source| source.find(&address()).unwrap())
        .collect();
    (found.len(), found.first().map(|each| each.origin))
}

#[test]
fn what_is_harvested_is_found_by_the_next_generation() {
    let directory = policy("");
    let first = loaded(directory.path()).ok().unwrap();
    assert_eq!(found(&first), (0, None));
    let file = directory.path().join("certificates.sqlite");
    assert!(!file.exists(), "loading made a file");
    let keeper = first.generation.keeper().unwrap();
    keeper.keep(&[harvested(bob(), true)]).unwrap();
    assert!(file.exists());
    assert_eq!(found(&first), (1, Some(Origin::Harvested)));
    let next = loaded(directory.path()).ok().unwrap();
    assert_eq!(found(&next), (1, Some(Origin::Harvested)));
    // What is harvested changes while mail flows: it is no part of what a generation is.
    assert_eq!(first.generation.id(), next.generation.id());
}

#[test]
fn the_directory_comes_first() {
    let directory = policy("");
    let certificates = directory.path().join("certificates");
    fs::create_dir(&certificates).unwrap();
    fs::write(certificates.join("bob.pem"), pem_certificate(&bob())).unwrap();
    let loaded = loaded(directory.path()).ok().unwrap();
    let keeper = loaded.generation.keeper().unwrap();
    keeper.keep(&[harvested(bob(), true)]).unwrap();
    assert_eq!(found(&loaded), (2, Some(Origin::Imported)));
}

#[test]
fn rules_of_harvesting() {
    let check = |configuration: &str, enabled: bool, unverified: Unverified, known: WhenKnown| {
        let directory = policy(configuration);
        let loaded = loaded(directory.path()).ok().unwrap();
        let generation = &loaded.generation;
        assert_eq!(generation.keeper().is_some(), enabled, "{configuration}");
        let expected = HarvestRules { unverified, known };
        assert_eq!(generation.harvest(), expected, "{configuration}");
    };
    check("", true, Unverified::Refuse, WhenKnown::Update);
    check("[harvest]\n", true, Unverified::Refuse, WhenKnown::Update);
    check(
        "[harvest]\nenabled = false\nexisting = \"keep\"\n",
        false,
        Unverified::Refuse,
        WhenKnown::Keep,
    );
    check(
        "[harvest]\nunverified = true\nexisting = \"update\"\n",
        true,
        Unverified::Keep,
        WhenKnown::Update,
    );
}

/// The keeper follows the rules, whoever calls it.
#[test]
fn what_did_not_verify_is_refused_by_the_store_too() {
    let check = |configuration: &str, expected: usize| {
        let directory = policy(configuration);
        let loaded = loaded(directory.path()).ok().unwrap();
        let keeper = loaded.generation.keeper().unwrap();
        keeper.keep(&[harvested(bob(), false)]).unwrap();
        assert_eq!(found(&loaded).0, expected, "{configuration}");
    };
    check("", 0);
    check("[harvest]\nunverified = true\n", 1);
}

#[test]
fn limits_reach_the_store() {
    let check = |configuration: &str, expected: u64| {
        let directory = policy(configuration);
        let loaded = loaded(directory.path()).ok().unwrap();
        let keeper = loaded.generation.keeper().unwrap();
        for _ in 0..4 {
            keeper.keep(&[harvested(bob(), true)]).unwrap();
        }
        let store = open_store(directory.path()).unwrap();
        assert_eq!(store.size().unwrap(), expected, "{configuration}");
    };
    check("", 4);
    check("[store]\ncap = 3\n", 3);
    check("[store]\nper-address = 2\n", 2);
    check("[store]\nfile = \"other.db\"\nper-address = 1\n", 1);
}

/// Problems and warnings as lines, with `hint:` lines below.
#[test]
fn what_is_wrong_is_said_with_its_place() {
    let check = |configuration: &str, expected: &[&str]| {
        let directory = policy(configuration);
        fs::write(directory.path().join("notes.txt"), "no database".repeat(99)).unwrap();
        let lines: Vec<String> = match loaded(directory.path()) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
            Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
        };
        assert_eq!(lines, expected, "{configuration}");
    };
    check(
        "[store]\nfile = \"../elsewhere\"\n",
        &["waxseal.toml:2: store.file: leaves the policy directory: ../elsewhere"],
    );
    check(
        "[store]\ncap = 0\nper-adress = 3\n",
        &[
            "waxseal.toml:2: store.cap: not from 1 to 100000000: 0",
            "waxseal.toml:3: store.per-adress: unknown key: per-adress",
        ],
    );
    check(
        "[store]\nfile = \"notes.txt\"\n",
        &["notes.txt: damaged: file is not a database"],
    );
    check(
        "[harvest]\nexisting = \"replace\"\n",
        &["waxseal.toml:2: harvest.existing: none of update, keep: replace"],
    );
    check(
        "[harvest]\nunverified = true\n",
        &[
            "waxseal.toml: [harvest] keeps what did not verify, and [trust] requires no path: \
             whoever writes as somebody gets the mail that is encrypted to them",
        ],
    );
}

#[test]
fn parts_are_read_while_a_filter_is_broken() {
    let broken = "[[filter]]\nname = \"x\"\ncomponent = \"none.wasm\"\n[store]\nfile = \"s.db\"\n";
    let directory = policy(broken);
    assert!(loaded(directory.path()).is_err());
    let store = open_store(directory.path()).unwrap();
    assert!(store.path().ends_with("s.db"));
    assert!(
        read_identities(directory.path(), &providers(), NOW)
            .unwrap()
            .is_empty()
    );
    let syntax = policy("[store\n");
    assert!(open_store(syntax.path()).is_err());
}
