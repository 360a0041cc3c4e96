//! What is counted when metrics are asked for: a scrape is rare, and a count kept up by hand could drift.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    api::{
        IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator,
        status::{Condition, HasCore as _, StatusCore, condition},
    },
    cluster::{
        key::ObjectKey,
        metrics::{KindLabels, NameLabels, ObjectLabels},
    },
    controllers::{context::Context, kinds::Managed},
    domain::reasons::IdentityProviderReason as Reason,
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

/// Tells how old keys are: not of suspended objects, for which nobody looks. What is withdrawn, the status tells: this
/// process may not have seen it happen, and keys that could not be looked at for long are not withdrawn yet.
fn tell_ages_of_keys(ctx: &Context) {
    let (verified, stale) = (&ctx.metrics.keys_verified, &ctx.metrics.keys_stale);
    verified.clear();
    stale.clear();
    for age in ctx.fetcher.ages() {
        let object = ctx.world.identity_providers.live(&age.key);
        if object.is_some_and(|object| is_looked_after(object.as_ref())) {
            let labels = labels(&age.key);
            verified.get_or_create(&labels).set(age.verified.as_second());
            if let Some(at) = age.stale.filter(|at| *at > (ctx.clock)()) {
                stale.get_or_create(&labels).set(at.as_second());
            }
        }
    }
    if ctx.metrics.leader.get() == 1 {
        for object in objects::<IdentityProvider>(ctx).into_iter().filter(|object| is_looked_after(object.as_ref())) {
            if let Some(since) = object.status.as_ref().and_then(|status| withdrawn_since(&status.core)) {
                stale.get_or_create(&labels(&object.key())).set(since.as_second());
            }
        }
    }
}

/// Since when keys are withdrawn for what their source did, or did not do. Not where the spec asked for it.
fn withdrawn_since(core: &StatusCore) -> Option<Timestamp> {
    let is_cause = |condition: &&Condition| {
        condition.status == "False"
            && [Reason::KeysStale.as_str(), Reason::PrivateKeyPublished.as_str()].contains(&condition.reason.as_str())
            && condition.type_ != condition::READY
    };
    core.conditions.iter().filter(is_cause).map(|condition| condition.last_transition_time.0).min()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_their_source_lost_are_told_by_the_status_whoever_saw_it_happen() {
        let since = |conditions: &[[&str; 3]]| {
            let conditions: Vec<_> = conditions
                .iter()
                .map(|[type_, status, reason]| {
                    json!({
                        "type": type_, "status": status, "reason": reason, "message": "",
                        "lastTransitionTime": "2030-01-01T00:00:00Z",
                    })
                })
                .collect();
            let core: StatusCore = serde_json::from_value(json!({ "conditions": conditions })).unwrap();
            withdrawn_since(&core).map(|time| time.to_string())
        };
        let then = Some("2030-01-01T00:00:00Z".to_owned());
        let unreachable = ["KeysReachable", "False", "KeysUnreachable"];
        assert_eq!(since(&[unreachable, ["KeysFresh", "False", "KeysStale"]]), then);
        assert_eq!(since(&[["KeysValid", "False", "PrivateKeyPublished"]]), then);
        assert_eq!(since(&[unreachable, ["KeysFresh", "True", "Succeeded"]]), None);
        assert_eq!(since(&[["Active", "False", "Inactive"], ["KeysFresh", "Unknown", "NotEvaluated"]]), None);
        assert_eq!(since(&[["Ready", "False", "PrivateKeyPublished"]]), None);
    }
}
