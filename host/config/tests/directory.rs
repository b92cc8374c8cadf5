//! Policy directories with something wrong in them: every problem, its place, what to try.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use waxseal_config::{Errors, LoadOptions, Loaded, Providers, load};
use waxseal_message::Address;
use waxseal_policy::{Runtime, RuntimeLimits};
use waxseal_provider_aws_lc::AwsLc;
use waxseal_provider_rustcrypto::RustCrypto;
use waxseal_smime::certgen::{self, Template};
use waxseal_smime::{DigestAlgorithm, KeyAlgorithm, Provider, SignatureScheme, Time};
use waxseal_stores::{pem_certificate, pem_private_key};

const NOW: Time = Time::from_unix(1_795_532_400);
const DAY: i64 = 86_400;

/// A sound policy that the cases change.
const SOUND: &str = r#"
[[filter]]
name = "must-encrypt"
component = "filters/must-encrypt.wasm"
grant = ["actions", "profiles:strict", "list:partners", "dictionary:secrets"]
settings = { lists = ["partners"], dictionaries = ["secrets"], profile = "strict" }

[origin]
networks = ["10.0.0.0/8", "2001:db8::1"]
domains = ["example.org"]
users = { anna = ["sales@example.org"], daemon = "*@example.org" }

[profile.strict]
mode = "sign-encrypt"

[identity.anna]
file = "identities/anna.pem"
"#;

struct Policy(tempfile::TempDir);

impl Policy {
    fn new(configuration: &str) -> Self {
        let policy = Self(tempfile::tempdir().unwrap());
        let dist = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../filters/dist/must-encrypt.wasm"
        );
        policy.write("filters/must-encrypt.wasm", fs::read(dist).unwrap());
        policy.write("waxseal.toml", configuration);
        policy.write(
            "lists/partners.txt",
            "# who\npartner.example\n.bank.example # all of it\n",
        );
        policy.write(
            "dictionaries/secrets",
            "strictly confidential\n*bird*\n/iban\\s*\\d+/\n",
        );
        policy.identity(365);
        policy
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, octets).unwrap();
    }

    /// An anchor, and a list of its.
    fn anchor(&self) {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../pki/tests/fixtures");
        let fixture = |name: &str| fs::read(Path::new(fixtures).join(name)).unwrap();
        self.write("anchors/root.crt", fixture("root.crt"));
        self.write("crls/root.crl", fixture("root.crl"));
    }

    /// An identity that ends after so many days.
    fn identity(&self, days: i64) {
        let pkcs8 = AwsLc.generate_key(&KeyAlgorithm::EcP256).unwrap();
        let key = AwsLc.load_key(&pkcs8).unwrap();
        let template = Template {
            common_name: "Anna".into(),
            organization: None,
            addresses: vec![Address::parse("anna@example.org").unwrap()],
            not_before: NOW.plus(-9 * DAY),
            not_after: NOW.plus(days * DAY),
        };
        let certificate = certgen::self_signed(&template, key.as_ref(), &AwsLc).unwrap();
        let text = pem_certificate(&certificate) + &pem_private_key(&pkcs8);
        self.write("identities/anna.pem", text);
        private(&self.0.path().join("identities/anna.pem"), 0o600);
    }

    fn load(&self) -> Result<Loaded, Errors> {
        let runtime = Runtime::new(&RuntimeLimits {
            slots: 1,
            ..RuntimeLimits::default()
        })
        .unwrap();
        load(
            self.0.path(),
            &runtime,
            &Providers::new("aws-lc", Arc::new(AwsLc)).and("rustcrypto", Arc::new(RustCrypto)),
            &LoadOptions { now: NOW },
        )
    }

    /// Problems as lines, with `hint:` lines below.
    fn problems(&self) -> Vec<String> {
        let Err(errors) = self.load() else {
            panic!("it loads");
        };
        let lines = errors.problems().iter().flat_map(|problem| {
            let hint = problem.hint.iter().map(|hint| format!("hint: {hint}"));
            std::iter::once(problem.to_string()).chain(hint)
        });
        lines.collect()
    }

    fn warnings(&self) -> Vec<String> {
        let loaded = self.load().unwrap_or_else(|errors| panic!("{errors}"));
        loaded.warnings.iter().map(ToString::to_string).collect()
    }

    fn id(&self) -> String {
        self.load()
            .unwrap_or_else(|errors| panic!("{errors}"))
            .generation
            .id()
            .to_owned()
    }
}

