//! Starts the watches, waits for the gate, runs one controller a kind.

use std::{fmt::Debug, sync::Arc};

use futures::{StreamExt as _, future, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource,
    runtime::{
        controller::{self, Action, Controller},
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    identity_provider,
    kinds::Managed,
    pipeline::{self, Reads, Step},
    queues::{Queue, Requests},
    strategy_instance, tenant_jwt_secret, triggers, user_idp_authenticator,
    world::World,
};
use crate::{
    api::{IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator},
    cluster::{error::Error, gate::Gate, key::ObjectKey, poll::poll, relist::Change, watch::follow},
};

const WATCHES: [&str; 6] =
    ["identityproviders", "tenantjwtsecrets", "useridpauthenticators", "strategyinstances", "secrets", "configmaps"];

/// The watch of claims.
const NAMESPACES: &str = "namespaces";

/// The watches that the gate waits for.
pub fn watches(ctx: &Context) -> impl Iterator<Item = &'static str> {
    WATCHES.into_iter().chain(ctx.world.requires_claims().then_some(NAMESPACES))
}

/// Starts all watches. They end when the set is dropped.
#[must_use]
pub fn watch(ctx: &Arc<Context>, namespaces: &[String], gate: &Gate) -> JoinSet<()> {
    let [idp, tjs, uia, si, secrets, configmaps] = WATCHES;
    let mut tasks = JoinSet::new();
    let watches = Watches { ctx, namespaces, gate };
    watches.start(&mut tasks, idp, triggers::on_change::<IdentityProvider>);
    watches.start(&mut tasks, tjs, triggers::on_change::<TenantJwtSecret>);
    watches.start(&mut tasks, uia, triggers::on_change::<UserIdpAuthenticator>);
    watches.start(&mut tasks, si, triggers::on_change::<StrategyInstance>);
    watches.start(&mut tasks, secrets, triggers::on_secret);
    watches.start(&mut tasks, configmaps, triggers::on_configmap);
    if ctx.world.requires_claims() {
        watches.start_claims(&mut tasks);
    }
    tasks
}

struct Watches<'a> {
    ctx: &'a Arc<Context>,
    namespaces: &'a [String],
    gate: &'a Gate,
}

impl Watches<'_> {
    fn start<K>(&self, tasks: &mut JoinSet<()>, name: &'static str, on: impl Fn(&Context, Change<K>) + Send + 'static)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let ctx = self.ctx.clone();
        let apis = apis::<K>(&ctx.client, self.namespaces);
        let metrics = ctx.metrics.clone();
        tasks.spawn(follow(name, apis, self.gate.clone(), metrics, move |change| {
            on(&ctx, change);
        }));
    }

    /// A Role can allow a read of its own namespace, but neither a list nor a watch: where only some are watched, each of
    /// them is asked for.
    fn start_claims(&self, tasks: &mut JoinSet<()>) {
        let (ctx, gate, metrics) = (self.ctx.clone(), self.gate.clone(), self.ctx.metrics.clone());
        let client = ctx.client.clone();
        let on = move |change| triggers::on_namespace(&ctx, change);
        if self.namespaces.is_empty() {
            tasks.spawn(follow(NAMESPACES, vec![Api::all(client)], gate, metrics, on));
        } else {
            tasks.spawn(poll(NAMESPACES, Api::all(client), self.namespaces.to_vec(), gate, metrics, on));
        }
    }
}

fn apis<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// Runs all controllers until `stop` is cancelled and the reconciles under way have ended.
pub async fn control(ctx: Arc<Context>, concurrency: u16, stop: CancellationToken) {
    let start = Start { ctx, concurrency, stop };
    future::join4(
        start.controller::<IdentityProvider, _, _>(identity_provider::step),
        start.controller::<TenantJwtSecret, _, _>(tenant_jwt_secret::step),
        start.controller::<UserIdpAuthenticator, _, _>(user_idp_authenticator::step),
        start.controller::<StrategyInstance, _, _>(strategy_instance::step),
    )
    .await;
}

struct Start {
    ctx: Arc<Context>,
    concurrency: u16,
    stop: CancellationToken,
}

impl Start {
    async fn controller<K, F, Fut>(&self, step: F)
    where
        K: Managed,
        F: Fn(Arc<K>, Arc<Context>, Reads) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<Step<K::Status>, Error>> + Send + 'static,
    {
        let world = &self.ctx.world;
        let queue = world.queue(K::KIND);
        let Some(requests) = queue.open(self.concurrency.into()) else {
            return;
        };
        // Watched before there was a queue.
        for object in K::objects(world).store().state() {
            world.wake_later(&World::request::<K>(object.key()));
        }
        drive(
            Driven { queue, requests, store: K::objects(world).store(), concurrency: self.concurrency },
            self.stop.clone(),
            self.ctx.clone(),
            move |object, ctx| pipeline::reconcile(object, ctx, step),
            |object, _, ctx| pipeline::error_policy(object.as_ref(), &ctx),
            |key| {
                self.ctx.failures.clear(&World::request::<K>(key));
            },
        )
        .await;
    }
}

/// Objects that are looked at, and in which order.
struct Driven<'a, K: Resource<DynamicType = ()> + Clone + 'static> {
    queue: &'a Queue,
    requests: Requests,
    store: Store<K>,
    concurrency: u16,
}

