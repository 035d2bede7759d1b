//! Independent units of work on a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Workers of this process that have something to do.
static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// Stages side by side: as many as were asked for, or one per core up to 8.
pub(crate) fn n_jobs(wanted: Option<u8>) -> usize {
    wanted.map_or(n_cores().min(8), usize::from).max(1)
}

/// Cores of this machine that we may use.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Cores for a program that a worker starts: those that have something to do share them.
pub(crate) fn n_cores_each() -> usize {
    (n_cores() / WORKERS.load(Ordering::Relaxed).max(1)).max(1)
}

/// Maps `items` on `n_jobs` threads; results are in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    n_jobs: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    in_order(n_jobs, items, |_| None, work)
}

/// Maps `items` as [`in_parallel`] does, but starts an item only after the one that it `needs`,
/// which is named by its index and comes earlier. A free thread takes the first that may start.
pub(crate) fn in_order<T: Sync, R: Send>(
    n_jobs: usize,
    items: &[T],
    needs: impl Fn(&T) -> Option<usize> + Sync,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let waiting = (0..items.len()).collect();
    let queue = Mutex::new(Queue { waiting, results: Vec::new(), is_abandoned: false });
    queue.lock().unwrap_or_else(PoisonError::into_inner).results.resize_with(items.len(), || None);
    let finished = Condvar::new();
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let may_start = |&index: &usize| match needs(&items[index]) {
                Some(needed) => queue.results[needed].is_some(),
                None => true,
            };
            if let Some(place) = queue.waiting.iter().position(may_start) {
                return Some(queue.waiting.remove(place));
            }
            if queue.waiting.is_empty() || queue.is_abandoned {
                return None;
            }
            WORKERS.fetch_sub(1, Ordering::Relaxed);
            queue = finished.wait(queue).unwrap_or_else(PoisonError::into_inner);
            WORKERS.fetch_add(1, Ordering::Relaxed);
        }
    };
    let n_workers = n_jobs.min(items.len());
    WORKERS.fetch_add(n_workers, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                let _guard = Leave { queue: &queue, finished: &finished };
                while let Some(index) = next() {
                    let result = work(&items[index]);
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.results[index] = Some(result);
                    finished.notify_all();
                }
            });
        }
    });
    let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    queue.results.into_iter().map(|result| result.expect("every item was worked on")).collect()
}

/// What is still to start, and what is done.
struct Queue<R> {
    waiting: Vec<usize>,
    results: Vec<Option<R>>,
    /// A thread panicked: what waits for its item would wait forever.
    is_abandoned: bool,
}

/// A worker leaves: its cores are for others, and these are told if it panicked.
struct Leave<'a, R> {
    queue: &'a Mutex<Queue<R>>,
    finished: &'a Condvar,
}

impl<R> Drop for Leave<'_, R> {
    fn drop(&mut self) {
        WORKERS.fetch_sub(1, Ordering::Relaxed);
        if std::thread::panicking() {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_abandoned = true;
            self.finished.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_results_keep_their_order() {
        let items: Vec<u64> = (0..20).collect();
        for n_jobs in [1, 3, 50] {
            assert_eq!(in_parallel(n_jobs, &items, |item| item * 2)[19], 38);
            assert!(in_parallel(n_jobs, &items, |item| *item).is_sorted());
        }
        assert!(in_parallel(2, &[], |item: &u64| *item).is_empty());
    }

    #[test]
    fn an_item_starts_after_what_it_needs() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::time::Duration;

        // The first is slow; the second waits for it, the third does not.
        let items: [(u64, Option<usize>); 3] = [(50, None), (0, Some(0)), (0, None)];
        let clock = AtomicUsize::new(0);
        let ended = in_order(
            2,
            &items,
            |(_, needed)| *needed,
            |(milliseconds, _)| {
                std::thread::sleep(Duration::from_millis(*milliseconds));
                clock.fetch_add(1, Ordering::SeqCst)
            },
        );
        assert_eq!(ended, [1, 2, 0]);
        assert_eq!(in_order(1, &items, |(_, needed)| *needed, |(it, _)| *it), [50, 0, 0]);
    }

    #[test]
    fn a_panic_ends_the_wait() {
        let items = [None, Some(0)];
        let work = |needed: &Option<usize>| assert!(needed.is_some(), "the first");
        let run = || in_order(2, &items, |needed| *needed, work);
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
