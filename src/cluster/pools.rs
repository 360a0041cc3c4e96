//! Who may fetch now: quick endpoints among themselves, slow ones a few at a time, so that a dead endpoint only delays
//! others of its kind.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::sync::lock;

/// A fetch that took longer makes its endpoint a slow one.
pub const SLOW: Duration = Duration::from_secs(1);

/// Fetches at the same time from endpoints that were never tried, or were quick the last time; and of these, for one
/// namespace: many dead ones that were never tried come from one hand.
pub const QUICK_SLOTS: (usize, usize) = (64, 16);

/// Fetches at the same time from slow endpoints, and of these, for one namespace.
pub const SLOW_SLOTS: (usize, usize) = (16, 2);

/// The slots for fetches. Clones share them.
#[derive(Clone)]
pub struct Pools {
    quick: Pool,
    slow: Pool,
}

impl Default for Pools {
    fn default() -> Self {
        Self { quick: Pool::new(QUICK_SLOTS), slow: Pool::new(SLOW_SLOTS) }
    }
}

impl Pools {
    /// Waits for a slot, first in turn in its namespace, then with those of others. Who waits for the namespace's holds none
    /// of the others.
    pub async fn enter(&self, namespace: &str, is_slow: bool) -> Permit {
        let pool = if is_slow { &self.slow } else { &self.quick };
        let (user, slots) = pool.user(namespace);
        let of_namespace = slot(&slots).await;
        Permit { _slot: slot(&pool.slots).await, _of_namespace: of_namespace, _user: user }
    }
}

#[derive(Clone)]
struct Pool {
    slots: Arc<Semaphore>,
    of_a_namespace: usize,
    namespaces: Namespaces,
}

/// The slots of each namespace that has fetches, waiting ones among them.
type Namespaces = Arc<Mutex<HashMap<String, Namespace>>>;

struct Namespace {
    slots: Arc<Semaphore>,
    users: usize,
}

/// A slot, until it is dropped.
#[must_use]
pub struct Permit {
    // Given back in this order: nobody may find a namespace forgotten whose slots are still taken.
    _slot: Option<OwnedSemaphorePermit>,
    _of_namespace: Option<OwnedSemaphorePermit>,
    _user: User,
}

/// Keeps a namespace in mind.
struct User {
    namespaces: Namespaces,
    name: String,
}

impl Pool {
    fn new((slots, of_a_namespace): (usize, usize)) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), of_a_namespace, namespaces: Arc::default() }
    }

    fn user(&self, name: &str) -> (User, Arc<Semaphore>) {
        let mut known = lock(&self.namespaces);
        let namespace = known
            .entry(name.to_owned())
            .or_insert_with(|| Namespace { slots: Arc::new(Semaphore::new(self.of_a_namespace)), users: 0 });
        namespace.users = namespace.users.saturating_add(1);
        (User { namespaces: self.namespaces.clone(), name: name.to_owned() }, namespace.slots.clone())
    }
}

/// One of these. None of these semaphores is ever closed.
async fn slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    slots.clone().acquire_owned().await.ok()
}

