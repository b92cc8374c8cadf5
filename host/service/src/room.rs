//! Octets of messages that are held at a time, by all listeners together.
//!
//! Connections are bounded, and so is a message; their product is more than a machine has. A front
//! end makes room before it reads on, and answers 4yz when there is none: overload is never
//! memory without bound (DESIGN §8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics;

/// The octets that all messages may have together.
#[derive(Debug)]
pub(crate) struct Rooms {
    octets: usize,
    taken: AtomicUsize,
}

/// Room for one message, given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    all: Arc<Rooms>,
    octets: usize,
}

/// There is no more room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many octets are held already")]
pub struct NoRoom;

impl Rooms {
    pub(crate) fn new(octets: usize) -> Arc<Self> {
        Arc::new(Self {
            octets,
            taken: AtomicUsize::new(0),
        })
    }

    /// Room that nothing is in yet.
    pub(crate) fn room(self: &Arc<Self>) -> Room {
        Room {
            all: Arc::clone(self),
            octets: 0,
        }
    }
}

impl Room {
    /// Room for so many octets more; otherwise for what it was before.
    pub fn grow(&mut self, octets: usize) -> Result<(), NoRoom> {
        let most = self.all.octets;
        let with = |taken: usize| taken.checked_add(octets).filter(|taken| *taken <= most);
        let taken = &self.all.taken;
        match taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, with) {
            Ok(_) => {
                self.octets += octets;
                Ok(())
            }
            Err(_) => {
                metrics::overload("octets");
                Err(NoRoom)
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.taken.fetch_sub(self.octets, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_for_all_together_and_given_back() {
        let rooms = Rooms::new(10);
        let (mut one, mut other) = (rooms.room(), rooms.room());
        assert_eq!((one.grow(6), other.grow(4)), (Ok(()), Ok(())));
        assert_eq!(
            (one.grow(1), other.grow(usize::MAX)),
            (Err(NoRoom), Err(NoRoom))
        );
        drop(one);
        assert_eq!((other.grow(6), other.grow(1)), (Ok(()), Err(NoRoom)));
        drop(other);
        assert_eq!(rooms.taken.load(Ordering::Relaxed), 0);
    }
}
