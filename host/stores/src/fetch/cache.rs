//! What was fetched, for as long as it may be used again.

use std::collections::HashMap;
use waxseal_pki::FetchError;
use waxseal_smime::Time;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    url: String,
    request: Vec<u8>,
}

impl Key {
    pub(super) fn new(url: &str, request: &[u8]) -> Self {
        Self {
            url: url.to_owned(),
            request: request.to_vec(),
        }
    }

    fn size(&self) -> usize {
        self.url.len() + self.request.len()
    }
}

type Answer = Result<Vec<u8>, FetchError>;

struct Entry {
    answer: Answer,
    until: Time,
    /// When it was last kept or given, counted in questions.
    used: u64,
    size: usize,
}

/// Answers, of which the one used longest ago goes first.
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    most_entries: usize,
    most_octets: usize,
    octets: usize,
    questions: u64,
}

impl Cache {
    pub(super) fn new(most_entries: usize, most_octets: usize) -> Self {
        Self {
            entries: HashMap::new(),
            most_entries,
            most_octets,
            octets: 0,
            questions: 0,
        }
    }

    pub(super) fn find(&mut self, key: &Key, now: Time) -> Option<Answer> {
        self.questions += 1;
        let entry = self.entries.get_mut(key)?;
        if entry.until <= now {
            self.remove(&key.clone());
            return None;
        }
        entry.used = self.questions;
        Some(entry.answer.clone())
    }

    /// Keeps an answer, unless it alone is more than all may be.
    pub(super) fn keep(&mut self, key: Key, answer: Answer, until: Time, now: Time) {
        let size = key.size() + answer.as_ref().map_or(0, Vec::len);
        self.questions += 1;
        self.remove(&key);
        if size > self.most_octets || self.most_entries == 0 {
            return;
        }
        while self.entries.len() >= self.most_entries || self.octets + size > self.most_octets {
            let Some(worst) = self.worst(now) else { break };
            self.remove(&worst);
        }
        self.octets += size;
        let entry = Entry {
            answer,
            until,
            used: self.questions,
            size,
        };
        self.entries.insert(key, entry);
    }

    /// What is over, else what was used longest ago.
    fn worst(&self, now: Time) -> Option<Key> {
        let rank = |entry: &Entry| (entry.until > now, entry.used);
        let worst = self.entries.iter().min_by_key(|(_, entry)| rank(entry));
        worst.map(|(key, _)| key.clone())
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.octets -= entry.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_unix(1000);

    fn key(name: &str) -> Key {
        Key::new(name, &[])
    }

    fn keep(cache: &mut Cache, name: &str, size: usize, until: i64) {
        cache.keep(key(name), Ok(vec![0; size]), Time::from_unix(until), NOW);
    }

    fn has(cache: &mut Cache, name: &str) -> bool {
        cache.find(&key(name), NOW).is_some()
    }

    #[test]
    fn entries_are_bounded_and_the_unused_go() {
        let mut cache = Cache::new(2, 1000);
        keep(&mut cache, "a", 1, 2000);
        keep(&mut cache, "b", 1, 2000);
        assert!(has(&mut cache, "a"));
        keep(&mut cache, "c", 1, 2000);
        assert!(has(&mut cache, "a") && has(&mut cache, "c") && !has(&mut cache, "b"));
    }

    #[test]
    fn octets_are_bounded() {
        let mut cache = Cache::new(99, 100);
        keep(&mut cache, "a", 40, 2000);
        keep(&mut cache, "b", 40, 2000);
        keep(&mut cache, "c", 40, 2000);
        assert!(!has(&mut cache, "a") && has(&mut cache, "b") && has(&mut cache, "c"));
        keep(&mut cache, "huge", 101, 2000);
        assert!(!has(&mut cache, "huge") && has(&mut cache, "c"));
        keep(&mut cache, "c", 90, 2000);
        assert_eq!((cache.octets, cache.entries.len()), (91, 1));
    }

    #[test]
    fn what_is_over_is_not_given_and_goes_first() {
        let mut cache = Cache::new(2, 100);
        keep(&mut cache, "good", 1, 2000);
        keep(&mut cache, "over", 1, 1001);
        assert!(has(&mut cache, "over"));
        cache.keep(
            key("new"),
            Ok(vec![]),
            Time::from_unix(2000),
            Time::from_unix(1001),
        );
        assert!(has(&mut cache, "good") && has(&mut cache, "new") && !has(&mut cache, "over"));
        assert!(cache.find(&key("good"), Time::from_unix(2000)).is_none());
    }

    /// The same URL with another request is another question.
    #[test]
    fn requests_are_told_apart() {
        let mut cache = Cache::new(9, 100);
        let ask = |request: &[u8]| Key::new("http://ocsp.example/", request);
        cache.keep(ask(b"1"), Ok(b"one".to_vec()), Time::from_unix(2000), NOW);
        assert!(cache.find(&ask(b"2"), NOW).is_none());
        assert_eq!(cache.find(&ask(b"1"), NOW), Some(Ok(b"one".to_vec())));
    }
}