/// Runs kube's controller on what the queue gives out, until `stop` is cancelled and the looks under way have ended.
async fn drive<K, C, E, Fut>(
    driven: Driven<'_, K>,
    stop: CancellationToken,
    ctx: Arc<C>,
    look: impl Fn(Arc<K>, Arc<C>) -> Fut,
    error_policy: impl Fn(Arc<K>, &E, Arc<C>) -> Action,
    missing: impl Fn(ObjectKey),
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    E: std::error::Error + Send + 'static,
    C: Send + Sync + 'static,
    Fut: Future<Output = Result<Action, E>> + Send + 'static,
{
    let Driven { queue, requests, store, concurrency } = driven;
    let requests = requests.map(|key| ObjectRef::new(&key.name).within(&key.namespace));
    // Our own watches fill the store and the queue: they know of deletions that a relist shows, and of relations.
    Controller::for_stream(stream::pending::<Result<K, watcher::Error>>(), store)
        .reconcile_on(requests)
        .with_config(controller::Config::default().concurrency(concurrency))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            |object, ctx| {
                let ended = EndOfLook { queue: queue.clone(), key: ObjectKey::of(object.as_ref()) };
                let look = look(object, ctx);
                async move {
                    let _ended = ended;
                    look.await
                }
            },
            error_policy,
            ctx,
        )
        .for_each(|result| {
            if let Err(controller::Error::ObjectNotFound(gone)) = result {
                let key = ObjectKey::new(gone.namespace.unwrap_or_default(), gone.name);
                queue.ended(&key);
                missing(key);
            }
            future::ready(())
        })
        .await;
}

/// Tells the queue, however the look ends.
struct EndOfLook {
    queue: Queue,
    key: ObjectKey,
}

impl Drop for EndOfLook {
    fn drop(&mut self) {
        self.queue.ended(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex, time::Duration};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;
    use crate::{
        cluster::objects::Objects,
        controllers::{queues::Cause, world::Relation},
    };

    const CONCURRENCY: u16 = 16;

    /// Looks at what is pushed, each for some milliseconds, until one of this name; `before` is told how many looks began.
    /// Returns the names in the order in which looks began.
    async fn looked_at(objects: &Objects<ConfigMap>, last: &str, before: impl Fn(&Queue, usize) + Sync) -> Vec<String> {
        let (queue, began, stop) = (Queue::default(), Mutex::new(Vec::new()), CancellationToken::new());
        let began = Arc::new(began);
        let requests = queue.open(CONCURRENCY.into()).unwrap();
        before(&queue, 0);
        let driven = Driven { queue: &queue, requests, store: objects.store(), concurrency: CONCURRENCY };
        let look = |object: Arc<ConfigMap>, began: Arc<Mutex<Vec<String>>>| {
            let name = object.metadata.name.clone().unwrap();
            let count = {
                let mut began = began.lock().unwrap();
                began.push(name.clone());
                began.len()
            };
            before(&queue, count);
            if name == last {
                stop.cancel();
            }
            async move {
                tokio::time::sleep(Duration::from_millis(rand::random_range(4..40))).await;
                Ok::<_, Infallible>(Action::await_change())
            }
        };
        let policy = |_, _: &Infallible, _| Action::await_change();
        let run = drive(driven, stop.clone(), began.clone(), look, policy, drop);
        tokio::time::timeout(Duration::from_mins(1), run).await.unwrap();
        std::mem::take(&mut *began.lock().unwrap())
    }

    fn objects(names: impl Iterator<Item = String>) -> Objects<ConfigMap> {
        let objects = Objects::default();
        for name in names {
            let metadata = ObjectMeta { namespace: Some("ns".into()), name: Some(name), ..ObjectMeta::default() };
            objects.apply(ConfigMap { metadata, ..ConfigMap::default() });
        }
        objects
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_object_is_looked_at_in_the_midst_of_a_flood_whenever_it_comes() {
        let flood: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let objects = objects(flood.iter().cloned().chain(["new".to_owned()]));
        let cause = Cause::Related(Relation::NeedsIdp(ObjectKey::new("ns", "idp")));
        let is_flooded = |queue: &Queue| flood.iter().for_each(|name| queue.push(&cause, &ObjectKey::new("ns", name)));
        for comes in (1..40).chain([100, 400]) {
            let began = looked_at(&objects, "new", |queue, count| match count {
                0 => is_flooded(queue),
                count if count == comes => queue.push(&Cause::Itself, &ObjectKey::new("ns", "new")),
                _ => {}
            })
            .await;
            assert!(began.len() <= comes + usize::from(CONCURRENCY) + 2, "came at {comes}, was the {}th", began.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_before_it_is_looked_at_takes_no_room() {
        let gone = |queue: &Queue| {
            (0..100).for_each(|number| queue.push(&Cause::Itself, &ObjectKey::new("ns", number.to_string())));
            queue.push(&Cause::Itself, &ObjectKey::new("ns", "there"));
        };
        let began = looked_at(&objects(["there".to_owned()].into_iter()), "there", |queue, count| {
            if count == 0 {
                gone(queue);
            }
        })
        .await;
        assert_eq!(began, ["there"]);
    }
}