fn private(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// The problems after one change.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(SOUND.contains(from), "{from}");
    let policy = Policy::new(&SOUND.replacen(from, to, 1));
    assert_eq!(policy.problems(), expected, "{from} → {to}");
}

#[test]
fn a_sound_policy_loads_without_a_word() {
    let policy = Policy::new(SOUND);
    assert_eq!(policy.warnings(), [""; 0]);
    let loaded = policy.load().ok().unwrap();
    let names: Vec<_> = loaded
        .generation
        .policy()
        .filters()
        .map(|filter| filter.name)
        .collect();
    assert_eq!(names, ["must-encrypt"]);
    assert_eq!(loaded.generation.identities().len(), 1);
}

#[test]
fn unknown_keys_name_the_nearest() {
    check(
        "domains = [\"example.org\"]",
        "domain = [\"example.org\"]",
        &[
            "waxseal.toml:10: origin.domain: unknown key: domain",
            "hint: did you mean `domains`?",
        ],
    );
    check(
        "[profile.strict]",
        "[[filters]]\n[profile.strict]",
        &[
            "waxseal.toml:13: filters: unknown key: filters",
            "hint: did you mean `filter`?",
        ],
    );
}

#[test]
fn words_and_kinds_are_checked() {
    check(
        "mode = \"sign-encrypt\"",
        "mode = \"signencrypt\"\ncipher = \"aes256\"\ninclude-sender = \"yes\"",
        &[
            "waxseal.toml:14: profile.strict.mode: none of sign, encrypt, sign-encrypt, triple-wrap: signencrypt",
            "hint: did you mean `sign-encrypt`?",
            "waxseal.toml:15: profile.strict.cipher: none of auto, aes-128-cbc, aes-192-cbc, aes-256-cbc, aes-128-gcm, aes-192-gcm, aes-256-gcm: aes256",
            "hint: did you mean `aes-256-cbc`?",
            "waxseal.toml:16: profile.strict.include-sender: not true or false: a string stands here",
        ],
    );
    check(
        "mode = \"sign-encrypt\"",
        "identity = \"ana\"",
        &[
            "waxseal.toml:13: profile.strict: missing key: mode",
            "waxseal.toml:14: profile.strict.identity: no such identity: ana",
            "hint: did you mean `anna`?",
        ],
    );
    check(
        "\"10.0.0.0/8\"",
        "\"10.0.0.0/33\"",
        &[
            "waxseal.toml:9: origin.networks[0]: not a network: 10.0.0.0/33",
            "hint: write it as 10.0.0.0/8 or 2001:db8::/32",
        ],
    );
    check(
        "[origin]",
        "[limits]\nmessage-mib = 0\n[origin]",
        &["waxseal.toml:9: limits.message-mib: not from 1 to 1024: 0"],
    );
}

#[test]
fn a_policy_may_name_its_provider() {
    for (crypto, expected) in [
        ("", false),
        ("[crypto]\n", false),
        ("[crypto]\nprovider = \"aws-lc\"\n", false),
        ("[crypto]\nprovider = \"rustcrypto\"\n", true),
    ] {
        let policy = Policy::new(&SOUND.replacen("[origin]", &format!("{crypto}[origin]"), 1));
        let loaded = policy.load().ok().unwrap();
        let key = &loaded.generation.identities()[0].identity.key;
        // The crate `p256` signs the same way each time (RFC 6979), AWS-LC does not.
        let scheme = SignatureScheme::Ecdsa(DigestAlgorithm::Sha256);
        let [first, again] = [(); 2].map(|()| key.sign(scheme, b"message").unwrap());
        assert_eq!(first == again, expected, "{crypto}");
    }
    check(
        "[origin]",
        "[crypto]\nprovider = \"awslc\"\n[origin]",
        &[
            "waxseal.toml:9: crypto.provider: none of aws-lc, rustcrypto: awslc",
            "hint: did you mean `aws-lc`?",
        ],
    );
    check(
        "[origin]",
        "[crypto]\nproviders = \"aws-lc\"\n[origin]",
        &[
            "waxseal.toml:9: crypto.providers: unknown key: providers",
            "hint: did you mean `provider`?",
        ],
    );
}

