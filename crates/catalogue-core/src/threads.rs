//! How many threads a fit may use, and how it uses them.
//!
//! The caller grants threads for a piece of work with [`grant`]; without a grant there is one. A kernel
//! that can share its work hands it to [`map`] or [`chunks`], which split it over the threads granted.
//! Those threads have no grant of their own, so that two levels are never nested: an ensemble that
//! fits its members side by side fits each of them on one thread.
//!
//! What is computed must not depend on the number of threads: the pieces are cut by the work alone, each
//! result goes to its own place, and sums over pieces are taken in the order of the pieces.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static GRANTED: Cell<usize> = const { Cell::new(1) };
}

/// Threads that the work running here may use, itself included.
#[must_use]
pub fn granted() -> usize {
    GRANTED.get()
}

/// Does the work with so many threads granted; the grant before it holds again afterwards.
pub fn grant<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    /// Puts the grant back also when the work panics.
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            GRANTED.set(self.0);
        }
    }
    let _before = Before(GRANTED.replace(threads.max(1)));
    work()
}

/// What `work` makes of 0, 1, ... `count` - 1, in that order.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = granted().min(count);
    if threads < 2 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let take = || {
        let mut own = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            own.push((i, work(i)));
        }
        // A poisoned lock means that another thread panicked; the scope passes that on.
        if let Ok(mut done) = done.lock() {
            done.extend(own);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(take);
        }
        // This thread works too, with its grant put aside.
        grant(1, take);
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, t)| t).collect()
}

/// Does the work on each of the items, which are parts that do not touch each other.
pub fn each<T: Send>(items: impl IntoIterator<Item = T, IntoIter: Send>, work: impl Fn(T) + Sync) {
    let mut items = items.into_iter();
    if granted() < 2 {
        items.for_each(work);
        return;
    }
    let left = Mutex::new(items.by_ref());
    let take = || {
        loop {
            let item = left.lock().ok().and_then(|mut l| l.next());
            let Some(item) = item else { break };
            work(item);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..granted() {
            scope.spawn(take);
        }
        grant(1, take);
    });
}

/// Fills `out` piece by piece, each of `size` entries (the last one may be shorter): `work` gets the
/// number of the piece and the piece.
pub fn chunks<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    each(out.chunks_mut(size.max(1)).enumerate(), |(i, piece)| {
        work(i, piece);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_for_any_number_of_threads() {
        let want: Vec<usize> = (0..100).map(|i| i * i).collect();
        for threads in [1, 2, 4, 200] {
            grant(threads, || {
                assert_eq!(map(100, |i| i * i), want);
                let mut out = vec![0; 100];
                chunks(&mut out, 7, |piece, values| {
                    for (k, v) in values.iter_mut().enumerate() {
                        *v = (piece * 7 + k).pow(2);
                    }
                });
                assert_eq!(out, want);
            });
        }
    }

    #[test]
    fn grants_do_not_nest_and_end() {
        assert_eq!(granted(), 1);
        grant(3, || {
            assert_eq!(map(5, |_| granted()), [1; 5]);
            assert_eq!(granted(), 3);
        });
        assert_eq!(granted(), 1);
    }
}
