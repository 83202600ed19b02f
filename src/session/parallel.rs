//! Work on many things shared out among threads, where it is worth their start.

use std::num::NonZero;
use std::thread::{Builder, available_parallelism, scope};

/// A thread is not started for fewer.
const FEWEST: usize = 512;

/// What `work` makes of each item, in their order. A thread that the system refuses is done without.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let all = |items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    let wanted = items.len() / FEWEST;
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
        for count in [0, 1, FEWEST, 2 * FEWEST, 5 * FEWEST + 3] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
