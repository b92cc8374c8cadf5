//! Connections to the database: one that writes, and as many that read as are asked at a time.
//!
//! With a write-ahead log, readers neither wait for a writer nor hold one up, within a process
//! and between processes. Two writers take turns and wait for each other for a bounded time.

use super::sql;
use crate::error::{Error, StoreFault};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Connections that are kept for the next reader.
const IDLE_READERS: usize = 8;

/// Pages that a connection keeps in memory, in KiB.
const CACHE_KIB: i64 = 2048;

pub(super) struct Database {
    path: PathBuf,
    busy: Duration,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Option<Connection>>,
}

impl Database {
    pub(super) fn new(path: PathBuf, busy: Duration) -> Self {
        Self {
            path,
            busy,
            readers: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads. `None` while nobody has written anything yet: reading makes no file.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => match self.open_reader()? {
                Some(connection) => connection,
                None => return Ok(None),
            },
        };
        // After a failure the connection is not used again.
        let done = work(&connection).map_err(|error| self.fault(&error))?;
        let mut readers = lock(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        Ok(Some(done))
    }

    /// Writes, all or nothing. Makes the file if it is not there.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut writer = self.lock_writer()?;
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => self.open_writer()?,
        };
        let done = in_transaction(&mut connection, work).map_err(|error| self.fault(&error))?;
        *writer = Some(connection);
        Ok(done)
    }

    /// Threads of this process wait no longer for each other than processes do.
    fn lock_writer(&self) -> Result<MutexGuard<'_, Option<Connection>>, Error> {
        let begin = Instant::now();
        loop {
            match self.writer.try_lock() {
                Ok(writer) => return Ok(writer),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if begin.elapsed() < self.busy => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::WouldBlock) => return Err(self.error(StoreFault::Busy)),
            }
        }
    }

    fn open_reader(&self) -> Result<Option<Connection>, Error> {
        match self.path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(self.error(StoreFault::Unopenable(error.to_string()))),
        }
        let connection = self.connect()?;
        match self.version(&connection)? {
            0 => Ok(None), // Made, and nothing is in it yet.
            _ => Ok(Some(connection)),
        }
    }

    fn open_writer(&self) -> Result<Connection, Error> {
        create_private(&self.path)
            .map_err(|error| self.error(StoreFault::Unopenable(error.to_string())))?;
        let mut connection = self.connect()?;
        if self.version(&connection)? == 0 {
            self.retried(|| write_ahead(&connection))?;
            in_transaction(&mut connection, |transaction| {
                // Somebody else may have been faster.
                match pragma(transaction, "user_version")? {
                    0 => create(transaction),
                    _ => Ok(()),
                }
            })
            .map_err(|error| self.fault(&error))?;
        }
        Ok(connection)
    }

    fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| self.fault(&error))?;
        self.settle(&connection)
            .map_err(|error| self.fault(&error))?;
        Ok(connection)
    }

    fn settle(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.busy)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.pragma_update(None, "foreign_keys", true)?;
        // The file is ours, and may still have been somebody else's for a while.
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // With a write-ahead log this loses the last writes at a power cut, and nothing else.
        connection.pragma_update(None, "synchronous", "normal")
    }

    /// The schema's version: 0 for an empty file. Refuses what this program did not make, and
    /// what a newer one did.
    fn version(&self, connection: &Connection) -> Result<i64, Error> {
        // In one transaction: somebody may be making the file meanwhile.
        let (version, application, is_empty) = self.retried(|| {
            let moment = connection.unchecked_transaction()?;
            let (version, application) = (
                pragma(&moment, "user_version")?,
                pragma(&moment, "application_id")?,
            );
            let is_empty = pragma(&moment, "page_count")? == 0 || is_empty(&moment)?;
            Ok((version, application, is_empty))
        })?;
        match version {
            0 if application == 0 && is_empty => Ok(0),
            sql::VERSION if application == sql::APPLICATION_ID => Ok(version),
            _ if application != sql::APPLICATION_ID => Err(self.error(StoreFault::Foreign)),
            _ => Err(self.error(StoreFault::Newer {
                found: version,
                known: sql::VERSION,
            })),
        }
    }

    /// Changing the journal and reading a file that is just being made can be busy without
    /// SQLite waiting on its own.
    fn retried<T>(&self, work: impl Fn() -> rusqlite::Result<T>) -> Result<T, Error> {
        let begin = Instant::now();
        loop {
            match work() {
                Err(error) if is_busy(&error) && begin.elapsed() < self.busy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => return done.map_err(|error| self.fault(&error)),
            }
        }
    }

    fn fault(&self, error: &rusqlite::Error) -> Error {
        self.error(fault(error))
    }

    pub(super) fn error(&self, fault: StoreFault) -> Error {
        Error::Store {
            path: self.path.clone(),
            fault,
        }
    }
}

/// A poisoned pool is still a pool: connections are put back whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Immediate: what becomes a writer half-way cannot wait for another writer.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(sql::CREATE)?;
    connection.pragma_update(None, "application_id", sql::APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", sql::VERSION)
}

fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

/// Makes the file before SQLite would, for its owner alone. SQLite gives the files that it lays
/// beside it the same owner and mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(fault(error), StoreFault::Busy)
}

fn fault(error: &rusqlite::Error) -> StoreFault {
    let said = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreFault::Busy,
        Some(ErrorCode::ReadOnly) => StoreFault::ReadOnly,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreFault::Unopenable(said),
        Some(ErrorCode::DiskFull) => StoreFault::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => StoreFault::Io(said),
        // Broken pages, a table that is gone, a value of another kind: not what we wrote.
        _ => StoreFault::Damaged(said),
    }
}
