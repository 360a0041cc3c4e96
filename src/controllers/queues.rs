//! Objects to be looked at again, and in which order.
//!
//! kube's scheduler starts whatever is due in no order at all, so behind a flood of thousands something new could wait for
//! all of them. It is given no more than it can run at once; the rest waits here. Every other turn is for objects that changed
//! themselves; in both halves namespaces take turns, and in a namespace the causes of floods. (The priority queue of
//! Kubernetes' controller-runtime is for the same.) What is to be looked at again after a while, by a timer or after a
//! failure, kube keeps itself: when thousands of these are due at once, as after an outage, what is new waits among them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures::Stream;

use super::world::Relation;
use crate::{
    api::text::Text,
    cluster::{
        key::{Kind, ObjectKey},
        sync::lock,
    },
};

/// Why an object is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It changed itself, or what it waits for has come.
    Itself,
    /// A Secret or ConfigMap changed that it reads or writes.
    Content,
    /// Something else that it depends on changed.
    Related(Relation),
    /// Another catalogue of strategy types is in force.
    Catalogue,
    /// Another object of its kind changed, or the operator started.
    Others,
}

/// One queue a kind.
#[derive(Default)]
pub struct Queues {
    identity_providers: Queue,
    tenant_jwt_secrets: Queue,
    user_idp_authenticators: Queue,
    strategy_instances: Queue,
}

impl Queues {
    /// The queue of this kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &Queue {
        match kind {
            Kind::IdentityProvider => &self.identity_providers,
            Kind::TenantJwtSecret => &self.tenant_jwt_secrets,
            Kind::UserIdpAuthenticator => &self.user_idp_authenticators,
            Kind::StrategyInstance => &self.strategy_instances,
        }
    }
}

/// The queue of one kind. Until it is opened it takes nothing: the queue of a standby would only grow.
#[derive(Clone, Default)]
pub struct Queue(Arc<Mutex<Option<Waiting>>>);

impl Queue {
    /// Opens the queue for its one reader, to whom it gives out at most `room` keys at once: others when looks at these have
    /// [ended](Self::ended). Nothing if it is open already.
    #[must_use]
    pub fn open(&self, room: usize) -> Option<Requests> {
        let mut waiting = lock(&self.0);
        let is_closed = waiting.is_none();
        is_closed.then(|| {
            *waiting = Some(Waiting { room, ..Waiting::default() });
            Requests(self.clone())
        })
    }

    /// Has an object looked at. Once, however often it is asked for before that for the same cause.
    pub fn push(&self, cause: &Cause, key: &ObjectKey) {
        if let Some(waiting) = lock(&self.0).as_mut() {
            waiting.push(cause, key);
        }
    }

    /// The look at this object has ended, or there is no such object: there is room for another. Not when it begins: kube
    /// would have more than it can run, and start them in no order.
    pub fn ended(&self, key: &ObjectKey) {
        if let Some(waiting) = lock(&self.0).as_mut()
            && waiting.given_out.remove(key)
        {
            waiting.wake();
        }
    }
}

/// What the reader of a queue reads. It never ends.
pub struct Requests(Queue);

