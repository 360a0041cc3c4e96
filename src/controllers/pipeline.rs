//! The flow that all kinds share, around each kind's own observe → decide → apply:
//!
//! ```text
//! being deleted? ── yes ─▶ nothing
//! suspended? ────── yes ─▶ report: the verdict as it was, Suspended=True
//! observe → decide → apply (raced: again, with live reads)
//!    │ failed ─▶ report: Ready=Unknown (2nd failure in a row, or a new generation) ─▶ back-off
//!    ▼
//! Events of what was done; report: status, if it differs; then an Event, if the verdict changed
//! ```

use std::{sync::Arc, time::Duration};

use kube::runtime::controller::Action;

use super::{
    context::{Context, Failed},
    kinds::Managed,
    world::World,
};
use crate::{
    api::status::{HasCore as _, StatusCore, condition},
    cluster::{
        error::Error,
        events::Notice,
        key::ObjectKey,
        metrics::{KindLabels, ReconcileLabels},
        report::report,
    },
    desired::status::{self, Subject},
    domain::{key_source::LONGEST_TURN, schedule, verdict::Judgement},
};

/// Bound on a reconcile, all its calls included. An API server that hangs ends none.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Bound on telling of a failed one.
const TELL: Duration = Duration::from_secs(10);

/// Attempts in one reconcile while others change the same objects.
const ATTEMPTS: u32 = 3;

/// Whether to believe the watches, or to ask the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The watches are believed: no call where they say that there is nothing.
    Watched,
    /// They were wrong: ask.
    Live,
}

/// What a look at an object came to.
#[derive(Debug)]
pub enum Step<S> {
    /// Something is on its way and will wake the object: nothing is said until then. Looked at again after a while all the
    /// same, as it may be long in coming.
    Wait,
    /// What was said stands until something else changes, which wakes the object.
    Rest,
    /// A verdict.
    Judged(Box<Verdict<S>>),
}

/// A verdict and all that goes with it.
#[derive(Debug)]
pub struct Verdict<S> {
    /// What was found.
    pub judgement: Judgement,
    /// The kind's own fields of the status; the shared part is filled in from the judgement.
    pub status: S,
    /// News beside the verdict itself.
    pub notices: Vec<Notice>,
    /// When to look again if nothing happens.
    pub requeue: Option<Duration>,
}

impl<S> From<Verdict<S>> for Step<S> {
    fn from(verdict: Verdict<S>) -> Self {
        Self::Judged(Box::new(verdict))
    }
}

/// Reconciles one object.
///
/// # Errors
/// When calls to the API server fail; that is in the object's status by then, as far as it could be written.
pub async fn reconcile<K, F, Fut>(object: Arc<K>, ctx: Arc<Context>, step: F) -> Result<Action, Error>
where
    K: Managed,
    F: Fn(Arc<K>, Arc<Context>, Reads) -> Fut,
    Fut: Future<Output = Result<Step<K::Status>, Error>>,
{
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let request = World::request::<K>(object.key());
    let started = std::time::Instant::now();
    let result = match bounded(DEADLINE, run(&object, &ctx, step)).await {
        Err(Error::NamespaceTerminating) => Ok(Action::await_change()),
        result => result,
    };
    let kind = K::KIND.as_str();
    let label = match &result {
        Ok(_) => "ok",
        Err(Error::Raced { .. }) => "raced",
        Err(_) => "error",
    };
    ctx.metrics.reconciles.get_or_create(&ReconcileLabels { kind, result: label }).inc();
    ctx.metrics
        .reconcile_duration
        .get_or_create(&KindLabels { kind: kind.to_owned() })
        .observe(started.elapsed().as_secs_f64());
    match &result {
        Ok(_) => {
            if ctx.failures.clear(&request) {
                let ObjectKey { namespace, name } = &request.key;
                tracing::info!(kind, %namespace, %name, "reconcile works again");
            }
        }
        Err(error) => {
            let failed = ctx.failures.add(&request, error.to_string());
            let (ObjectKey { namespace, name }, failures) = (&request.key, failed.count);
            // The metric counts each; the log has each cause once, as it could be the same for all objects for days.
            if failed.is_news {
                tracing::warn!(kind, %namespace, %name, %error, failures, "reconcile failed, trying on");
            } else {
                tracing::debug!(kind, %namespace, %name, %error, failures, "reconcile failed again, trying on");
            }
            tell_failure(object.as_ref(), &ctx, error, failed).await;
        }
    }
    result
}

