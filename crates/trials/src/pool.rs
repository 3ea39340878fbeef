//! A bounded pool of operating-system threads at lowered priority. Trials take turns: each has a
//! lane, and a free thread takes the first job of the next lane that has one.

use mltrainer_types::TrialId;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    lanes: VecDeque<(TrialId, VecDeque<Job>)>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    /// A poisoned lock means that a thread died between two statements that cannot panic; the queue
    /// is whole.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool. Dropping it lets running jobs end and starts no other.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let pool = Self {
            shared: Arc::clone(&shared),
            threads: Mutex::default(),
        };
        for n in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            let handle = std::thread::Builder::new()
                .name(format!("trial-{n}"))
                .spawn(move || work(&shared))?;
            pool.threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(handle);
        }
        Ok(pool)
    }

    /// Queues a job in the lane of its trial; after [`Pool::close`] it is dropped.
    pub(crate) fn submit(&self, trial: &TrialId, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.lock();
        if queue.closed {
            return;
        }
        match queue.lanes.iter_mut().find(|(id, _)| id == trial) {
            Some((_, lane)) => lane.push_back(Box::new(job)),
            None => {
                let lane = VecDeque::from([Box::new(job) as Job]);
                queue.lanes.push_back((trial.clone(), lane));
            }
        }
        self.shared.wake.notify_one();
    }

    /// Starts no other job.
    pub(crate) fn close(&self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.lanes.clear();
        self.shared.wake.notify_all();
    }

    /// Waits for the running jobs; call [`Pool::close`] first, and not on a thread that must not
    /// block.
    pub(crate) fn join(&self) {
        let threads: Vec<JoinHandle<()>> = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect();
        for thread in threads {
            // Jobs are caught one by one: a thread does not end by panic.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Lets this thread come after those that answer requests.
pub fn lower_priority() {
    if let Err(e) =
        thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Min)
    {
        tracing::warn!(error = ?e, "the priority of a thread could not be lowered");
    }
}

fn work(shared: &Shared) {
    lower_priority();
    loop {
        let job = {
            let mut queue = shared.lock();
            loop {
                if queue.closed {
                    return;
                }
                if let Some((trial, mut lane)) = queue.lanes.pop_front() {
                    let job = lane.pop_front();
                    if !lane.is_empty() {
                        queue.lanes.push_back((trial, lane));
                    }
                    if let Some(job) = job {
                        break job;
                    }
                } else {
                    queue = shared
                        .wake
                        .wait(queue)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        // A job reports its own outcome; one that panics outside of that must not end the thread.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a trial job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn trials_take_turns_and_a_panic_ends_nothing() {
        let pool = Pool::new(1).unwrap();
        let (sender, receiver) = channel();
        let (go, gate) = channel::<()>();
        let (a, b) = (TrialId::from("a"), TrialId::from("b"));
        pool.submit(&a, move || {
            gate.recv().unwrap();
            panic!("on purpose");
        });
        for n in 0..3 {
            let sender = sender.clone();
            pool.submit(&a, move || sender.send(format!("a{n}")).unwrap());
        }
        for n in 0..2 {
            let sender = sender.clone();
            pool.submit(&b, move || sender.send(format!("b{n}")).unwrap());
        }
        go.send(()).unwrap();
        let order: Vec<String> = (0..5).map(|_| receiver.recv().unwrap()).collect();
        // The first job of lane a was taken before b came; from then on they alternate.
        let b_places: Vec<usize> = (0..5).filter(|&i| order[i].starts_with('b')).collect();
        assert!(b_places == [0, 2] || b_places == [1, 3], "{order:?}");
        pool.close();
        pool.join();
        pool.submit(&a, || unreachable!());
    }
}