impl Stream for Requests {
    type Item = ObjectKey;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ObjectKey>> {
        let mut waiting = lock(&self.0.0);
        let Some(waiting) = waiting.as_mut() else { return Poll::Ready(None) };
        if let Some(key) = waiting.pop() {
            return Poll::Ready(Some(key));
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

#[derive(Default)]
struct Waiting {
    changed: Turns<Text, Lane<ObjectKey>>,
    background: Turns<Text, Turns<Cause, Lane<ObjectKey>>>,
    is_background_s_turn: bool,
    given_out: HashSet<ObjectKey>,
    room: usize,
    reader: Option<Waker>,
}

impl Waiting {
    fn push(&mut self, cause: &Cause, key: &ObjectKey) {
        match cause {
            Cause::Itself => self.changed.of(&key.namespace),
            cause => self.background.of(&key.namespace).of(cause),
        }
        .push(key);
        self.wake();
    }

    fn pop(&mut self) -> Option<ObjectKey> {
        if self.given_out.len() >= self.room {
            return None;
        }
        let key = if self.is_background_s_turn {
            self.background.pop().or_else(|| self.changed.pop())
        } else {
            self.changed.pop().or_else(|| self.background.pop())
        }?;
        self.is_background_s_turn = !self.is_background_s_turn;
        self.given_out.insert(key.clone());
        Some(key)
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// What items wait in.
trait Waits {
    type Item;
    fn pop(&mut self) -> Option<Self::Item>;
    fn is_empty(&self) -> bool;
}

/// Items in the order in which they came, each once.
struct Lane<T> {
    order: VecDeque<T>,
    items: HashSet<T>,
}

/// Those that take turns. None of them is empty.
struct Turns<L, W> {
    order: VecDeque<L>,
    waiting: HashMap<L, W>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { order: VecDeque::new(), items: HashSet::new() }
    }
}

impl<L, W> Default for Turns<L, W> {
    fn default() -> Self {
        Self { order: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<T: Hash + Eq + Clone> Lane<T> {
    fn push(&mut self, item: &T) {
        if self.items.insert(item.clone()) {
            self.order.push_back(item.clone());
        }
    }
}

impl<L: Hash + Eq + Clone, W: Default> Turns<L, W> {
    /// The one of this name, into which something must be put now.
    fn of(&mut self, name: &L) -> &mut W {
        self.waiting.entry(name.clone()).or_insert_with(|| {
            self.order.push_back(name.clone());
            W::default()
        })
    }
}

impl<T: Hash + Eq> Waits for Lane<T> {
    type Item = T;

    fn pop(&mut self) -> Option<T> {
        let item = self.order.pop_front()?;
        self.items.remove(&item);
        Some(item)
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<L: Hash + Eq, W: Waits> Waits for Turns<L, W> {
    type Item = W::Item;

    fn pop(&mut self) -> Option<W::Item> {
        let name = self.order.pop_front()?;
        let waiting = self.waiting.get_mut(&name)?;
        let item = waiting.pop();
        if waiting.is_empty() {
            self.waiting.remove(&name);
        } else {
            self.order.push_back(name);
        }
        item
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
impl Requests {
    /// Names of all that wait, as if each look ended at once.
    pub fn drain(&mut self) -> Vec<String> {
        let mut waiting = lock(&self.0.0);
        let next = || {
            let waiting = waiting.as_mut()?;
            waiting.given_out.clear();
            waiting.pop()
        };
        std::iter::from_fn(next).map(|key| key.name.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};
    use proptest::prelude::*;

    use super::*;

    fn key(namespace: &str, number: usize) -> ObjectKey {
        ObjectKey::new(namespace, number.to_string())
    }

    fn idp(name: &str) -> Cause {
        Cause::Related(Relation::NeedsIdp(ObjectKey::new("a", name)))
    }

    #[test]
    fn something_new_waits_for_no_flood_and_no_flood_for_what_is_new() {
        let queue = Queue::default();
        let mut requests = queue.open(100).unwrap();
        for number in 0..5000 {
            queue.push(&idp("flood"), &key("a", number));
        }
        queue.push(&idp("drop"), &key("a", 6000));
        for number in 7000..7003 {
            queue.push(&Cause::Itself, &key("a", number));
        }
        queue.push(&Cause::Itself, &key("b", 8000));
        queue.push(&Cause::Others, &key("c", 9000));
        let order: Vec<String> = requests.drain().into_iter().take(10).collect();
        assert_eq!(order, ["7000", "0", "8000", "9000", "7001", "6000", "7002", "1", "2", "3"]);
    }

    #[test]
    fn only_so_many_are_given_out_at_once() {
        let queue = Queue::default();
        let mut requests = queue.open(2).unwrap();
        for number in 0..4 {
            queue.push(&Cause::Itself, &key("a", number));
        }
        let mut next = || requests.next().now_or_never().flatten().map(|key| key.name.to_string());
        assert_eq!([next(), next(), next()], [Some("0".into()), Some("1".into()), None]);
        queue.ended(&key("a", 1));
        assert_eq!([next(), next()], [Some("2".into()), None]);
        // Looked at for another reason, when it was not waited for: no room by that.
        queue.ended(&key("a", 1));
        assert_eq!(next(), None);
        queue.ended(&key("a", 0));
        queue.ended(&key("a", 2));
        assert_eq!([next(), next()], [Some("3".into()), None]);
    }

    #[tokio::test]
    async fn its_reader_is_woken_by_what_comes_and_by_room() {
        let queue = Queue::default();
        let mut requests = queue.open(1).unwrap();
        let reader = tokio::spawn(async move { [requests.next().await, requests.next().await] });
        tokio::task::yield_now().await;
        queue.push(&Cause::Itself, &key("a", 0));
        queue.push(&Cause::Itself, &key("a", 1));
        tokio::task::yield_now().await;
        queue.ended(&key("a", 0));
        assert_eq!(reader.await.unwrap(), [Some(key("a", 0)), Some(key("a", 1))]);
    }

    #[test]
    fn it_takes_nothing_until_it_is_opened_and_is_opened_once() {
        let queue = Queue::default();
        queue.push(&Cause::Itself, &key("a", 0));
        let mut requests = queue.open(1).unwrap();
        assert!(queue.open(1).is_none());
        assert_eq!(requests.drain(), Vec::<String>::new());
    }

    #[test]
    fn a_flood_in_one_namespace_by_causes_of_its_own_delays_no_other() {
        let queue = Queue::default();
        let mut requests = queue.open(16).unwrap();
        for number in 0..5000 {
            queue.push(&idp(&number.to_string()), &key("a", number));
        }
        queue.push(&Cause::Others, &key("b", 6000));
        queue.push(&Cause::Content, &key("c", 7000));
        assert_eq!(requests.drain()[..3], ["0", "6000", "7000"]);
    }

    proptest! {
        /// Nothing is lost, nothing comes twice in a lane, a lane is in order, and no lane waits for more than one turn of
        /// each other.
        #[test]
        fn lanes_take_turns(pushes in proptest::collection::vec((0u8..5, 0u8..20), 0..200)) {
            let mut lanes = Turns::<u8, Lane<(u8, u8)>>::default();
            let mut expected: HashMap<u8, Vec<u8>> = HashMap::new();
            for (lane, item) in pushes {
                lanes.of(&lane).push(&(lane, item));
                let items = expected.entry(lane).or_default();
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            let popped: Vec<(u8, u8)> = std::iter::from_fn(|| lanes.pop()).collect();
            prop_assert!(lanes.waiting.is_empty() && lanes.is_empty());
            for (lane, items) in &expected {
                let got: Vec<u8> = popped.iter().filter(|(of, _)| of == lane).map(|(_, item)| *item).collect();
                prop_assert_eq!(&got, items);
                let at: Vec<usize> = (0..popped.len()).filter(|position| popped[*position].0 == *lane).collect();
                prop_assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= expected.len()));
            }
        }
    }
}