#[test]
fn grants_are_checked_one_by_one() {
    check(
        "\"actions\", \"profiles:strict\"",
        "\"acions\", \"profiles:strikt\", \"config\"",
        &[
            "waxseal.toml:5: filter[0].grant[0]: unknown grant: acions",
            "hint: did you mean `actions`?",
            "waxseal.toml:5: filter[0].grant[1]: no such profile: strikt",
            "hint: did you mean `strict`?",
            "waxseal.toml:5: filter[0].grant[2]: every filter may do this without a grant: config",
        ],
    );
    check(
        "\"list:partners\"",
        "\"list:partner\"",
        &[
            "waxseal.toml:5: filter[0].grant[2]: no such list: partner",
            "hint: did you mean `partners`?",
        ],
    );
}

#[test]
fn what_loading_finds_has_a_place() {
    check(
        "\"actions\", \"profiles:strict\", ",
        "",
        &[
            "waxseal.toml:5: filter[0].grant: filter \"must-encrypt\": imports: it imports what is not granted: actions, profiles",
            "hint: if it may do this, add to grant: actions, profiles",
        ],
    );
    let pin = "0".repeat(64);
    let policy = Policy::new(&SOUND.replace("grant =", &format!("sha256 = \"{pin}\"\ngrant =")));
    let problems = policy.problems();
    assert!(
        problems[0].starts_with("waxseal.toml:5: filter[0].sha256: filter"),
        "{problems:?}"
    );
    assert!(problems[1].starts_with("hint: if this is the component that you want, set"));
    check(
        "profile = \"strict\" }",
        "profle = \"strict\" }",
        &["waxseal.toml:6: filter[0].settings.profle: not known here; did you mean `profile`?"],
    );
    check(
        "grant =",
        "on-error = \"skip\"\ngrant =",
        &[
            "waxseal.toml:5: filter[0].on-error: filter \"must-encrypt\": configuration: on-error = \"skip\" lets mail out when this filter fails; say may-leak = true too",
        ],
    );
}

#[test]
fn names_of_files_stay_inside() {
    check(
        "filters/must-encrypt.wasm",
        "../must-encrypt.wasm",
        &[
            "waxseal.toml:4: filter[0].component: leaves the policy directory: ../must-encrypt.wasm",
            "hint: name a file inside of the policy directory, or write the whole path",
        ],
    );
    check(
        "filters/must-encrypt.wasm",
        "filters/none.wasm",
        &[
            "waxseal.toml:4: filter[0].component: cannot read (no such file or directory): filters/none.wasm",
        ],
    );
}

#[test]
fn problems_of_other_files_are_theirs() {
    let policy = Policy::new(&SOUND.replace(
        "settings = { lists = [\"partners\"], dictionaries = [\"secrets\"], profile = \"strict\" }",
        "settings = \"settings.json\"",
    ));
    policy.write("settings.json", "{\n \"lists\": [,\n}");
    policy.write("lists/partners.txt", "partner.example\ntwo words\n");
    policy.write("dictionaries/secrets", "/(/\n");
    let problems = policy.problems();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].starts_with("dictionaries/secrets:1: pattern cannot be compiled"));
    assert_eq!(
        problems[1],
        "lists/partners.txt:2: not a domain or an address: two words"
    );
    assert_eq!(problems[3], "settings.json:2: not JSON: expected value");
    policy.write("settings.json", "{ \"lists\": [\"strangers\"] }");
    policy.write("lists/partners.txt", "partner.example\n");
    policy.write("dictionaries/secrets", "bird\n");
    let problems = policy.problems();
    assert!(
        problems[0].starts_with("settings.json: lists[0]: "),
        "{problems:?}"
    );
}

#[test]
fn broken_syntax_is_all_that_is_said() {
    let problems = Policy::new("[origin\n").problems();
    assert!(problems[0].starts_with("waxseal.toml:1: "), "{problems:?}");
}

#[test]
fn identities_are_warned_about_in_time() {
    let policy = Policy::new(SOUND);
    policy.identity(20);
    private(&policy.0.path().join("identities/anna.pem"), 0o644);
    assert_eq!(
        policy.warnings(),
        [
            "waxseal.toml:16: identity.anna: its certificate expires in 20 days: 2026-12-14T15:00:00Z",
            "identities/anna.pem: everybody on this machine can read this secret: mode 644",
        ]
    );
    policy.identity(-2);
    assert_eq!(
        policy.warnings(),
        [
            "waxseal.toml:16: identity.anna: its certificate has expired and cannot sign: 2026-11-22T15:00:00Z"
        ]
    );
}

