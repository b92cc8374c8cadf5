//! All SQL of the store. Nothing is ever pasted into it: every value is a parameter.
//!
//! `certificate` has one row for each certificate, by its fingerprint. `holder` says who finds
//! it: a folded address (`local@domain`) or a domain (which has no `@`), and how it came to be
//! theirs. `size` is a count that triggers keep, since SQLite would count a million rows one by
//! one. `lasting` is set for what an operator put there, and keeps it out of the two indexes
//! that eviction walks.

/// Marks the file as ours: `WXSL`.
pub(super) const APPLICATION_ID: i64 = 0x5758_534c;

/// The schema that this program knows, kept in `user_version`.
pub(super) const VERSION: i64 = 1;

pub(super) const CREATE: &str = "
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    der BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    lasting INTEGER NOT NULL DEFAULT 0,
    used INTEGER NOT NULL,
    verified INTEGER NOT NULL DEFAULT 0,
    signed INTEGER,
    provenance TEXT,
    preferred INTEGER,
    ciphers TEXT,
    oaep INTEGER,
    capable INTEGER
) STRICT;
CREATE TABLE holder (
    name TEXT NOT NULL,
    certificate INTEGER NOT NULL REFERENCES certificate ON DELETE CASCADE,
    origin INTEGER NOT NULL,
    PRIMARY KEY (name, certificate)
) STRICT, WITHOUT ROWID;
CREATE INDEX holder_certificate ON holder (certificate);
CREATE INDEX certificate_expiring ON certificate (not_after) WHERE lasting = 0;
CREATE INDEX certificate_unused ON certificate (verified, used) WHERE lasting = 0;
CREATE TABLE size (certificates INTEGER NOT NULL) STRICT;
INSERT INTO size VALUES (0);
CREATE TRIGGER certificate_added AFTER INSERT ON certificate
    BEGIN UPDATE size SET certificates = certificates + 1; END;
CREATE TRIGGER certificate_removed AFTER DELETE ON certificate
    BEGIN UPDATE size SET certificates = certificates - 1; END;
";

/// ?1 folded address, ?2 domain. Those that name the address first; among them the best
/// origin, then the one that its holder prefers, then the youngest.
pub(super) const FIND: &str = "
SELECT c.der, min(h.origin), c.ciphers, c.oaep, c.used
FROM holder h JOIN certificate c ON c.id = h.certificate
WHERE h.name IN (?1, ?2)
GROUP BY c.id
ORDER BY max(h.name = ?1) DESC, min(h.origin), c.preferred DESC, c.not_before DESC";

/// ?1 folded address, ?2 domain, ?3 now, ?4 what counts as long ago.
pub(super) const TOUCH: &str = "
UPDATE certificate SET used = ?3
WHERE used < ?4 AND id IN (SELECT certificate FROM holder WHERE name IN (?1, ?2))";

/// The columns of [`super::StoredCertificate`].
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.der, c.used, c.verified, c.signed, c.provenance, c.ciphers, c.oaep, \
             h.name, h.origin FROM certificate c JOIN holder h ON h.certificate = c.id ",
            $rest
        )
    };
}

pub(super) const ENTRIES: &str = select_entries!("ORDER BY c.id, h.origin, h.name");

/// ?1 folded address, ?2 domain.
pub(super) const ENTRIES_OF_ADDRESS: &str = select_entries!(
    "WHERE c.id IN (SELECT certificate FROM holder WHERE name IN (?1, ?2)) \
     ORDER BY c.id, h.origin, h.name"
);

/// ?1 and ?2 bound the fingerprint, both inclusive.
pub(super) const ENTRIES_OF_FINGERPRINT: &str = select_entries!(
    "WHERE c.fingerprint BETWEEN ?1 AND ?2 ORDER BY c.id, h.origin, h.name LIMIT 4096"
);

/// ?1 fingerprint, ?2 DER, ?3 and ?4 validity, ?5 now.
pub(super) const ADD: &str = "
INSERT INTO certificate (fingerprint, der, not_before, not_after, used)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (fingerprint) DO UPDATE SET used = max(used, excluded.used)
RETURNING id";

/// ?1 id, ?2 verified, ?3 when it was signed, ?4 Message-ID, ?5 the latest may replace. A
/// message that verified replaces one that did not.
pub(super) const SET_PROVENANCE: &str = "
UPDATE certificate SET verified = ?2, signed = ?3, provenance = ?4
WHERE id = ?1 AND (signed IS NULL OR verified < ?2 OR (verified = ?2 AND ?5 AND signed <= ?3))";