/// When to try again after a failure.
pub fn error_policy<K: Managed>(object: &K, ctx: &Context) -> Action {
    let failures = ctx.failures.count(&World::request::<K>(object.key()));
    Action::requeue(schedule::backoff(failures, rand::random()))
}

async fn bounded<T>(bound: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(bound, work).await.unwrap_or(Err(Error::Deadline(bound)))
}

async fn run<K, F, Fut>(object: &Arc<K>, ctx: &Arc<Context>, step: F) -> Result<Action, Error>
where
    K: Managed,
    F: Fn(Arc<K>, Arc<Context>, Reads) -> Fut,
    Fut: Future<Output = Result<Step<K::Status>, Error>>,
{
    let old = object.status().cloned().unwrap_or_default();
    if object.is_suspended() {
        let core = status::suspended(old.core(), subject(object.as_ref(), ctx));
        write(object.as_ref(), ctx, &old, with_core(old.clone(), core)).await?;
        return Ok(Action::await_change());
    }
    match attempt(|reads| step(object.clone(), ctx.clone(), reads)).await? {
        Step::Wait => Ok(Action::requeue(LONGEST_TURN)),
        Step::Rest => Ok(Action::await_change()),
        Step::Judged(verdict) => {
            // Of what was done; before the status, as nobody would know of it any more if that could not be written.
            for notice in &verdict.notices {
                ctx.events.publish(notice, &object.object_ref(&())).await;
            }
            let core = status::judged(old.core(), &verdict.judgement, subject(object.as_ref(), ctx));
            write(object.as_ref(), ctx, &old, with_core(verdict.status, core)).await?;
            Ok(verdict.requeue.map_or_else(Action::await_change, Action::requeue))
        }
    }
}

/// observe → decide → apply, again with live reads where somebody else was faster.
async fn attempt<S, Fut>(step: impl Fn(Reads) -> Fut) -> Result<Step<S>, Error>
where
    Fut: Future<Output = Result<Step<S>, Error>>,
{
    let mut reads = Reads::Watched;
    for _ in 1..ATTEMPTS {
        match step(reads).await {
            Err(Error::Raced { .. }) => reads = Reads::Live,
            result => return result,
        }
    }
    step(reads).await
}

/// Writes the status if it differs, then tells of a changed verdict.
async fn write<K: Managed>(object: &K, ctx: &Context, old: &K::Status, new: K::Status) -> Result<(), Error> {
    if *old == new {
        return Ok(());
    }
    let reporting = ctx.world.reporting(World::request::<K>(object.key()));
    let Some(written) = report(&ctx.client, K::KIND.as_str(), object, &new).await? else { return Ok(()) };
    let changed = reporting.written(written);
    if let Some(new) = changed.new {
        K::after_change(ctx, changed.old.as_deref(), Some(&new));
    }
    if let Some(notice) = verdict_change(old.core(), new.core()) {
        let (kind, ObjectKey { namespace, name }) = (K::KIND.as_str(), object.key());
        tracing::info!(kind, %namespace, %name, reason = notice.reason, "verdict changed");
        ctx.events.publish(&notice, &object.object_ref(&())).await;
    }
    Ok(())
}

/// Tells of a failure in the status. That may fail for the same cause; then the log and the metrics have it.
async fn tell_failure<K: Managed>(object: &K, ctx: &Context, error: &Error, failed: Failed) {
    let old = object.status().cloned().unwrap_or_default();
    let is_new_generation = old.core().generation() != object.meta().generation.unwrap_or_default();
    if failed.count < 2 && !is_new_generation {
        return;
    }
    let why = error.to_string();
    let problem = K::internal_error(&why);
    let core = status::failed(old.core(), &problem, subject(object, ctx));
    let mut new = with_core(old.clone(), core);
    K::note_failure(&mut new, &problem);
    if let Err(error) = bounded(TELL, write(object, ctx, &old, new)).await {
        // Told at the second time at the latest; where the status itself is what fails, all is said already.
        let (kind, ObjectKey { namespace, name }) = (K::KIND.as_str(), object.key());
        if failed.count <= 2 && error.to_string() != why {
            tracing::warn!(kind, %namespace, %name, %error, "could not tell of the failure in the status");
        } else {
            tracing::debug!(kind, %namespace, %name, %error, "could not tell of the failure in the status again");
        }
    }
}

