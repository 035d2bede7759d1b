//! Work on the same device side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use burn::tensor::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::device::is_cpu;

/// Pools of one thread: the operations of a worker on one of them stay on it, instead of being handed
/// to another thread that competes with the other workers.
static SINGLE_THREADS: LazyLock<Vec<ThreadPool>> = LazyLock::new(|| {
    let single = || ThreadPoolBuilder::new().num_threads(1).build();
    (0..rayon::current_num_threads()).filter_map(|_| single().ok()).collect()
});

/// What `run` makes of each item, in order. On a CPU as many items are worked on side by side as
/// matrix products use threads, so that `RAYON_NUM_THREADS` sets both; a GPU serializes them anyway.
///
/// A single worker is the calling thread: it may be the only one of rayon's, for which another
/// thread would wait for ever.
pub fn side_by_side<T: Sync, A: Send>(
    device: &Device,
    items: &[T],
    run: impl Fn(&T) -> A + Sync,
) -> Vec<A> {
    let n_threads = if is_cpu(device) { rayon::current_num_threads() } else { 1 };
    let n_workers = n_threads.min(items.len());
    if n_workers < 2 {
        return items.iter().map(run).collect();
    }
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    let work = &|| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let answer = run(item);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n_workers)
            .map(|worker| {
                scope.spawn(move || match SINGLE_THREADS.get(worker) {
                    Some(own) if n_workers == n_threads => own.install(work),
                    _ => work(),
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compute;

    #[test]
    fn answers_come_in_the_order_of_the_items() {
        let device = Compute::select("cpu").expect("there is a CPU").device;
        let items: Vec<u64> = (0..100).collect();
        let late_first = |&item: &u64| {
            std::thread::sleep(std::time::Duration::from_micros(100 - item));
            item
        };
        assert_eq!(side_by_side(&device, &items, late_first), items);
        assert_eq!(side_by_side(&device, &items[..2], late_first), items[..2]);
        assert_eq!(side_by_side(&device, &[] as &[u64], late_first), [0; 0]);
        let nested = |_: &u64| side_by_side(&device, &items, late_first).iter().sum::<u64>();
        assert_eq!(side_by_side(&device, &items[..8], nested), [4950; 8]);
    }
}