/// ?1 id, ?2 ciphers, ?3 OAEP, ?4 when it was signed, ?5 the latest may replace.
pub(super) const SET_CAPABILITIES: &str = "
UPDATE certificate SET ciphers = ?2, oaep = ?3, capable = ?4
WHERE id = ?1 AND (capable IS NULL OR (?5 AND capable <= ?4))";

/// ?1 id, ?2 when it was signed.
pub(super) const SET_PREFERRED: &str = "
UPDATE certificate SET preferred = max(coalesce(preferred, ?2), ?2) WHERE id = ?1";

/// ?1 name, ?2 certificate, ?3 origin. A better origin stays.
pub(super) const ADD_HOLDER: &str = "
INSERT INTO holder (name, certificate, origin) VALUES (?1, ?2, ?3)
ON CONFLICT (name, certificate) DO UPDATE SET origin = min(origin, excluded.origin)";

/// ?1 certificate, ?2 the worst origin that lasts.
pub(super) const SET_LASTING: &str = "
UPDATE certificate SET lasting =
    EXISTS (SELECT 1 FROM holder WHERE certificate = ?1 AND origin <= ?2)
WHERE id = ?1";

/// ?1 name, ?2 now, ?3 the worst origin that lasts, ?4 how many one name may have.
pub(super) const EVICT_OF_NAME: &str = "
DELETE FROM holder WHERE name = ?1 AND certificate IN (
    SELECT h.certificate FROM holder h JOIN certificate c ON c.id = h.certificate
    WHERE h.name = ?1 AND h.origin > ?3
    ORDER BY c.not_after >= ?2, h.origin DESC, c.verified, c.used, c.signed, c.id
    LIMIT max(0, (SELECT count(*) FROM holder WHERE name = ?1) - ?4))
RETURNING certificate";

/// ?1 id.
pub(super) const REMOVE_WITHOUT_HOLDER: &str = "
DELETE FROM certificate
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM holder WHERE certificate = ?1)";

/// ?1 now, ?2 how many the store may have.
pub(super) const EVICT_EXPIRED: &str = "
DELETE FROM certificate WHERE id IN (
    SELECT id FROM certificate WHERE lasting = 0 AND not_after < ?1 ORDER BY not_after
    LIMIT max(0, (SELECT certificates FROM size) - ?2))";

/// ?1 how many the store may have.
pub(super) const EVICT_UNUSED: &str = "
DELETE FROM certificate WHERE id IN (
    SELECT id FROM certificate WHERE lasting = 0 ORDER BY verified, used, id
    LIMIT max(0, (SELECT certificates FROM size) - ?1))";

/// ?1 fingerprint.
pub(super) const REMOVE: &str = "DELETE FROM certificate WHERE fingerprint = ?1";

pub(super) const SIZE: &str = "SELECT certificates FROM size";

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// The lines of SQLite's plan that read a whole table.
    fn whole_tables(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
        let plan = statement
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
            .unwrap();
        let reads_whole = |line: &String| {
            // Eviction walks an index from its end, and stops; `size` has one row.
            let walks = line.contains("INDEX certificate_expiring")
                || line.contains("INDEX certificate_unused");
            line.starts_with("SCAN") && line != "SCAN size" && !walks
        };
        plan.map(Result::unwrap).filter(reads_whole).collect()
    }

    /// Mail waits for these: none may read a whole table, however many certificates there are.
    #[test]
    fn everything_on_the_mail_path_goes_through_an_index() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(CREATE).unwrap();
        for sql in [
            FIND,
            TOUCH,
            ADD,
            SET_PROVENANCE,
            SET_CAPABILITIES,
            SET_PREFERRED,
            ADD_HOLDER,
            EVICT_OF_NAME,
            REMOVE_WITHOUT_HOLDER,
            EVICT_EXPIRED,
            EVICT_UNUSED,
            REMOVE,
            ENTRIES_OF_ADDRESS,
            ENTRIES_OF_FINGERPRINT,
        ] {
            assert!(whole_tables(&connection, sql).is_empty(), "{sql}");
        }
        assert!(!whole_tables(&connection, ENTRIES).is_empty());
    }
}
