//! Independent units of work on a few threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maps `items` on `n_jobs` threads; results are in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    n_jobs: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..n_jobs.min(items.len()) {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    let result = work(item);
                    results.lock().expect("no other thread panicked").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no thread panicked");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
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
}