fn subject<'a, K: Managed>(object: &'a K, ctx: &Context) -> Subject<'a> {
    Subject {
        uid: object.meta().uid.as_deref().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        now: ctx.now(),
    }
}

fn with_core<S: crate::api::status::HasCore>(mut status: S, core: StatusCore) -> S {
    *status.core_mut() = core;
    status
}

/// News of `Ready`, if there are any: none for a first verdict that is good, and none for `Unknown`, which is no verdict.
fn verdict_change(old: &StatusCore, new: &StatusCore) -> Option<Notice> {
    let ready = new.condition(condition::READY).filter(|ready| ready.status != "Unknown")?;
    let before = old.condition(condition::READY).filter(|before| before.status != "Unknown");
    let is_news = match before {
        Some(before) => before.status != ready.status || before.reason != ready.reason,
        None => ready.status != "True",
    };
    is_news.then(|| Notice {
        warning: ready.status != "True",
        reason: ready.reason.to_string(),
        note: ready.message.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;

    use super::*;
    use crate::api::status::Condition;

    #[tokio::test]
    async fn who_was_overtaken_looks_again_with_live_reads_and_gives_up_at_the_third_time() {
        let seen = std::sync::Mutex::new(Vec::new());
        let result = attempt(|reads| {
            seen.lock().unwrap().push(reads);
            async { Err::<Step<()>, _>(Error::Raced { kind: "Secret", name: "a".into() }) }
        });
        assert!(matches!(result.await, Err(Error::Raced { .. })));
        assert_eq!(*seen.lock().unwrap(), [Reads::Watched, Reads::Live, Reads::Live]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_outlasts_its_deadline() {
        let started = tokio::time::Instant::now();
        let result = bounded(DEADLINE, std::future::pending::<Result<(), Error>>()).await;
        assert!(matches!(result, Err(Error::Deadline(_))));
        assert_eq!(started.elapsed(), DEADLINE);
    }

    fn core(ready: Option<(&str, &str)>) -> StatusCore {
        let condition = ready.map(|(status, reason)| Condition {
            type_: "Ready".into(),
            status: status.into(),
            reason: reason.into(),
            message: format!("because {reason}").into(),
            observed_generation: Some(1),
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        });
        StatusCore { conditions: condition.into_iter().collect(), ..StatusCore::default() }
    }

    #[rstest]
    #[case::first_good(None, Some(("True", "Ready")), None)]
    #[case::first_bad(None, Some(("False", "A")), Some((true, "A")))]
    #[case::good_again(Some(("False", "A")), Some(("True", "Ready")), Some((false, "Ready")))]
    #[case::another_cause(Some(("False", "A")), Some(("False", "B")), Some((true, "B")))]
    #[case::same_cause(Some(("False", "A")), Some(("False", "A")), None)]
    #[case::calls_failed(Some(("True", "Ready")), Some(("Unknown", "InternalError")), None)]
    #[case::calls_work_again(Some(("Unknown", "InternalError")), Some(("True", "Ready")), None)]
    #[case::bad_after_calls_failed(Some(("Unknown", "InternalError")), Some(("False", "A")), Some((true, "A")))]
    fn only_a_changed_verdict_is_news(
        #[case] old: Option<(&str, &str)>,
        #[case] new: Option<(&str, &str)>,
        #[case] expected: Option<(bool, &str)>,
    ) {
        let expected = expected.map(|(warning, reason)| Notice {
            warning,
            reason: reason.into(),
            note: format!("because {reason}"),
        });
        assert_eq!(verdict_change(&core(old), &core(new)), expected);
    }
}