#[test]
fn what_cannot_stand_in_the_way_is_a_warning() {
    let filter = SOUND.split("[origin]").next().unwrap();
    let first = filter
        .replace("name = \"must-encrypt\"", "name = \"first\"")
        .replace("\"actions\"", "\"accept\", \"actions\"");
    let policy = Policy::new(&(first + SOUND));
    policy.write(
        "certificates/broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    policy.anchor();
    policy.write("lists/other.csv", "");
    let warnings = policy.warnings();
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[0].ends_with(
        "filter[1]: filter \"must-encrypt\" does not run for what an earlier filter accepts: first"
    ));
    assert_eq!(
        warnings[1],
        "anchors: for received mail only: certificates of recipients are trusted as imported"
    );
    assert!(warnings[2].starts_with("certificates/broken.pem: passed over: "));
    assert!(warnings[3].starts_with("lists/other.csv: not read: "));
}

#[test]
fn a_path_that_is_required_needs_an_anchor() {
    let policy = Policy::new(&format!("{SOUND}[trust]\nrequire-path = true\n"));
    assert_eq!(
        policy.problems(),
        ["anchors: [trust] requires a path to an anchor, and there is none"]
    );
}

#[test]
fn whom_to_trust_is_read_with_every_key() {
    let keys = "require-path = true\nrevocation = \"required\"\nprofile = \"cabf\"\n\
                policies = [\"2.23.140.1.5.1.3\"]\nexplicit-policy = true\n\
                inhibit-any-policy = true\ninhibit-policy-mapping = true\n\
                allow-weak = false\nclock-skew = 60\nfetch = false\ncrls = \"crls\"\n";
    let policy = Policy::new(&format!("{SOUND}[trust]\n{keys}"));
    policy.anchor();
    assert!(!policy.warnings().concat().contains("anchors"));
    policy.write("crls/root.crl", "no list");
    assert!(policy.problems()[0].contains("no certificate revocation list"));
}

#[test]
fn mistakes_in_trust_are_named() {
    let keys = "revocaton = \"required\"\nprofile = \"rfc\"\npolicies = [\"gold\"]\n";
    let policy = Policy::new(&format!("{SOUND}[trust]\n{keys}"));
    let problems = policy.problems().join("\n");
    for expected in [
        "unknown key: revocaton",
        "profile",
        "no object identifier: gold",
    ] {
        assert!(problems.contains(expected), "{problems}");
    }
}

#[test]
fn the_id_follows_what_is_read_and_no_secret() {
    let policy = Policy::new(SOUND);
    let id = policy.id();
    assert_eq!(id, policy.id());
    policy.write("lists/partners.txt", "other.example\n");
    let other = policy.id();
    assert_ne!(id, other);
    policy.write("elsewhere.txt", "not a part of the policy");
    assert_eq!(other, policy.id());
}

#[test]
fn quarantine_needs_an_address_and_a_profile_that_encrypts() {
    let check = |section: &str, expected: &[&str]| {
        let policy = Policy::new(&format!("{SOUND}\n{section}\n"));
        assert_eq!(policy.problems(), expected, "{section}");
    };
    check(
        "[quarantine]\nprofile = \"strict\"",
        &["waxseal.toml:19: quarantine: missing key: address"],
    );
    check(
        "[quarantine]\naddress = \"guard\"",
        &["waxseal.toml:20: quarantine.address: not an address: guard"],
    );
    check(
        "[quarantine]\naddress = \"guard@example.org\"\nprofile = \"strikt\"",
        &[
            "waxseal.toml:21: quarantine.profile: no such profile: strikt",
            "hint: did you mean `strict`?",
        ],
    );
    check(
        "[profile.open]\nmode = \"sign\"\n[quarantine]\naddress = \"guard@example.org\"\nprofile = \"open\"",
        &[
            "waxseal.toml:23: quarantine.profile: a profile that does not encrypt: open",
            "hint: give it mode = \"encrypt\", or leave `profile` out",
        ],
    );
}

#[test]
fn quarantine_is_part_of_the_generation() {
    let section = "[quarantine]\naddress = \"guard@example.org\"\nprofile = \"strict\"";
    let loaded = Policy::new(&format!("{SOUND}\n{section}\n")).load();
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    let quarantine = loaded.generation.quarantine().unwrap();
    assert_eq!(quarantine.address.to_string(), "guard@example.org");
    assert_eq!(quarantine.profile.as_deref(), Some("strict"));
}
