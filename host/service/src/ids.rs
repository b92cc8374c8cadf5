//! Names of messages: twelve letters and digits that sort by time.
//!
//! A name is the milliseconds since 1970 and a counter. Names of one process never repeat; those
//! of a later process differ as long as the clock does not go back over a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names within one millisecond.
const COUNTER_BITS: u32 = 16;
/// Five bits each: enough for the year 2527.
const LENGTH: usize = 12;
/// Crockford's base 32, in the order of ASCII: no i, l, o and u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Gives names out.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    last: AtomicU64,
}

impl Ids {
    /// A name that sorts after all before it.
    pub(crate) fn next(&self, now: SystemTime) -> String {
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since_1970.as_millis()).unwrap_or(0) << COUNTER_BITS;
        let after = |last: u64| now.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(after(last))
            });
        // The closure always answers, so there was no refusal.
        text(after(last.unwrap_or_else(|last| last)))
    }
}

/// When a name was given out, in Unix seconds. `None`: it is no name of ours.
pub(crate) fn time_of(id: &str) -> Option<i64> {
    if id.len() != LENGTH {
        return None;
    }
    let mut number: u64 = 0;
    for digit in id.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        number = number << 5 | value as u64;
    }
    i64::try_from((number >> COUNTER_BITS) / 1000).ok()
}

fn text(number: u64) -> String {
    (0..LENGTH)
        .rev()
        .map(|place| char::from(DIGITS[(number >> (5 * place)) as usize & 31]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn names_sort_by_time_also_when_the_clock_goes_back() {
        let ids = Ids::default();
        let times = [5, 5, 6, 3, 70_000];
        let names: Vec<_> = times
            .map(|ms| ids.next(at(1_795_912_000_000 + ms)))
            .to_vec();
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert!(names.iter().all(|name| name.len() == LENGTH));
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|c| c.is_ascii_alphanumeric()))
        );
    }

    #[test]
    fn a_name_tells_its_time() {
        let name = Ids::default().next(at(1_795_912_345_678));
        assert_eq!(time_of(&name), Some(1_795_912_345));
        for foreign in ["", "4ZX", "../../passwd", "ilouilouilou"] {
            assert_eq!(time_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_restarted_process_goes_on_where_the_last_one_ended() {
        let before = Ids::default().next(at(1_795_912_000_000));
        let after = Ids::default().next(at(1_795_912_000_001));
        assert!(before < after);
    }

    #[test]
    fn threads_never_get_the_same_name() {
        let ids = Arc::new(Ids::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let ids = Arc::clone(&ids);
                std::thread::spawn(move || (0..1000).map(|_| ids.next(at(1))).collect::<Vec<_>>())
            })
            .collect();
        let names = threads.into_iter().flat_map(|each| each.join().unwrap());
        assert_eq!(names.collect::<BTreeSet<_>>().len(), 4000);
    }
}
