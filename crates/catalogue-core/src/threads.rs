//! How many threads a fit may use, and how it uses them.
//!
//! The caller grants threads for a piece of work with [`grant`]; without a grant there is one. A kernel
//! that can share its work hands it to [`map`] or [`chunks`], which split it over the threads granted.
//! Those threads have no grant of their own, so that two levels are never nested: an ensemble that
//! fits its members side by side fits each of them on one thread.
//!
//! What is computed must not depend on the number of threads: the pieces are cut by the work alone, each
//! result goes to its own place, and sums over pieces are taken in the order of the pieces.
//!
//! Starting a thread takes longer than a small piece of work. Where such pieces follow each other by the
//! thousand, [`team`] keeps the threads between them.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

/// Looks at the board before a thread goes to sleep, some tens of microseconds: to be woken takes as long.
const LOOKS: usize = 2_000;

/// What the threads of a team share.
struct Board<J, R> {
    state: Mutex<State<J, R>>,
    /// There are jobs, or the end has come.
    posted: Condvar,
    /// No job is left unfinished.
    finished: Condvar,
    /// Whether a worker would find something, for looks without the lock.
    busy: AtomicBool,
    /// Jobs that are not finished, for looks without the lock.
    unfinished: AtomicUsize,
}

struct State<J, R> {
    /// The next one last.
    jobs: Vec<(usize, J)>,
    results: Vec<(usize, R)>,
    asleep: usize,
    ended: bool,
}

impl<J, R> Board<J, R> {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                jobs: Vec::new(),
                results: Vec::new(),
                asleep: 0,
                ended: false,
            }),
            posted: Condvar::new(),
            finished: Condvar::new(),
            busy: AtomicBool::new(false),
            unfinished: AtomicUsize::new(0),
        }
    }

    /// Nothing panics with the lock held.
    fn lock(&self) -> MutexGuard<'_, State<J, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs as long as there are any, after putting down the result of the one before.
    fn work<'a>(&'a self, mut state: MutexGuard<'a, State<J, R>>, work: &impl Fn(J) -> R) {
        while let Some((i, job)) = state.jobs.pop() {
            if state.jobs.is_empty() && !state.ended {
                self.busy.store(false, Ordering::Release);
            }
            drop(state);
            let result = work(job);
            state = self.lock();
            state.results.push((i, result));
            if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.finished.notify_all();
            }
        }
    }

    /// What a worker does until the end.
    fn serve(&self, work: &impl Fn(J) -> R) {
        let _fallen = Last(self);
        let mut looks = 0;
        loop {
            while looks < LOOKS && !self.busy.load(Ordering::Acquire) {
                std::hint::spin_loop();
                looks += 1;
            }
            let mut state = self.lock();
            while state.jobs.is_empty() && !state.ended && looks >= LOOKS {
                state.asleep += 1;
                state = self
                    .posted
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.asleep -= 1;
            }
            if state.ended {
                return;
            }
            // Others may have taken the jobs that were seen: it looks on.
            looks += 1;
            if !state.jobs.is_empty() {
                self.work(state, work);
                looks = 0;
            }
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        self.busy.store(true, Ordering::Release);
        self.posted.notify_all();
        self.finished.notify_all();
    }
}

/// Ends the team when its caller is done, or when one of its threads panics.
struct Last<'a, J, R>(&'a Board<J, R>);

impl<J, R> Drop for Last<'_, J, R> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Threads that stay for many small pieces of work; made by [`team`].
pub struct Team<'a, J, R, W> {
    work: &'a W,
    board: Option<&'a Board<J, R>>,
}

impl<J: Send, R: Send, W: Fn(J) -> R + Sync> Team<'_, J, R, W> {
    /// What the work of the team makes of these jobs, in their order. Should a thread have panicked there
    /// are fewer; [`team`] passes that on.
    pub fn run(&self, jobs: Vec<J>) -> Vec<R> {
        let Some(board) = self.board.filter(|_| jobs.len() > 1) else {
            return grant(1, || jobs.into_iter().map(self.work).collect());
        };
        let many = jobs.len();
        let mut state = board.lock();
        state.jobs.extend(jobs.into_iter().enumerate().rev());
        state.results.reserve(many);
        board.unfinished.store(many, Ordering::Release);
        board.busy.store(true, Ordering::Release);
        if state.asleep > 0 {
            board.posted.notify_all();
        }
        // This thread works too, with its grant put aside.
        grant(1, || board.work(state, self.work));
        let mut looks = 0;
        while looks < LOOKS && board.unfinished.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut state = board.lock();
        while board.unfinished.load(Ordering::Acquire) > 0 && !state.ended {
            let woken = board.finished.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let mut results = std::mem::take(&mut state.results);
        drop(state);
        results.sort_unstable_by_key(|(i, _)| *i);
        results.into_iter().map(|(_, r)| r).collect()
    }
}

/// Calls `body` with a team of the threads granted that does `work`; the threads stay until `body` returns.
pub fn team<J: Send, R: Send, W: Fn(J) -> R + Sync, T>(
    work: W,
    body: impl FnOnce(&Team<'_, J, R, W>) -> T,
) -> T {
    let board = Board::new();
    if granted() < 2 {
        return body(&Team {
            work: &work,
            board: None,
        });
    }
    std::thread::scope(|scope| {
        for _ in 1..granted() {
            scope.spawn(|| board.serve(&work));
        }
        let _last = Last(&board);
        body(&Team {
            work: &work,
            board: Some(&board),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_answers_in_order_and_can_be_asked_again() {
        for threads in [1, 2, 4] {
            let sums = grant(threads, || {
                team(
                    |i: usize| (i * i, granted()),
                    |team| {
                        (0..300)
                            .map(|many| {
                                let found = team.run((0..many).collect());
                                let want: Vec<_> = (0..many).map(|i| (i * i, 1)).collect();
                                assert_eq!(found, want);
                                found.len()
                            })
                            .sum::<usize>()
                    },
                )
            });
            assert_eq!(sums, 299 * 300 / 2);
        }
    }

    #[test]
    fn a_panic_in_a_team_reaches_its_caller() {
        let run = || {
            grant(2, || {
                team(
                    |i: usize| assert!(i != 7, "seven"),
                    |team| team.run((0..20).collect()).len(),
                )
            })
        };
        assert!(std::panic::catch_unwind(run).is_err());
    }

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
