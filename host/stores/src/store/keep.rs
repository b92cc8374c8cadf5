//! What changes the store: harvest, import, pins, removal, eviction. Each function runs inside
//! a transaction of its caller.

use super::sql;
use super::{StoreOptions, domain_name, folded_name};
use rusqlite::{Connection, OptionalExtension, params};
use waxseal_message::Address;
use waxseal_smime::{Capabilities, Certificate, Harvested, Origin, Time, Unverified, WhenKnown};

/// Names of one harvested certificate that are kept.
const MAX_NAMES: usize = 64;

/// Octets of a harvested certificate; post-quantum ones need a tenth of this.
const MAX_CERTIFICATE: usize = 64 << 10;

/// Characters of a provenance.
const MAX_PROVENANCE: usize = 998;

/// The origins as they are stored, best first.
const ORIGINS: [Origin; 4] = [
    Origin::Pinned,
    Origin::Imported,
    Origin::Directory,
    Origin::Harvested,
];

/// What an operator put into the store is never evicted.
const LASTING: Origin = Origin::Imported;

pub(super) fn number_of(origin: Origin) -> i64 {
    ORIGINS
        .iter()
        .position(|each| *each == origin)
        .and_then(|at| i64::try_from(at).ok())
        .unwrap_or(i64::MAX)
}

pub(super) fn origin_of(number: i64) -> Option<Origin> {
    ORIGINS.get(usize::try_from(number).ok()?).copied()
}

/// Keeps one certificate of a message by the operator's rules.
pub(super) fn harvest(
    connection: &Connection,
    harvested: &Harvested,
    options: &StoreOptions,
    now: Time,
) -> rusqlite::Result<()> {
    let names = names_of(harvested);
    let refused = !harvested.verified && options.rules.unverified == Unverified::Refuse;
    let too_large = harvested.certificate.to_der().len() > MAX_CERTIFICATE;
    if refused || too_large || names.is_empty() {
        return Ok(());
    }
    let id = add(connection, &harvested.certificate, now)?;
    for name in &names {
        add_holder(connection, name, id, Origin::Harvested)?;
    }
    // A time of the future would keep every later message from being believed.
    let at = harvested.at.min(now).unix();
    let latest_wins = options.rules.known == WhenKnown::Update;
    let provenance: String = (harvested.provenance.chars().take(MAX_PROVENANCE)).collect();
    connection
        .prepare_cached(sql::SET_PROVENANCE)?
        .execute(params![id, harvested.verified, at, provenance, latest_wins])?;
    // What did not verify says nothing about its signer.
    if harvested.verified {
        if let Some(capabilities) = &harvested.capabilities {
            let (ciphers, oaep) = (words_of(capabilities), capabilities.oaep);
            let values = params![id, ciphers, oaep, at, latest_wins];
            connection
                .prepare_cached(sql::SET_CAPABILITIES)?
                .execute(values)?;
        }
        if harvested.preferred {
            let mut statement = connection.prepare_cached(sql::SET_PREFERRED)?;
            statement.execute(params![id, at])?;
        }
    }
    for name in &names {
        evict_of_name(connection, name, options, now)?;
    }
    Ok(())
}

/// Those of its names that the certificate holds itself; its domains only when it verified.
fn names_of(harvested: &Harvested) -> Vec<String> {
    let certificate = &harvested.certificate;
    let own = |address: &&Address| {
        let mut named = certificate.addresses().iter();
        named.any(|each| each.matches_folded(address))
    };
    let addresses = harvested.addresses.iter().filter(own).map(folded_name);
    let domains = certificate.domains().iter().filter(|_| harvested.verified);
    let domains = domains.map(|domain| domain_name(domain));
    let mut names: Vec<String> = addresses.chain(domains).take(MAX_NAMES).collect();
    names.sort();
    names.dedup();
    names
}

/// Puts a certificate into the store for all whom it names.
pub(super) fn import(
    connection: &Connection,
    certificate: &Certificate,
    now: Time,
) -> rusqlite::Result<()> {
    let id = add(connection, certificate, now)?;
    let addresses = certificate.addresses().iter().map(folded_name);
    let domains = certificate.domains().iter().map(|name| domain_name(name));
    for name in addresses.chain(domains) {
        add_holder(connection, &name, id, Origin::Imported)?;
    }
    set_lasting(connection, id)
}

/// Sets a certificate for one address.
pub(super) fn pin(
    connection: &Connection,
    certificate: &Certificate,
    address: &Address,
    now: Time,
) -> rusqlite::Result<()> {
    let id = add(connection, certificate, now)?;
    add_holder(connection, &folded_name(address), id, Origin::Pinned)?;
    set_lasting(connection, id)
}

/// Removes a certificate, whatever its origin. Says whether it was there.
pub(super) fn remove(connection: &Connection, fingerprint: &[u8; 32]) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached(sql::REMOVE)?
        .execute([&fingerprint[..]])?;
    Ok(removed > 0)
}

/// Makes room: first what has expired, then what was not used for longest.
pub(super) fn evict(
    connection: &Connection,
    options: &StoreOptions,
    now: Time,
) -> rusqlite::Result<()> {
    let capacity = bounded(options.capacity);
    connection
        .prepare_cached(sql::EVICT_EXPIRED)?
        .execute(params![now.unix(), capacity])?;
    connection
        .prepare_cached(sql::EVICT_UNUSED)?
        .execute([capacity])?;
    Ok(())
}

fn evict_of_name(
    connection: &Connection,
    name: &str,
    options: &StoreOptions,
    now: Time,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql::EVICT_OF_NAME)?;
    let lasting = number_of(LASTING);
    let values = params![name, now.unix(), lasting, bounded(options.per_address)];
    let evicted: Vec<i64> = statement
        .query_map(values, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in evicted {
        connection
            .prepare_cached(sql::REMOVE_WITHOUT_HOLDER)?
            .execute([id])?;
    }
    Ok(())
}

fn add(connection: &Connection, certificate: &Certificate, now: Time) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(sql::ADD)?;
    let added = statement.query_row(
        params![
            &certificate.fingerprint()[..],
            certificate.to_der(),
            certificate.not_before().unix(),
            certificate.not_after().unix(),
            now.unix(),
        ],
        |row| row.get(0),
    );
    added
        .optional()?
        .ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn add_holder(
    connection: &Connection,
    name: &str,
    certificate: i64,
    origin: Origin,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql::ADD_HOLDER)?;
    statement.execute(params![name, certificate, number_of(origin)])?;
    Ok(())
}

fn set_lasting(connection: &Connection, certificate: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql::SET_LASTING)?;
    statement.execute(params![certificate, number_of(LASTING)])?;
    Ok(())
}

/// The ciphers as words in their order; what is for reading only is never asked for.
fn words_of(capabilities: &Capabilities) -> String {
    let written = capabilities.ciphers.iter().filter(|each| !each.is_weak());
    let words: Vec<String> = written.map(ToString::to_string).collect();
    words.join(" ")
}

fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
