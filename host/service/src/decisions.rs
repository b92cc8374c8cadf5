//! The record of decisions: what was decided about each message, and why, for `explain ID`.
//!
//! A directory of files with one JSON object on each line, one file or more for each day
//! (`2026-11-29-000.jsonl`). A thread of its own writes them, so that no message waits for a
//! disk; what it cannot keep up with is left out and counted, and so is what a full disk
//! refuses: mail goes on. The oldest files go when there are too many days or octets.
//!
//! A record holds ids, addresses, the plan, rules, calls with what they asked and were
//! answered, and times; what filters say in words of their own (log lines, values of facts and
//! notes, messages of errors) can hold content, and is kept only when the operator says so. The
//! directory and its files are for their owner alone.
//!
//! The only place of this crate that knows files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use waxseal_message::Date;

use crate::generations::now;
use crate::ids::time_of;
use crate::metrics;

/// Records that wait for the writer.
const WAITING: usize = 1_024;
/// Octets that wait for the writer.
const WAITING_OCTETS: usize = 16 << 20;
/// Files that the octets are spread over: the oldest is what goes first.
const FILES: u64 = 8;
/// Octets of one record that a reader takes.
const LONGEST: u64 = 64 << 20;
const SECONDS_OF_A_DAY: i64 = 86_400;
/// How often a disk that refuses is complained about.
const COMPLAINT: Duration = Duration::from_secs(60);

/// How much is kept, and where.
#[derive(Clone, Debug)]
pub struct DecisionSettings {
    /// The directory; made when it is not there.
    pub directory: PathBuf,
    /// Days that are kept.
    pub days: u32,
    /// MiB that are kept.
    pub mib: u64,
    /// What filters log, and what else they say in words of their own, is kept too. It can hold
    /// content of messages.
    pub filter_logs: bool,
}

