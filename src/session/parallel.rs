//! Maps long lists on several threads.

use std::num::NonZero;
use std::thread::{Builder, available_parallelism, scope};

/// Minimum number of items per thread.
const MIN_ITEMS_PER_THREAD: usize = 512;

/// Returns the results of `work` for each item, in order. If the system refuses a thread, the calling thread does that
/// thread's share.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let all = |items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    let wanted = items.len() / MIN_ITEMS_PER_THREAD;
    if wanted < 2 {
        return all(items);
    }
    let threads = available_parallelism().map_or(1, NonZero::get).min(wanted);
    let mut shares = items.chunks(items.len().div_ceil(threads));
    let own = shares.next().unwrap_or_default();
    scope(|scope| {
        let start = |share| (share, Builder::new().spawn_scoped(scope, move || all(share)));
        let started: Vec<_> = shares.map(start).collect();
        let mut done = all(own);
        for (share, thread) in started {
            let joined = thread.ok().and_then(|thread| thread.join().ok());
            done.extend(joined.unwrap_or_else(|| all(share)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_in_order() {
        for count in [0, 1, MIN_ITEMS_PER_THREAD, 2 * MIN_ITEMS_PER_THREAD, 5 * MIN_ITEMS_PER_THREAD + 3] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
