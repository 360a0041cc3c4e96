//! What is counted when metrics are asked for: a scrape is rare, and a count kept up by hand could drift.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    api::{
        IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator,
        status::{HasCore as _, condition},
    },
    cluster::{
        key::ObjectKey,
        metrics::{KindLabels, NameLabels, ObjectLabels},
    },
    controllers::{context::Context, kinds::Managed},
};

/// Brings all that is counted by looking up to date. Series of objects that are gone go.
pub fn look(ctx: &Context) {
    count::<IdentityProvider>(ctx);
    count::<TenantJwtSecret>(ctx);
    count::<UserIdpAuthenticator>(ctx);
    count::<StrategyInstance>(ctx);
    tell_ages_of_keys(ctx);
    foresee_rotations(ctx);
    for (kind, heard) in ctx.metrics.signs_of_life.oldest() {
        ctx.metrics.watch_last_event.get_or_create(&KindLabels { kind }).set(heard.as_second());
    }
}

/// Counts objects by `Ready`, and those that can't be read. Tells since when the first of them is not Ready.
fn count<K: Managed>(ctx: &Context) {
    let mut counts = [("True", 0i64), ("False", 0), ("Unknown", 0)];
    let mut since: Option<Timestamp> = None;
    for object in objects::<K>(ctx) {
        let ready = object.status().and_then(|status| status.core().condition(condition::READY));
        let status = ready.map_or("Unknown", |ready| ready.status.as_str());
        if let Some((_, count)) = counts.iter_mut().find(|(label, _)| *label == status) {
            *count += 1;
        }
        if status != "True" && is_looked_after(object.as_ref()) {
            let created = object.meta().creation_timestamp.as_ref();
            let from = ready.map(|ready| &ready.last_transition_time).or(created).map(|time| time.0);
            since = since.into_iter().chain(from).min();
        }
    }
    let (metrics, kind) = (&ctx.metrics, K::KIND.as_str());
    for (ready, count) in counts {
        metrics.objects.get_or_create(&ObjectLabels { kind, ready }).set(count);
    }
    let labels = KindLabels { kind: kind.to_owned() };
    match since {
        Some(since) => {
            metrics.not_ready_since.get_or_create(&labels).set(since.as_second());
        }
        None => {
            metrics.not_ready_since.remove(&labels);
        }
    }
    let unreadable = i64::try_from(ctx.unreadable.count(K::KIND)).unwrap_or(i64::MAX);
    metrics.unreadable_objects.get_or_create(&labels).set(unreadable);
}

/// Tells how old keys are: not of suspended objects, for which nobody looks.
fn tell_ages_of_keys(ctx: &Context) {
    let (verified, stale) = (&ctx.metrics.keys_verified, &ctx.metrics.keys_stale);
    verified.clear();
    stale.clear();
    for age in ctx.fetcher.ages() {
        let object = ctx.world.identity_providers.live(&age.key);
        if object.is_some_and(|object| is_looked_after(object.as_ref())) {
            let labels = labels(&age.key);
            verified.get_or_create(&labels).set(age.verified.as_second());
            stale.get_or_create(&labels).set(age.stale.as_second());
        }
    }
}

/// Tells when secrets rotate, as their status has it: not of suspended objects, whose time passes with nothing done.
fn foresee_rotations(ctx: &Context) {
    let metric = &ctx.metrics.secret_next_rotation;
    metric.clear();
    for object in objects::<TenantJwtSecret>(ctx).into_iter().filter(|object| is_looked_after(object.as_ref())) {
        if let Some(next) = object.status.as_ref().and_then(|status| status.next_rotation_time.as_ref()) {
            metric.get_or_create(&labels(&object.key())).set(next.0.as_second());
        }
    }
}

fn objects<K: Managed>(ctx: &Context) -> Vec<Arc<K>> {
    K::objects(&ctx.world).store().state()
}

fn is_looked_after<K: Managed>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_none() && !object.is_suspended()
}

fn labels(key: &ObjectKey) -> NameLabels {
    NameLabels { namespace: key.namespace.to_string(), name: key.name.to_string() }
}
