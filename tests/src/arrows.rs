//! Who may know whom: the arrows of the house, held against `cargo metadata`.
//!
//! Two tables say it all: which of our crates each of our crates may name, and who may name a
//! crate from outside that carries an authority or a burden (wasmtime, algorithms, ASN.1,
//! command lines, sockets). Normal and build dependencies count; dev-dependencies do not, for a
//! test may bring in what it tests against. A crate of ours without a row is itself an error,
//! so that nobody joins the house without saying whom he knows.

use crate::metadata::{Metadata, Package};

/// A crate of ours, and those of ours that it may depend on.
const HOUSE: &[(&str, &[&str])] = &[
    ("waxseal-message", &[]),
    ("waxseal-smime", &["waxseal-message"]),
    ("waxseal-pki", &["waxseal-smime", "waxseal-message"]),
    ("waxseal-policy", &["waxseal-message"]),
    (
        "waxseal-engine",
        &["waxseal-message", "waxseal-smime", "waxseal-policy"],
    ),
    (
        "waxseal-provider-aws-lc",
        // What AWS-LC lacks.
        &["waxseal-smime", "waxseal-provider-rustcrypto"],
    ),
    ("waxseal-provider-*", &["waxseal-smime"]),
    (
        "waxseal-stores",
        // What it fetches for pki.
        &["waxseal-smime", "waxseal-message", "waxseal-pki"],
    ),
    (
        "waxseal-config",
        &[
            "waxseal-message",
            "waxseal-smime",
            "waxseal-policy",
            "waxseal-engine",
            "waxseal-stores",
            "waxseal-pki",
        ],
    ),
    (
        "waxseal-service",
        &["waxseal-message", "waxseal-policy", "waxseal-engine"],
    ),
    (
        "waxseal-relay",
        &["waxseal-message", "waxseal-policy", "waxseal-engine"],
    ),
    (
        "waxseal-smtp",
        &[
            "waxseal-message",
            "waxseal-policy",
            "waxseal-engine",
            "waxseal-service",
            "waxseal-relay",
        ],
    ),
    (
        "waxseal-milter",
        &[
            "waxseal-message",
            "waxseal-policy",
            "waxseal-engine",
            "waxseal-service",
            "waxseal-relay",
        ],
    ),
    ("waxseal", &["waxseal-*"]),
    // What filters are written with stands alone: its other side is the WIT.
    ("waxseal-guest", &[]),
    // Drives the binary as an operator does.
    ("waxseal-tests", &[]),
    // Measures the library from inside.
    ("waxseal-benches", &["waxseal-*"]),
];

/// Who may depend on a crate from outside, and why nobody else.
struct Reserved {
    crates: &'static [&'static str],
    owners: &'static [&'static str],
    why: &'static str,
}

const OUTSIDE: &[Reserved] = &[
    Reserved {
        crates: &["wasmtime", "wasmtime-*", "cranelift-*"],
        owners: &["waxseal-policy"],
        why: "wasmtime only in policy",
    },
    Reserved {
        crates: &["wit-component", "wit-parser", "wasmparser", "wasm-metadata"],
        // The command line builds components and shows what they import.
        owners: &["waxseal-policy", "waxseal"],
        why: "components only in policy, and where they are built",
    },
    Reserved {
        crates: &["wit-bindgen"],
        owners: &["waxseal-guest"],
        why: "guest bindings only in guest",
    },
    Reserved {
        crates: &[
            "rsa",
            "ecdsa",
            "elliptic-curve",
            "p256",
            "p384",
            "p521",
            "ed25519-dalek",
            "x25519-dalek",
            "ansi-x963-kdf",
            "hkdf",
            "aes-gcm",
            "aes-kw",
            "ml-dsa",
            "ml-kem",
            "aws-lc-rs",
            "ring",
            "openssl",
            "cryptoki",
        ],
        owners: &["waxseal-provider-*"],
        why: "algorithms only in provider-*",
    },
    Reserved {
        crates: &[
            "aes", "cbc", "des", "rc2", "hmac", "pbkdf2", "scrypt", "sha1", "md-5",
        ],
        // Opening a PKCS#12 or an encrypted PKCS#8 is part of reading the file.
        owners: &["waxseal-provider-*", "waxseal-stores"],
        why: "algorithms only in provider-*; those of key containers also in stores",
    },
    Reserved {
        crates: &["sha2"],
        // Elsewhere only to name things: filters, messages and certificates by digest.
        owners: &[
            "waxseal-provider-*",
            "waxseal-stores",
            "waxseal-smime",
            "waxseal-policy",
            "waxseal-engine",
            "waxseal-config",
            "waxseal",
        ],
        why: "algorithms only in provider-*; SHA-256 as a name also where things are named",
    },
    Reserved {
        crates: &["cms", "x509-cert", "der", "spki", "const-oid", "x509-ocsp"],
        owners: &[
            "waxseal-smime",
            "waxseal-pki",
            "waxseal-provider-*",
            "waxseal-stores",
        ],
        why: "ASN.1 types only in smime and pki, and for those who implement their traits",
    },
    Reserved {
        crates: &["pkcs5", "pkcs8", "pkcs1", "sec1", "p12", "pkcs12"],
        owners: &["waxseal-smime", "waxseal-provider-*", "waxseal-stores"],
        why: "key containers only in stores and provider-*",
    },
    Reserved {
        crates: &["mail-parser", "mail-builder", "lettre", "idna"],
        owners: &["waxseal-message"],
        why: "mail syntax only in message",
    },
    Reserved {
        crates: &[
            "clap",
            "clap_*",
            "miette",
            "indicatif",
            "tracing-subscriber",
        ],
        owners: &["waxseal"],
        why: "the command line only in cli",
    },
    Reserved {
        crates: &[
            "tokio", "mio", "socket2", "hyper", "reqwest", "ureq", "notify", "rusqlite", "ldap3",
        ],
        owners: &[
            "waxseal-stores",
            "waxseal-service",
            "waxseal-relay",
            "waxseal-milter",
            "waxseal-smtp",
            "waxseal",
        ],
        why: "files, sockets and databases only in stores, front ends and cli",
    },
];

