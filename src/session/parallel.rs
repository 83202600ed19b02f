//! Applies a function to the items of a long list on several threads. Knows nothing about profiles or tokens.

use std::num::NonZero;
use std::thread::{Builder, available_parallelism, scope};

/// Minimum number of items per thread.
const MIN_ITEMS_PER_THREAD: usize = 512;

/// Returns the results of `work` for all items, in the order of the items. If a thread cannot be started or panics, the
/// calling thread processes that thread's items.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let map_all = |items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    let max_threads = items.len() / MIN_ITEMS_PER_THREAD;
    if max_threads < 2 {
        return map_all(items);
    }
    let threads = available_parallelism().map_or(1, NonZero::get).min(max_threads);
    let mut shares = items.chunks(items.len().div_ceil(threads));
    let first_share = shares.next().unwrap_or_default();
    scope(|scope| {
        let start = |share| (share, Builder::new().spawn_scoped(scope, move || map_all(share)));
        let started: Vec<_> = shares.map(start).collect();
        let mut results = map_all(first_share);
        for (share, thread) in started {
            let share_results = thread.ok().and_then(|thread| thread.join().ok());
            results.extend(share_results.unwrap_or_else(|| map_all(share)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_processed_once_and_in_order() {
        for count in [0, 1, MIN_ITEMS_PER_THREAD, 2 * MIN_ITEMS_PER_THREAD, 5 * MIN_ITEMS_PER_THREAD + 3] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
