//! Starts the watches, waits for the gate, runs one controller a kind.

use std::{fmt::Debug, sync::Arc};

use futures::{StreamExt as _, future, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource,
    runtime::{
        controller::{self, Controller},
        reflector::ObjectRef,
        watcher,
    },
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    identity_provider,
    kinds::Managed,
    pipeline::{self, Reads, Step},
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
        let Some(queue) = world.open_queue(K::KIND, self.concurrency) else {
            return;
        };
        // Watched before there was a queue.
        for object in K::objects(world).store().state() {
            world.wake_later(&World::request::<K>(object.key()));
        }
        let requests = queue.map(|key| ObjectRef::new(&key.name).within(&key.namespace));
        // Our own watches fill the store and the queue: they know of deletions that a relist shows, and of relations.
        Controller::for_stream(stream::pending::<Result<K, watcher::Error>>(), K::objects(&self.ctx.world).store())
            .reconcile_on(requests)
            .with_config(controller::Config::default().concurrency(self.concurrency))
            .graceful_shutdown_on(self.stop.clone().cancelled_owned())
            .run(
                move |object, ctx| pipeline::reconcile(object, ctx, step),
                |object, _, ctx| pipeline::error_policy(object.as_ref(), &ctx),
                self.ctx.clone(),
            )
            .for_each(|result| {
                if let Err(controller::Error::ObjectNotFound(missing)) = result {
                    let key = ObjectKey::new(missing.namespace.unwrap_or_default(), missing.name);
                    world.started(&World::request::<K>(key));
                }
                future::ready(())
            })
            .await;
    }
}
