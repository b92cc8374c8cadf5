//! The SQLite store: what is kept, what wins, what is evicted, several at once, and what
//! becomes of a file that is none.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use rusqlite::Connection;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use waxseal_message::Address;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::certgen::{Template, self_signed};
use waxseal_smime::{
    Capabilities, Certificate, CertificateKeeper, CertificateSource, Clock, ContentCipher,
    HarvestRules, Harvested, KeyAlgorithm, Origin, PrivateKey, Provider, Time, Unverified,
    WhenKnown,
};
use waxseal_stores::{CertificateStore, StoreOptions};

const NOW: i64 = 1_795_532_400;
const DAY: i64 = 86_400;

static KEY: LazyLock<Box<dyn PrivateKey>> = LazyLock::new(|| {
    let pkcs8 = RustCrypto.generate_key(&KeyAlgorithm::EcP256).unwrap();
    RustCrypto.load_key(&pkcs8).unwrap()
});

/// A clock that tests move.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst))
    }
}

struct Scene {
    directory: tempfile::TempDir,
    clock: Hand,
    store: CertificateStore,
}

impl Scene {
    fn new(options: StoreOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Hand(Arc::new(AtomicI64::new(NOW)));
        let file = directory.path().join("certificates.sqlite");
        let store = CertificateStore::new(file, options, Arc::new(clock.clone()));
        Self {
            directory,
            clock,
            store,
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("certificates.sqlite")
    }

    fn again(&self, options: StoreOptions) -> CertificateStore {
        CertificateStore::new(self.file(), options, Arc::new(self.clock.clone()))
    }

    fn at(&self, seconds: i64) {
        self.clock.0.store(NOW + seconds, Ordering::SeqCst);
    }

    /// What is found for an address: common name and origin of each.
    fn found(&self, text: &str) -> Vec<String> {
        let found = self.store.find(&address(text)).unwrap();
        let said = |subject: String| subject.trim_start_matches("CN=").to_owned();
        found
            .iter()
            .map(|each| format!("{} {:?}", said(each.certificate.subject()), each.origin))
            .collect()
    }

    fn capabilities(&self, text: &str) -> Option<Capabilities> {
        let found = self.store.find(&address(text)).unwrap();
        found.first().unwrap().capabilities.clone()
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// A certificate that is valid for so many days from now on.
fn certificate(name: &str, addresses: &[&str], days: i64) -> Certificate {
    let template = Template {
        common_name: name.into(),
        organization: None,
        addresses: addresses.iter().map(|each| address(each)).collect(),
        not_before: Time::from_unix(NOW - 1000 * DAY),
        not_after: Time::from_unix(NOW + days * DAY),
    };
    self_signed(&template, KEY.as_ref(), &RustCrypto).unwrap()
}

/// One that came with a message that verified, just now.
fn harvested(certificate: &Certificate) -> Harvested {
    Harvested {
        certificate: certificate.clone(),
        addresses: certificate.addresses().to_vec(),
        capabilities: None,
        preferred: false,
        verified: true,
        at: Time::from_unix(NOW),
        provenance: "<1@example.net>".into(),
    }
}

fn reads(cipher: ContentCipher) -> Option<Capabilities> {
    Some(Capabilities {
        ciphers: vec![cipher],
        oaep: cipher.is_authenticated(),
    })
}

fn keep_unverified() -> StoreOptions {
    options(|options| options.rules.unverified = Unverified::Keep)
}

fn options(change: impl FnOnce(&mut StoreOptions)) -> StoreOptions {
    let mut options = StoreOptions {
        busy: Duration::from_millis(200),
        ..StoreOptions::default()
    };
    change(&mut options);
    options
}

#[test]
fn what_is_kept_is_found_by_address_and_in_whatever_case() {
    let scene = Scene::new(StoreOptions::default());
    let one = certificate("one", &["Bob@Example.NET", "robert@example.net"], 9);
    let two = certificate("two", &["bob@example.net"], 9);
    scene
        .store
        .keep(&[harvested(&one), harvested(&two)])
        .unwrap();
    let check = |text: &str, expected: usize| {
        assert_eq!(scene.found(text).len(), expected, "{text}");
    };
    check("bob@example.net", 2);
    check("BOB@EXAMPLE.net", 2);
    check("robert@example.net", 1);
    check("bob@example.org", 0);
    check("bob@bücher.example", 0);
    assert_eq!(scene.store.size().unwrap(), 2);
}

#[test]
fn a_file_is_made_by_keeping_and_for_its_owner_alone() {
    let scene = Scene::new(StoreOptions::default());
    assert!(scene.found("bob@example.net").is_empty());
    assert_eq!(scene.store.size().unwrap(), 0);
    assert!(scene.store.entries().unwrap().is_empty());
    let bob = certificate("bob", &["bob@example.net"], 9);
    assert!(!scene.store.remove(&bob).unwrap());
    assert!(!scene.file().exists(), "reading made a file");
    scene.store.keep(&[harvested(&bob)]).unwrap();
    #[cfg(unix)]
    for entry in fs::read_dir(scene.directory.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn addresses_that_a_certificate_does_not_name_are_not_believed() {
    let scene = Scene::new(StoreOptions::default());
    let mallory = certificate("mallory", &["mallory@example.com"], 9);
    let mut claim = harvested(&mallory);
    claim.addresses.push(address("bob@example.net"));
    scene.store.keep(&[claim.clone()]).unwrap();
    assert!(scene.found("bob@example.net").is_empty());
    assert_eq!(scene.found("mallory@example.com"), ["mallory Harvested"]);
    claim.addresses = vec![address("carol@example.net")];
    scene.store.keep(&[claim]).unwrap();
    assert!(scene.found("carol@example.net").is_empty());
}

#[test]
fn a_harvested_certificate_never_hides_a_better_one() {
    let scene = Scene::new(StoreOptions::default());
    let own = certificate("own", &["bob@example.net"], 9);
    let pinned = certificate("pinned", &["bob@example.net"], 9);
    let new = certificate("new", &["bob@example.net"], 90);
    scene.store.import(std::slice::from_ref(&own)).unwrap();
    scene
        .store
        .pin(&pinned, &address("bob@example.net"))
        .unwrap();
    let all = [&own, &pinned, &new].map(harvested);
    scene.store.keep(&all).unwrap();
    let expected = ["pinned Pinned", "own Imported", "new Harvested"];
    assert_eq!(scene.found("bob@example.net"), expected);
    // Importing what was pinned takes nothing from it.
    scene.store.import(&[pinned, new]).unwrap();
    let found = scene.found("bob@example.net");
    assert_eq!(found.first().unwrap(), "pinned Pinned");
    assert!(found.contains(&"new Imported".to_owned()), "{found:?}");
}

#[test]
fn a_pin_is_for_one_address_and_for_one_that_is_named() {
    let scene = Scene::new(StoreOptions::default());
    let shared = certificate("shared", &["a@example.net", "b@example.net"], 9);
    scene.store.keep(&[harvested(&shared)]).unwrap();
    scene.store.pin(&shared, &address("a@example.net")).unwrap();
    assert_eq!(scene.found("a@example.net"), ["shared Pinned"]);
    assert_eq!(scene.found("b@example.net"), ["shared Harvested"]);
    let error = scene
        .store
        .pin(&shared, &address("c@example.net"))
        .unwrap_err();
    assert_eq!(error.code(), "certificate.other-address");
}

/// (signed after so many seconds, verified, cipher) one after the other → what counts.
#[test]
fn whose_capabilities_count() {
    use ContentCipher::{Aes128Cbc, Aes256Gcm};
    type Step = (i64, bool, Option<ContentCipher>);
    let check = |options: StoreOptions, steps: &[Step], expected: Option<ContentCipher>| {
        let scene = Scene::new(options);
        let bob = certificate("bob", &["bob@example.net"], 9);
        scene.at(1000);
        for (seconds, verified, cipher) in steps {
            scene
                .store
                .keep(&[Harvested {
                    at: Time::from_unix(NOW + seconds),
                    verified: *verified,
                    capabilities: cipher.and_then(reads),
                    ..harvested(&bob)
                }])
                .unwrap();
        }
        let found = scene.capabilities("bob@example.net");
        assert_eq!(found, expected.and_then(reads), "{steps:?}");
    };
    let (weak, strong) = (Some(Aes128Cbc), Some(Aes256Gcm));
    let (now, first) = (
        keep_unverified(),
        options(|options| options.rules.known = WhenKnown::Keep),
    );
    // The later signing time wins, in whatever order they come.
    check(now, &[(1, true, weak), (2, true, strong)], strong);
    check(now, &[(2, true, strong), (1, true, weak)], strong);
    // A message that says nothing takes nothing away.
    check(now, &[(1, true, strong), (2, true, None)], strong);
    // What did not verify is not believed, now or later.
    check(now, &[(1, false, strong)], None);
    check(now, &[(1, true, strong), (2, false, weak)], strong);
    check(now, &[(3, false, weak), (2, true, strong)], strong);
    // A time of the future is now, and does not stand for ever.
    check(
        now,
        &[(9_999_999, true, weak), (1000, true, strong)],
        strong,
    );
    // `existing = "keep"`: the first one stays.
    check(first, &[(1, true, weak), (2, true, strong)], weak);
    check(first, &[(1, true, None), (2, true, strong)], strong);
}

/// What an imported certificate's holder reads is learnt too; the certificate stays imported.
#[test]
fn capabilities_of_what_was_imported() {
    let scene = Scene::new(StoreOptions::default());
    let bob = certificate("bob", &["bob@example.net"], 9);
    scene.store.import(std::slice::from_ref(&bob)).unwrap();
    assert_eq!(scene.capabilities("bob@example.net"), None);
    let mut message = harvested(&bob);
    message.capabilities = reads(ContentCipher::Aes256Gcm);
    scene.store.keep(&[message]).unwrap();
    assert_eq!(scene.found("bob@example.net"), ["bob Imported"]);
    assert_eq!(
        scene.capabilities("bob@example.net"),
        reads(ContentCipher::Aes256Gcm)
    );
}

#[test]
fn what_did_not_verify_is_kept_only_where_allowed() {
    let bob = certificate("bob", &["bob@example.net"], 9);
    let mut message = harvested(&bob);
    message.verified = false;
    let strict = Scene::new(StoreOptions::default());
    strict.store.keep(&[message.clone()]).unwrap();
    assert!(strict.found("bob@example.net").is_empty());
    let lenient = Scene::new(keep_unverified());
    lenient.store.keep(&[message.clone()]).unwrap();
    assert_eq!(lenient.found("bob@example.net"), ["bob Harvested"]);

    let provenance = || {
        let entries = lenient.store.entries().unwrap();
        let known = entries.first().unwrap().provenance.clone().unwrap();
        format!(
            "{} {} {}",
            known.message,
            known.at.unix() - NOW,
            known.verified
        )
    };
    assert_eq!(provenance(), "<1@example.net> 0 false");
    let later = |name: &str, seconds: i64, verified: bool| Harvested {
        provenance: name.into(),
        at: Time::from_unix(NOW + seconds),
        verified,
        ..harvested(&bob)
    };
    lenient.at(100);
    lenient.store.keep(&[later("<2>", -5, true)]).unwrap();
    assert_eq!(provenance(), "<2> -5 true");
    lenient.store.keep(&[later("<3>", 9, false)]).unwrap();
    assert_eq!(provenance(), "<2> -5 true");
    lenient.store.keep(&[later("<4>", 9, true)]).unwrap();
    assert_eq!(provenance(), "<4> 9 true");
    assert_eq!(lenient.store.size().unwrap(), 1);
}

#[test]
fn the_preferred_one_comes_first_among_its_like() {
    let scene = Scene::new(keep_unverified());
    let (one, two) = (
        certificate("one", &["bob@example.net"], 9),
        certificate("two", &["bob@example.net"], 9),
    );
    let preferred = |certificate: &Certificate, seconds: i64, verified: bool| Harvested {
        preferred: true,
        verified,
        at: Time::from_unix(NOW + seconds),
        ..harvested(certificate)
    };
    scene.at(100);
    scene
        .store
        .keep(&[harvested(&one), preferred(&two, 1, true)])
        .unwrap();
    assert_eq!(scene.found("bob@example.net")[0], "two Harvested");
    scene.store.keep(&[preferred(&one, 2, true)]).unwrap();
    assert_eq!(scene.found("bob@example.net")[0], "one Harvested");
    scene.store.keep(&[preferred(&two, 3, false)]).unwrap();
    assert_eq!(scene.found("bob@example.net")[0], "one Harvested");
}

#[test]
fn each_address_has_only_so_many() {
    let scene = Scene::new(options(|options| {
        options.per_address = 3;
        options.rules.unverified = Unverified::Keep;
    }));
    let bob = |name: &str, days: i64| certificate(name, &["bob@example.net"], days);
    let keep = |certificate: &Certificate, verified: bool| {
        let mut message = harvested(certificate);
        message.verified = verified;
        scene.store.keep(&[message]).unwrap();
    };
    let names = || {
        let mut found = scene.found("bob@example.net");
        found.sort();
        found.join(", ").replace(" Harvested", "")
    };
    scene.store.import(&[bob("imported", 9)]).unwrap();
    keep(&bob("expired", -1), true);
    keep(&bob("old", 9), true);
    scene.at(10);
    keep(&bob("new", 9), true);
    assert_eq!(names(), "imported Imported, new, old");
    // A flood of what did not verify displaces nothing that did.
    scene.at(20);
    (0..5).for_each(|_| keep(&bob("flood", 9), false));
    assert_eq!(names(), "imported Imported, new, old");
    keep(&bob("newer", 9), true);
    assert_eq!(names(), "imported Imported, new, newer");
    assert_eq!(scene.store.size().unwrap(), 3);
    // What an operator puts there stays, whatever its number.
    let many = [bob("b", 9), bob("c", 9), bob("d", 9)];
    scene.store.import(&many).unwrap();
    keep(&bob("one more", 9), true);
    assert_eq!(
        names(),
        "b Imported, c Imported, d Imported, imported Imported"
    );
}

#[test]
fn the_store_has_only_so_many() {
    let scene = Scene::new(options(|options| {
        options.capacity = 4;
        options.rules.unverified = Unverified::Keep;
    }));
    let someone = |name: &str, days| certificate(name, &[&format!("{name}@example.net")], days);
    let keep = |name: &str, days: i64, verified: bool| {
        let mut message = harvested(&someone(name, days));
        message.verified = verified;
        scene.store.keep(&[message]).unwrap();
    };
    let names = || {
        let entries = scene.store.entries().unwrap();
        let mut names: Vec<String> = entries
            .iter()
            .map(|each| each.certificate.subject().replace("CN=", ""))
            .collect();
        names.sort();
        names.join(" ")
    };
    scene.store.import(&[someone("imported", -9)]).unwrap();
    keep("expired", -1, true);
    keep("unverified", 9, false);
    keep("first", 9, true);
    assert_eq!(names(), "expired first imported unverified");
    scene.at(1);
    keep("second", 9, true);
    assert_eq!(names(), "first imported second unverified");
    scene.at(2);
    keep("third", 9, true);
    assert_eq!(names(), "first imported second third");
    // Looked up two days later: used, and so not the one that goes.
    scene.at(2 * DAY);
    assert_eq!(scene.found("first@example.net").len(), 1);
    keep("fourth", 9, true);
    assert_eq!(names(), "first fourth imported third");
    assert_eq!(scene.store.size().unwrap(), 4);
    // Capacity counts what was imported, and does not touch it.
    let more: Vec<_> = ["e", "f", "g", "h"].map(|name| someone(name, 9)).into();
    scene.store.import(&more).unwrap();
    assert_eq!(names(), "e f g h imported");
    keep("fifth", 9, true);
    assert_eq!(names(), "e f g h imported");
}

#[test]
fn removed_is_gone() {
    let scene = Scene::new(StoreOptions::default());
    let bob = certificate("bob", &["bob@example.net"], 9);
    scene.store.import(std::slice::from_ref(&bob)).unwrap();
    assert!(scene.store.remove(&bob).unwrap());
    assert!(!scene.store.remove(&bob).unwrap());
    assert!(scene.found("bob@example.net").is_empty());
    assert_eq!(scene.store.size().unwrap(), 0);
}

#[test]
fn found_by_the_beginning_of_a_fingerprint() {
    let scene = Scene::new(StoreOptions::default());
    let bob = certificate("bob", &["bob@example.net"], 9);
    scene.store.import(std::slice::from_ref(&bob)).unwrap();
    let digits: String = bob
        .fingerprint()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let colons: Vec<&str> = (0..32).map(|at| &digits[2 * at..2 * at + 2]).collect();
    let check = |text: &str, expected: usize| {
        assert_eq!(
            scene.store.entries_with(text).unwrap().len(),
            expected,
            "{text}"
        );
    };
    check(&digits, 1);
    check(&digits.to_uppercase(), 1);
    check(&colons.join(":"), 1);
    check(&digits[..7], 1);
    check("", 0);
    check("bob@example.net", 0);
    check(&format!("{digits}0"), 0);
    let other = if digits.starts_with('0') { "1" } else { "0" };
    check(other, 0);
}

#[test]
fn a_message_is_kept_whole_or_not_at_all() {
    let scene = Scene::new(StoreOptions::default());
    let (one, two) = (
        certificate("one", &["one@example.net"], 9),
        certificate("two", &["two@example.net"], 9),
    );
    scene.store.keep(&[harvested(&one)]).unwrap();
    scene.store.remove(&one).unwrap();
    // The second of the two fails inside SQLite.
    let sql = "CREATE TRIGGER no BEFORE INSERT ON holder WHEN new.name = 'two@example.net'
               BEGIN SELECT raise(ABORT, 'no'); END";
    Connection::open(scene.file())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    let both = [harvested(&one), harvested(&two)];
    assert!(scene.store.keep(&both).is_err());
    assert_eq!(scene.store.size().unwrap(), 0);
    assert!(scene.found("one@example.net").is_empty());
}

/// Threads with a connection each, as processes have: nothing is lost, nobody fails.
#[test]
fn many_write_and_read_at_once() {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let patient = options(|options| options.busy = Duration::from_secs(60));
    let scene = Scene::new(patient);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = scene.again(patient);
            scope.spawn(move || {
                for number in 0..EACH {
                    let name = format!("w{writer}n{number}@example.net");
                    let mut message = harvested(&certificate("x", &[&name], 9));
                    message.capabilities = reads(ContentCipher::Aes256Gcm);
                    store.keep(&[message]).unwrap();
                    let found = store.find(&address(&name)).unwrap();
                    assert_eq!(found.len(), 1, "its own write is there");
                }
            });
        }
        for _ in 0..WRITERS {
            let store = &scene.store;
            scope.spawn(move || {
                for number in 0..EACH {
                    let name = format!("w0n{number}@example.net");
                    for found in store.find(&address(&name)).unwrap() {
                        assert!(found.capabilities.is_some(), "half a message is visible");
                    }
                }
            });
        }
    });
    assert_eq!(scene.store.size().unwrap(), (WRITERS * EACH) as u64);
}

/// A writer that never ends makes others give up in time; readers do not notice.
#[test]
fn busy_is_passing() {
    let scene = Scene::new(options(|_| {}));
    let bob = certificate("bob", &["bob@example.net"], 9);
    scene.store.keep(&[harvested(&bob)]).unwrap();
    let other = Connection::open(scene.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = scene.store.keep(&[harvested(&bob)]).unwrap_err();
    assert_eq!((error.code, error.passing), ("store.busy", true));
    scene.at(3 * DAY);
    assert_eq!(scene.found("bob@example.net").len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    scene.store.keep(&[harvested(&bob)]).unwrap();
}

/// What a file may be instead → the code, whether a retry helps.
#[test]
fn files_that_are_no_store() {
    let check = |spoil: &dyn Fn(&PathBuf), expected: &str| {
        let scene = Scene::new(options(|_| {}));
        let bob = certificate("bob", &["bob@example.net"], 9);
        let first = scene.again(options(|_| {}));
        first.keep(&[harvested(&bob)]).unwrap();
        drop(first);
        spoil(&scene.file());
        let error = scene.store.find(&address("bob@example.net")).unwrap_err();
        assert_eq!((error.code, error.passing), (expected, false));
        let error = scene.store.keep(&[harvested(&bob)]).unwrap_err();
        assert_eq!((error.code, error.passing), (expected, false));
        assert_eq!(scene.store.entries().unwrap_err().code(), expected);
    };
    let run = |file: &PathBuf, sql: &str| {
        Connection::open(file).unwrap().execute_batch(sql).unwrap();
    };
    check(
        &|file| fs::write(file, "no database".repeat(999)).unwrap(),
        "store.damaged",
    );
    check(
        // The header stays, the rest is gone.
        &|file| {
            let mut octets = fs::read(file).unwrap();
            octets.iter_mut().skip(100).for_each(|octet| *octet = 0xa5);
            fs::write(file, octets).unwrap();
        },
        "store.damaged",
    );
    check(&|file| run(file, "DROP TABLE holder"), "store.damaged");
    check(&|file| run(file, "PRAGMA user_version = 2"), "store.newer");
    check(
        &|file| run(file, "PRAGMA application_id = 7"),
        "store.foreign",
    );
    check(
        &|file| {
            fs::remove_file(file).unwrap();
            run(file, "CREATE TABLE other (a)");
        },
        "store.foreign",
    );
    check(
        &|file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
        "store.unopenable",
    );
}

#[test]
fn a_certificate_that_is_damaged_hides_no_other() {
    let scene = Scene::new(StoreOptions::default());
    let (one, two) = (
        certificate("one", &["bob@example.net"], 9),
        certificate("two", &["bob@example.net"], 9),
    );
    scene
        .store
        .keep(&[harvested(&one), harvested(&two)])
        .unwrap();
    Connection::open(scene.file())
        .unwrap()
        .execute("UPDATE certificate SET der = x'30' WHERE id = 1", [])
        .unwrap();
    assert_eq!(scene.found("bob@example.net"), ["two Harvested"]);
    assert_eq!(scene.store.entries().unwrap().len(), 1);
}

/// A place where no file can be made: no store for reading, a lasting error for keeping.
#[test]
fn a_directory_that_takes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Hand(Arc::new(AtomicI64::new(NOW)));
    let place = directory.path().join("absent/certificates.sqlite");
    let store = CertificateStore::new(place, StoreOptions::default(), Arc::new(clock));
    assert!(store.find(&address("bob@example.net")).unwrap().is_empty());
    let bob = certificate("bob", &["bob@example.net"], 9);
    let error = store.keep(&[harvested(&bob)]).unwrap_err();
    assert_eq!((error.code, error.passing), ("store.unopenable", false));
}

#[test]
fn the_rules_are_strict_unless_said_otherwise() {
    let rules = HarvestRules::default();
    assert_eq!(
        (rules.unverified, rules.known),
        (Unverified::Refuse, WhenKnown::Update)
    );
    let options = StoreOptions::default();
    assert_eq!((options.capacity, options.per_address), (100_000, 16));
    assert_eq!(Origin::Pinned.min(Origin::Imported), Origin::Pinned);
}
