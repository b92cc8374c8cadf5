//! Policies that were good, kept in the state directory for the next start.
//!
//! `policies/NAME` is the private copy that a generation was loaded from; the link `last-good`
//! names the active one's, and is replaced by a rename, so that it always leads to a whole one.
//! `rolled-back` has the ids of generations that were taken out of service: a start, or a change
//! that brings the same content back, does not put them in again.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const POLICIES: &str = "policies";
const LAST_GOOD: &str = "last-good";
const ROLLED_BACK: &str = "rolled-back";

/// The state directory. One server at a time has it.
pub(crate) struct State {
    root: PathBuf,
    _lock: File,
}

impl State {
    /// Opens it, and makes it (for ourselves alone) when it is not there. `Ok(None)`: another
    /// server uses it.
    pub(crate) fn open(root: &Path) -> io::Result<Option<Self>> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root.join(POLICIES))?;
        let lock = File::create(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let state = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        // The copies hold keys, whatever the state directory lets others do.
        fs::set_permissions(state.policies(), fs::Permissions::from_mode(0o700))?;
        state.remove_drafts()?;
        Ok(Some(state))
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// An empty private directory for a copy. It goes when it is not kept.
    pub(crate) fn draft(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(".draft-")
            .tempdir_in(self.policies())
    }

    /// Keeps a draft under the id of the generation that was loaded from it.
    pub(crate) fn keep(&self, draft: tempfile::TempDir, id: &str) -> io::Result<Kept> {
        for number in 0..u32::MAX {
            let name = match number {
                0 => id.to_owned(),
                _ => format!("{id}-{number}"),
            };
            let target = self.policies().join(&name);
            if target.exists() {
                continue; // An older copy of the same content, still in use.
            }
            fs::rename(draft.path(), &target)?;
            // It is no draft any more.
            let _ = draft.keep();
            File::open(self.policies())?.sync_all()?;
            return Ok(Kept(name));
        }
        Err(io::Error::other("no name is free"))
    }

    /// Makes this one the policy of the next start, should the directory not load.
    pub(crate) fn is_good(&self, kept: &Kept) -> io::Result<()> {
        let draft = self.root.join(".last-good");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(Path::new(POLICIES).join(&kept.0), &draft)?;
        fs::rename(&draft, self.root.join(LAST_GOOD))?;
        File::open(&self.root)?.sync_all()
    }

    /// The last-good policy, if there is one.
    pub(crate) fn last_good(&self) -> Option<PathBuf> {
        fs::canonicalize(self.root.join(LAST_GOOD)).ok()
    }

    /// Removes the copies that no loaded generation came from.
    pub(crate) fn remove_others(&self, in_use: &[&Kept]) -> io::Result<()> {
        let last_good = self.last_good();
        for entry in fs::read_dir(self.policies())? {
            let path = entry?.path();
            let used = |kept: &&Kept| path.ends_with(&kept.0);
            let draft = path.file_name().is_some_and(is_draft);
            if !draft && !in_use.iter().any(used) && last_good.as_ref() != Some(&real(&path)) {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }

    /// The ids of generations that were taken out of service.
    pub(crate) fn rolled_back(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.root.join(ROLLED_BACK)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Writes those ids, whole or not at all.
    pub(crate) fn set_rolled_back(&self, ids: &BTreeSet<String>) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".rolled-back-")
            .tempfile_in(&self.root)?;
        for id in ids {
            writeln!(file, "{id}")?;
        }
        file.as_file().sync_all()?;
        file.persist(self.root.join(ROLLED_BACK))?;
        Ok(())
    }

    fn policies(&self) -> PathBuf {
        self.root.join(POLICIES)
    }

    /// Drafts of a server that was killed.
    fn remove_drafts(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.policies())? {
            let entry = entry?;
            if is_draft(&entry.file_name()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn is_draft(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The name of a kept copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(state: &State, id: &str) -> Kept {
        let draft = state.draft().unwrap();
        fs::write(draft.path().join("waxseal.toml"), id).unwrap();
        state.keep(draft, id).unwrap()
    }

    fn content(state: &State) -> String {
        fs::read_to_string(state.last_good().unwrap().join("waxseal.toml")).unwrap()
    }

    #[test]
    fn the_last_good_one_is_kept_and_others_go() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("state");
        let state = State::open(&root).unwrap().unwrap();
        assert!(state.last_good().is_none());
        let (one, two) = (kept(&state, "one"), kept(&state, "two"));
        state.is_good(&one).unwrap();
        assert_eq!(content(&state), "one");
        state.is_good(&two).unwrap();
        assert_eq!(content(&state), "two");
        state.remove_others(&[&two]).unwrap();
        assert!(!root.join("policies/one").exists());
        // The same content again does not touch the copy that is in use.
        assert_eq!(kept(&state, "two"), Kept("two-1".to_owned()));
        let mode = fs::metadata(root.join("policies")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }

    #[test]
    fn one_server_at_a_time_and_no_drafts_of_the_one_before() {
        let place = tempfile::tempdir().unwrap();
        let state = State::open(place.path()).unwrap().unwrap();
        assert!(State::open(place.path()).unwrap().is_none());
        let _left_behind = state.draft().unwrap().keep();
        drop(state);
        let state = State::open(place.path()).unwrap().unwrap();
        assert_eq!(fs::read_dir(state.policies()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_rolled_back_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let state = State::open(place.path()).unwrap().unwrap();
        let ids = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        state.set_rolled_back(&ids).unwrap();
        assert_eq!(state.rolled_back(), ids);
    }
}