/// Every forbidden arrow of the workspace, as `a → b: why`.
pub fn forbidden(members: &Metadata) -> Vec<String> {
    members.packages.iter().flat_map(forbidden_of).collect()
}

fn forbidden_of(package: &Package) -> Vec<String> {
    let Some((_, known)) = HOUSE.iter().find(|(name, _)| matches(name, &package.name)) else {
        return vec![format!("{}: no row says whom it may know", package.name)];
    };
    let lasting = package
        .dependencies
        .iter()
        .filter(|d| d.kind.as_deref() != Some("dev"));
    lasting
        .filter_map(|d| why_not(&package.name, known, &d.name).map(|why| (&d.name, why)))
        .map(|(to, why)| format!("{} → {to}: {why}", package.name))
        .collect()
}

fn why_not(from: &str, known: &[&str], to: &str) -> Option<&'static str> {
    if to == "waxseal" || to.starts_with("waxseal-") {
        return (!known.iter().any(|k| matches(k, to))).then_some("not among those it may know");
    }
    let reserved = OUTSIDE
        .iter()
        .find(|r| r.crates.iter().any(|c| matches(c, to)))?;
    (!reserved.owners.iter().any(|o| matches(o, from))).then_some(reserved.why)
}

/// `pattern` is a name, or the beginning of one before a final `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn check(from: &str, to: &str, kind: Option<&str>, expected: &[&str]) {
        let members = Metadata {
            packages: vec![Package {
                name: from.to_owned(),
                version: "0.1.0".to_owned(),
                license: None,
                source: None,
                dependencies: vec![Dependency {
                    name: to.to_owned(),
                    kind: kind.map(str::to_owned),
                }],
            }],
        };
        assert_eq!(forbidden(&members), expected);
    }

    #[test]
    fn a_fabricated_forbidden_arrow_is_named() {
        check(
            "waxseal-policy",
            "waxseal-smime",
            None,
            &["waxseal-policy → waxseal-smime: not among those it may know"],
        );
        check(
            "waxseal-engine",
            "wasmtime",
            None,
            &["waxseal-engine → wasmtime: wasmtime only in policy"],
        );
        check(
            "waxseal-smime",
            "rsa",
            Some("build"),
            &["waxseal-smime → rsa: algorithms only in provider-*"],
        );
        check(
            "waxseal-stores",
            "waxseal-engine",
            None,
            &["waxseal-stores → waxseal-engine: not among those it may know"],
        );
        check(
            "waxseal-engine",
            "clap",
            None,
            &["waxseal-engine → clap: the command line only in cli"],
        );
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        check(
            "waxseal-helper",
            "serde",
            None,
            &["waxseal-helper: no row says whom it may know"],
        );
    }

    #[test]
    fn what_is_allowed_passes() {
        check("waxseal-engine", "waxseal-policy", None, &[]);
        check("waxseal", "waxseal-provider-rustcrypto", None, &[]);
        check("waxseal-provider-rustcrypto", "rsa", None, &[]);
        check(
            "waxseal-smime",
            "waxseal-provider-rustcrypto",
            Some("dev"),
            &[],
        );
        check("waxseal-policy", "serde", None, &[]);
    }
}
