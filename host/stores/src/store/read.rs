//! What reads the store.

use super::keep::origin_of;
use super::{Holder, Provenance, StoredCertificate, domain_name, folded_name, sql};
use rusqlite::{Connection, Params, Row, params};
use std::time::Duration;
use waxseal_message::Address;
use waxseal_smime::{Capabilities, Certificate, Found, Origin, Time};

/// Looking a certificate up is written down once a day, so that reading hardly ever writes.
const DAY: i64 = 86_400;

pub(super) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let size: i64 = connection.query_row(sql::SIZE, [], |row| row.get(0))?;
    Ok(u64::try_from(size).unwrap_or_default())
}

/// A certificate that is damaged hides no other: it is passed over.
pub(super) fn find(
    connection: &Connection,
    address: &Address,
    now: Time,
    busy: Duration,
) -> rusqlite::Result<Vec<Found>> {
    let (name, domain) = (folded_name(address), domain_name(address.domain()));
    let long_ago = now.plus(-DAY).unix();
    let mut is_stale = false;
    let mut found = Vec::new();
    let mut statement = connection.prepare_cached(sql::FIND)?;
    let mut rows = statement.query(params![name, domain])?;
    while let Some(row) = rows.next()? {
        is_stale |= row.get::<_, i64>(4)? < long_ago;
        let Ok(certificate) = Certificate::from_der(row.get_ref(0)?.as_blob()?) else {
            continue;
        };
        found.push(Found {
            certificate,
            origin: origin(row, 1)?,
            capabilities: capabilities(row, 2)?,
        });
    }
    drop(rows);
    if is_stale {
        // Only eviction asks for this: whoever is writing now must not hold up the mail.
        connection.busy_timeout(Duration::ZERO)?;
        let values = params![name, domain, now.unix(), long_ago];
        drop(connection.execute(sql::TOUCH, values));
        connection.busy_timeout(busy)?;
    }
    Ok(found)
}

pub(super) fn entries(connection: &Connection) -> rusqlite::Result<Vec<StoredCertificate>> {
    collect(connection, sql::ENTRIES, [])
}

pub(super) fn entries_of(
    connection: &Connection,
    address: &Address,
) -> rusqlite::Result<Vec<StoredCertificate>> {
    let values = [folded_name(address), domain_name(address.domain())];
    collect(connection, sql::ENTRIES_OF_ADDRESS, values)
}

pub(super) fn entries_between(
    connection: &Connection,
    (first, last): &([u8; 32], [u8; 32]),
) -> rusqlite::Result<Vec<StoredCertificate>> {
    let values = params![&first[..], &last[..]];
    collect(connection, sql::ENTRIES_OF_FINGERPRINT, values)
}

/// The first and the last fingerprint that begin with these digits.
pub(super) fn fingerprints(digits: &str) -> Option<([u8; 32], [u8; 32])> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16).and_then(|it| u8::try_from(it).ok()))
        .collect::<Option<_>>()?;
    let fill = |rest: u8| -> [u8; 32] {
        let digit = |at: usize| digits.get(at).copied().unwrap_or(rest);
        std::array::from_fn(|at| digit(2 * at) << 4 | digit(2 * at + 1))
    };
    (1..=64)
        .contains(&digits.len())
        .then(|| (fill(0x0), fill(0xf)))
}

/// One certificate has one row for each holder, one after the other.
fn collect(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<StoredCertificate>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut entries: Vec<StoredCertificate> = Vec::new();
    let mut last = None;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if last != Some(id) {
            let Some(entry) = entry(row)? else { continue };
            entries.push(entry);
            last = Some(id);
        }
        let holder = Holder {
            name: row.get(8)?,
            origin: origin(row, 9)?,
        };
        if let Some(entry) = entries.last_mut() {
            entry.holders.push(holder);
        }
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Option<StoredCertificate>> {
    let Ok(certificate) = Certificate::from_der(row.get_ref(1)?.as_blob()?) else {
        return Ok(None);
    };
    let at: Option<i64> = row.get(4)?;
    let message: Option<String> = row.get(5)?;
    let verified = row.get(3)?;
    let provenance = at.zip(message).map(|(at, message)| Provenance {
        message,
        at: Time::from_unix(at),
        verified,
    });
    Ok(Some(StoredCertificate {
        certificate,
        holders: Vec::new(),
        capabilities: capabilities(row, 6)?,
        provenance,
        used: Time::from_unix(row.get(2)?),
    }))
}

fn origin(row: &Row<'_>, column: usize) -> rusqlite::Result<Origin> {
    let number = row.get(column)?;
    origin_of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// The ciphers stand in the column, OAEP in the next one.
fn capabilities(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Capabilities>> {
    let words: Option<String> = row.get(column)?;
    let oaep: Option<bool> = row.get(column + 1)?;
    Ok(words.map(|words| Capabilities {
        // A name that we do not know any more is none that we would use.
        ciphers: words
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect(),
        oaep: oaep.unwrap_or_default(),
    }))
}