/// The record of decisions, open for writing.
pub struct Decisions {
    settings: DecisionSettings,
    queue: Mutex<Option<SyncSender<Vec<u8>>>>,
    waiting: Arc<AtomicUsize>,
    dropped: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Decisions {
    /// Opens the directory, or says why nothing can be written there.
    pub fn open(settings: DecisionSettings) -> io::Result<Arc<Self>> {
        let mut files = Files::new(&settings)?;
        files.turn(now())?; // Says at once when nothing can be written.
        let (queue, records) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        let writer = thread::Builder::new()
            .name("waxseal-decisions".to_owned())
            .spawn(move || write_all(&mut files, &records, &counted))?;
        Ok(Arc::new(Self {
            settings,
            queue: Mutex::new(Some(queue)),
            waiting,
            dropped: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// The record of a message; `None` when there is none (any more).
    pub fn find(&self, id: &str) -> io::Result<Option<Value>> {
        find(&self.settings.directory, id)
    }

    /// Records that were left out because the writer was behind.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Is what filters log kept?
    pub(crate) fn keeps_filter_logs(&self) -> bool {
        self.settings.filter_logs
    }

    /// Hands a record to the writer, or leaves it out.
    pub(crate) fn keep(&self, record: &impl Serialize) {
        let Ok(mut line) = serde_json::to_vec(record) else {
            return metrics::decision_left_out("not-written");
        };
        line.push(b'\n');
        let size = line.len();
        let waiting = self.waiting.fetch_add(size, Ordering::Relaxed);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = waiting + size <= WAITING_OCTETS
            && queue
                .as_ref()
                .is_some_and(|queue| queue.try_send(line).is_ok());
        if !taken {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::decision_left_out("behind");
        }
    }

    /// Writes what waits, and takes nothing more.
    pub fn close(&self) {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(queue);
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of the record of decisions ended before its time");
        }
    }
}

impl Drop for Decisions {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_all(files: &mut Files, records: &Receiver<Vec<u8>>, waiting: &AtomicUsize) {
    let mut complained: Option<Instant> = None;
    for record in records {
        waiting.fetch_sub(record.len(), Ordering::Relaxed);
        let Err(error) = files.append(&record, now()) else {
            continue;
        };
        metrics::decision_left_out("not-written");
        if complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
            tracing::error!(%error, "decisions cannot be recorded");
            complained = Some(Instant::now());
        }
    }
}

/// The files of the directory, the last of them open.
struct Files {
    directory: PathBuf,
    days: i64,
    octets: u64,
    current: Option<Current>,
}

struct Current {
    name: Name,
    file: File,
    size: u64,
}

/// Day since 1970, and number within the day. Prints as the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    day: i64,
    part: u32,
}

impl Files {
    fn new(settings: &DecisionSettings) -> io::Result<Self> {
        let directory = settings.directory.clone();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        Ok(Self {
            directory,
            days: i64::from(settings.days.max(1)),
            octets: settings.mib.max(1) << 20,
            current: None,
        })
    }

    fn append(&mut self, record: &[u8], at: i64) -> io::Result<()> {
        let current = self.turn(at)?;
        match current.file.write_all(record) {
            Ok(()) => current.size += record.len() as u64,
            Err(error) => {
                // Half a line may stand there: the next one begins after it is closed.
                self.current = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The file for this moment.
    fn turn(&mut self, at: i64) -> io::Result<&mut Current> {
        let day = at.div_euclid(SECONDS_OF_A_DAY);
        let fits = |current: &Current| {
            current.name.day == day && current.size < self.octets.div_ceil(FILES)
        };
        if !self.current.as_ref().is_some_and(fits) {
            let full = self.current.take().map(|current| current.name);
            self.current = Some(self.open_for(day, full)?);
            self.remove_old(day);
        }
        self.current
            .as_mut()
            .ok_or_else(|| io::Error::other("no file is open"))
    }

    /// The last file of a day, or the one after `full`.
    fn open_for(&self, day: i64, full: Option<Name>) -> io::Result<Current> {
        let last = names(&self.directory)?
            .into_iter()
            .map(|(name, _)| name)
            .rfind(|name| name.day == day);
        let part = match (last, full) {
            (Some(last), Some(full)) if last == full => last.part + 1,
            (Some(last), _) => last.part,
            (None, _) => 0,
        };
        let name = Name { day, part };
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(self.directory.join(name.to_string()))?;
        let mut size = file.metadata()?.len();
        if size > 0 && last_octet(&mut file)? != b'\n' {
            // A line that a crash or a full disk cut short stays alone.
            file.write_all(b"\n")?;
            size += 1;
        }
        Ok(Current { name, file, size })
    }

    /// Removes what is too old or too much; the file in use stays.
    fn remove_old(&self, today: i64) {
        let Ok(names) = names(&self.directory) else {
            return;
        };
        let mut total: u64 = names.iter().map(|(_, size)| size).sum();
        let in_use = self.current.as_ref().map(|current| current.name);
        // One more file will grow: it counts as full.
        let room = self.octets - self.octets.div_ceil(FILES);
        for (name, size) in names {
            let old = name.day + self.days <= today;
            if Some(name) == in_use || !(old || total > room) {
                continue;
            }
            match fs::remove_file(self.directory.join(name.to_string())) {
                Ok(()) => total = total.saturating_sub(size),
                Err(error) => tracing::warn!(%error, "an old record of decisions stays"),
            }
        }
    }
}

fn last_octet(file: &mut File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

/// Our files with their sizes, oldest first. What is none of ours is left alone.
fn names(directory: &Path) -> io::Result<Vec<(Name, u64)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(Name::parse) {
            names.push((name, entry.metadata()?.len()));
        }
    }
    names.sort();
    Ok(names)
}

/// The record of a message in a directory of records, whoever writes there.
pub fn find(directory: &Path, id: &str) -> io::Result<Option<Value>> {
    let Some(time) = time_of(id) else {
        return Ok(None);
    };
    let day = time.div_euclid(SECONDS_OF_A_DAY);
    // A record is written when its message has ended: on its day, or soon after.
    let names = names(directory)?.into_iter().map(|(name, _)| name);
    let beginning = format!("{{\"id\":\"{id}\"");
    for name in names.filter(|name| (day..=day + 1).contains(&name.day)) {
        if let Some(found) = find_in(&directory.join(name.to_string()), beginning.as_bytes())? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find_in(file: &Path, beginning: &[u8]) -> io::Result<Option<Value>> {
    let mut lines = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.starts_with(beginning)
            && let Ok(found) = serde_json::from_slice(&line)
        {
            return Ok(Some(found));
        }
    }
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let (date, part) = text.strip_suffix(".jsonl")?.rsplit_once('-')?;
        let name = Self {
            day: Date::from_rfc3339(date)?.days(),
            part: part.parse().ok()?,
        };
        // Exactly as we write it: nothing else is ours to remove.
        (name.to_string() == text).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date = Date::from_days(self.day);
        write!(f, "{date}-{:03}.jsonl", self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::SystemTime;

    /// 2026-11-29, noon.
    const NOON: i64 = 1_795_953_600;

    fn settings(directory: &Path) -> DecisionSettings {
        DecisionSettings {
            directory: directory.to_owned(),
            days: 3,
            mib: 1,
            filter_logs: false,
        }
    }

    fn listing(directory: &Path) -> Vec<String> {
        let names = names(directory).unwrap().into_iter();
        names.map(|(name, _)| name.to_string()).collect()
    }

    fn id(at: i64) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at.unsigned_abs());
        crate::ids::Ids::default().next(time)
    }

    fn line(id: &str) -> Vec<u8> {
        format!("{{\"id\":\"{id}\"}}\n").into_bytes()
    }

    fn files(directory: &Path) -> Files {
        Files::new(&settings(directory)).unwrap()
    }

    #[test]
    fn only_our_own_files_are_ours() {
        let (name, text) = (
            Name {
                day: 20_786,
                part: 7,
            },
            "2026-11-29-007.jsonl",
        );
        assert_eq!(name.to_string(), text);
        assert_eq!(Name::parse(text), Some(name));
        for foreign in ["notes.jsonl", "2026-11-29-7.jsonl", "2026-13-01-000.jsonl"] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn days_that_are_too_old_go_and_foreign_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("2020-01-01-notes.jsonl"), "mine").unwrap();
        let mut files = files(path);
        for day in 0..5 {
            files
                .append(b"{}\n", NOON + day * SECONDS_OF_A_DAY)
                .unwrap();
        }
        assert_eq!(
            listing(path),
            [
                "2026-12-01-000.jsonl",
                "2026-12-02-000.jsonl",
                "2026-12-03-000.jsonl"
            ]
        );
        assert!(path.join("2020-01-01-notes.jsonl").exists());
    }

    #[test]
    fn octets_are_bounded_whatever_one_day_brings() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = files(directory.path());
        let record = vec![b'x'; 10_000];
        for _ in 0..400 {
            files.append(&record, NOON).unwrap();
            let sizes = names(directory.path()).unwrap().into_iter();
            let total: u64 = sizes.map(|(_, size)| size).sum();
            assert!(total <= (1 << 20) + 10_000, "{total}");
        }
        let parts = listing(directory.path());
        assert!(parts.len() > 4 && parts.len() <= 8, "{parts:?}");
    }

    #[test]
    fn a_line_that_was_cut_short_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (id(NOON), id(NOON + 1));
        let mut before = files(directory.path());
        before.append(&line(&first), NOON).unwrap();
        before.append(b"{\"id\":\"cut", NOON).unwrap();
        let mut after = files(directory.path());
        after.append(&line(&second), NOON + 1).unwrap();
        for id in [first, second] {
            let found = find(directory.path(), &id).unwrap();
            assert_eq!(found, Some(json!({ "id": id })));
        }
    }

    #[test]
    fn a_message_is_found_on_the_day_it_ended() {
        let directory = tempfile::tempdir().unwrap();
        let midnight = NOON + SECONDS_OF_A_DAY / 2;
        let late = id(midnight - 1);
        files(directory.path())
            .append(&line(&late), midnight + 1)
            .unwrap();
        assert!(find(directory.path(), &late).unwrap().is_some());
        assert_eq!(find(directory.path(), "../../etc/passwd").unwrap(), None);
    }

    #[test]
    fn directory_and_files_are_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/decisions");
        files(&path).append(b"{}\n", NOON).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("2026-11-29-000.jsonl")), 0o600);
    }

    #[test]
    fn a_writer_that_is_behind_costs_records_and_no_memory() {
        let directory = tempfile::tempdir().unwrap();
        let decisions = Decisions::open(settings(directory.path())).unwrap();
        let large = json!({ "id": "x".repeat(WAITING_OCTETS) });
        decisions.keep(&large);
        assert_eq!(decisions.dropped(), 1);
        decisions.close();
        decisions.keep(&json!({ "id": "late" }));
        assert_eq!(decisions.dropped(), 2);
        assert_eq!(decisions.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_said_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Decisions::open(settings(&file.join("decisions"))).is_err());
    }
}
