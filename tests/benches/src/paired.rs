//! Measures contestants that take turns, so that whatever else the machine does hits all alike.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What one contestant does in a round; its figure, in seconds or in a rate.
pub type Turn<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// The figures of contestants, round by round.
#[derive(Debug)]
pub struct Paired {
    figures: Vec<Vec<f64>>,
}

/// Lets all take their turns once without counting it, then in `rounds` rounds.
pub fn paired(rounds: usize, mut contestants: Vec<Turn<'_>>) -> Paired {
    for turn in &mut contestants {
        turn();
    }
    let mut figures = vec![Vec::with_capacity(rounds); contestants.len()];
    for _ in 0..rounds {
        for (turn, figures) in contestants.iter_mut().zip(&mut figures) {
            figures.push(turn());
        }
    }
    Paired { figures }
}

impl Paired {
    /// The median of one contestant, by its place in the list.
    pub fn median(&self, contestant: usize) -> f64 {
        median(self.figures[contestant].clone())
    }

    /// How many times `one` is `other`: the median over the rounds, each of which compares
    /// neighbours.
    pub fn ratio(&self, one: usize, other: usize) -> f64 {
        let rounds = self.figures[one].iter().zip(&self.figures[other]);
        median(rounds.map(|(one, other)| one / other).collect())
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}

/// Seconds that something takes. What it gives is dropped within them.
pub fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    drop(std::hint::black_box(work()));
    began.elapsed().as_secs_f64()
}

/// How often something can be done in a second by so many threads, measured for about as long as
/// `time`. Every call gets a number of its own.
pub fn rate(threads: usize, time: Duration, work: impl Fn(usize) + Sync) -> f64 {
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let repeat = || {
        while began.elapsed() < time {
            work(next.fetch_add(1, Ordering::Relaxed));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(repeat);
        }
    });
    next.into_inner() as f64 / began.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_slow_round_does_not_change_the_ratio() {
        // The machine is ten times slower in the second and third round, for both.
        let slow = |figures: [f64; 5]| {
            let mut rounds = figures.into_iter();
            Box::new(move || rounds.next().unwrap()) as Turn<'_>
        };
        let one = slow([2.0, 2.0, 20.0, 20.0, 2.0]);
        let other = slow([1.0, 1.0, 10.0, 10.0, 1.0]);
        let paired = paired(4, vec![one, other]);
        assert_eq!(paired.ratio(0, 1), 2.0);
    }
}