impl Drop for User {
    fn drop(&mut self) {
        let mut known = lock(&self.namespaces);
        if let Some(namespace) = known.get_mut(&self.name) {
            namespace.users = namespace.users.saturating_sub(1);
            if namespace.users == 0 {
                known.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, future::BoxFuture};

    use super::*;

    /// One that wants a slot, polled once so that it has its place in the queue.
    enum Fetch {
        Runs { _permit: Permit },
        Waits(BoxFuture<'static, Permit>),
    }

    impl Fetch {
        fn start(pools: &Pools, namespace: &str, is_slow: bool) -> Self {
            let (pools, namespace) = (pools.clone(), namespace.to_owned());
            Self::Waits(async move { pools.enter(&namespace, is_slow).await }.boxed()).step()
        }

        fn step(self) -> Self {
            match self {
                Self::Waits(mut future) => match future.as_mut().now_or_never() {
                    Some(permit) => Self::Runs { _permit: permit },
                    None => Self::Waits(future),
                },
                runs @ Self::Runs { .. } => runs,
            }
        }

        fn runs(&self) -> bool {
            matches!(self, Self::Runs { .. })
        }
    }

    fn start(pools: &Pools, count: usize, namespace: &str, is_slow: bool) -> Vec<Fetch> {
        (0..count).map(|_| Fetch::start(pools, namespace, is_slow)).collect()
    }

    /// Lets those go on that can, as often as that lets others.
    fn step(fetches: Vec<Fetch>) -> Vec<Fetch> {
        (0..3).fold(fetches, |fetches, _| fetches.into_iter().map(Fetch::step).collect())
    }

    fn running(fetches: &[Fetch]) -> usize {
        fetches.iter().filter(|fetch| fetch.runs()).count()
    }

    /// Nothing is held and nothing is remembered.
    fn assert_at_rest(pools: &Pools) {
        for (pool, (slots, _)) in [(&pools.quick, QUICK_SLOTS), (&pools.slow, SLOW_SLOTS)] {
            assert_eq!((pool.slots.available_permits(), lock(&pool.namespaces).len()), (slots, 0));
        }
    }

    #[test]
    fn never_tried_ones_have_64_slots_and_those_of_a_namespace_16_of_them() {
        let pools = Pools::default();
        let crowd = start(&pools, 1000, "crowd", false);
        assert_eq!(running(&crowd), 16);
        let mut others: Vec<Fetch> =
            (0..4).flat_map(|number| start(&pools, 16, &format!("namespace-{number}"), false)).collect();
        let per_namespace: Vec<usize> = others.chunks(16).map(running).collect();
        assert_eq!(per_namespace, [16, 16, 16, 0]);
        others.remove(0);
        assert_eq!(running(&step(others)), 48);
        drop(crowd);
        assert_at_rest(&pools);
    }

    #[test]
    fn a_namespace_has_two_slow_ones_at_most_and_eight_namespaces_fill_the_pool() {
        let pools = Pools::default();
        let mut fetches: Vec<Fetch> =
            (0..9).flat_map(|number| start(&pools, 3, &format!("namespace-{number}"), true)).collect();
        let per_namespace: Vec<usize> = fetches.chunks(3).map(running).collect();
        assert_eq!(per_namespace, [2, 2, 2, 2, 2, 2, 2, 2, 0]);
        // The ninth has its turn before the first has another.
        fetches.drain(..2);
        let fetches = step(fetches);
        let per_namespace: Vec<usize> =
            std::iter::once(running(&fetches[..1])).chain(fetches[1..].chunks(3).map(running)).collect();
        assert_eq!(per_namespace, [0, 2, 2, 2, 2, 2, 2, 2, 2]);
        drop(fetches);
        assert_at_rest(&pools);
    }

    #[test]
    fn a_thousand_slow_ones_of_a_namespace_delay_no_other_s_and_no_quick_one() {
        let pools = Pools::default();
        let crowd = start(&pools, 1000, "crowd", true);
        assert_eq!(running(&crowd), 2);
        let others = start(&pools, 2, "other", true);
        let quick = start(&pools, 16, "crowd", false);
        assert_eq!((running(&others), running(&quick)), (2, 16));
        assert_eq!(lock(&pools.slow.namespaces).len(), 2);
        drop((crowd, others, quick));
        assert_at_rest(&pools);
    }

    #[test]
    fn one_that_is_given_up_while_it_waits_leaves_nothing_behind() {
        let pools = Pools::default();
        // Waiting for the namespace's, and for the pool's.
        for others in [0, 8] {
            let taken: Vec<Fetch> =
                (0..others).flat_map(|number| start(&pools, 2, &format!("namespace-{number}"), true)).collect();
            let mut fetches = start(&pools, 5, "a", true);
            assert_eq!(running(&fetches), if others == 0 { 2 } else { 0 });
            fetches.truncate(3);
            drop(fetches.remove(0));
            drop(taken);
            let fetches = step(fetches);
            assert_eq!(running(&fetches), 2);
            drop(fetches);
            assert_at_rest(&pools);
        }
    }

    #[tokio::test]
    async fn whatever_comes_and_goes_the_bounds_hold_and_all_have_their_turn() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        let pools = Pools::default();
        let counts: Arc<[(AtomicUsize, AtomicUsize); 20]> = Arc::default();
        let fetches = (0..2000).map(|number| {
            let (pools, counts) = (pools.clone(), counts.clone());
            tokio::spawn(async move {
                let (now, most) = &counts[number % 20];
                let permit = pools.enter(&(number % 20).to_string(), true).await;
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                assert!(counts.iter().map(|(now, _)| now.load(SeqCst)).sum::<usize>() <= SLOW_SLOTS.0);
                for _ in 0..number % 7 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, SeqCst);
                drop(permit);
            })
        });
        for fetch in fetches.collect::<Vec<_>>() {
            fetch.await.unwrap();
        }
        let most: Vec<usize> = counts.iter().map(|(_, most)| most.load(SeqCst)).collect();
        assert_eq!(most, [2; 20]);
        assert_at_rest(&pools);
    }
}
