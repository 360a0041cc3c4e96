//! The verdict on a tenant's secret, after the plan was carried out.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::{
    decide::{self, Plan},
    observe::Observed,
};
use crate::{
    api::{TenantJwtSecret, TenantJwtSecretStatus, tenant_jwt_secret::DeletionPolicy},
    cluster::events::Notice,
    controllers::pipeline::Verdict,
    desired,
    domain::{
        reasons::TenantJwtSecretReason as Reason,
        rotation::{self, Current, Why},
        secret_output::OutputFacts,
        verdict::{Finding, Judgement},
        verdicts::tenant_jwt_secret::{
            ALGORITHM_CONFIGURED, SECRET_CONFIGURED, TENANT_VALID, TenantProblem, last_error,
        },
    },
};

/// Longest wait for the end of a phase, as clocks may be set.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The verdict. `output` is what stands there now.
#[must_use]
pub fn verdict(
    object: &TenantJwtSecret,
    seen: &Observed,
    plan: &Plan,
    output: Option<&OutputFacts>,
) -> Verdict<TenantJwtSecretStatus> {
    let is_own = |output: &&OutputFacts| !decide::is_another_s(object, seen, output);
    let uid = object.uid().unwrap_or_default();
    let served = output.filter(is_own).filter(|output| output.is_ours(&object.spec.tenant_id, &uid));
    let problem = plan.problem.as_ref().map(TenantProblem::problem);
    let mut status = served.map(|output| told(object, seen, plan, output)).unwrap_or_default();
    status.last_error = problem.as_ref().and_then(last_error);
    let order = [
        (TENANT_VALID, "the tenant is this object's to hold"),
        (ALGORITHM_CONFIGURED, "signingAlgorithm is set"),
        (SECRET_CONFIGURED, "the Secret holds a value that obeys the rules"),
    ];
    let failing = plan.problem.as_ref().map(TenantProblem::condition).zip(problem);
    Verdict {
        judgement: Judgement {
            findings: Finding::in_order(&order, failing),
            ready_reason: Reason::Ready.into(),
            ready_message: format!("the secret is in Secret '{}'", desired::secret::name(object)),
        },
        status,
        notices: notices(object, seen, plan),
        requeue: served.and_then(|output| wait(output, plan, seen.now)),
    }
}

fn told(object: &TenantJwtSecret, seen: &Observed, plan: &Plan, output: &OutputFacts) -> TenantJwtSecretStatus {
    let is_owned = output.is_owned_by(&object.uid().unwrap_or_default());
    TenantJwtSecretStatus {
        secret_name: Some(desired::secret::name(object)),
        key_id: output.current.key_id.clone(),
        algorithm: output.current.algorithm.map(|algorithm| algorithm.as_str().to_owned()),
        issued_time: output.issued_at(seen.now).map(Time),
        next_rotation_time: rotation::rotates_at(output, &plan.terms, plan.mode, seen.now).map(Time),
        previous_expires_time: output.previous_until(seen.now).map(Time),
        deletion_policy: Some(if is_owned { DeletionPolicy::Delete } else { DeletionPolicy::Retain }),
        // The Secret can have lost it, and only a write of a value puts it back.
        rotate_token: output.tokens.last().or(plan.terms.honoured.as_ref()).cloned(),
        ..TenantJwtSecretStatus::default()
    }
}

/// Until the next phase begins or ends.
fn wait(output: &OutputFacts, plan: &Plan, now: Timestamp) -> Option<Duration> {
    let until = rotation::wakes_at(output, &plan.terms, plan.mode, now)?;
    // What is due by now and was not done can't be done: the Secret is immutable.
    let wait = Duration::try_from(until.duration_since(now)).ok().filter(|wait| !wait.is_zero())?;
    Some(wait.min(LONGEST_WAIT))
}

/// News of a value that was replaced, made again, or removed; none of a first one.
fn notices(object: &TenantJwtSecret, seen: &Observed, plan: &Plan) -> Vec<Notice> {
    let had_one = object.status.as_ref().is_some_and(|status| status.key_id.is_some());
    let notice =
        |warning, reason: &str, note: &str| Notice { warning, reason: reason.to_owned(), note: note.to_owned() };
    let replaced = match (plan.change.current, &seen.output) {
        (Current::Keep | Current::Describe(_), _) => None,
        (_, None) if !had_one => None,
        (_, None) => Some(notice(true, "SecretGenerated", "the output Secret was lost: it is made again")),
        (Current::New(_, why) | Current::Promote(why), Some(_)) => Some(match why {
            Why::Missing => notice(true, "SecretRepaired", "the value was missing: there is a new one"),
            Why::Broken => notice(true, "SecretRepaired", "the value broke the rules: it is replaced"),
            Why::Algorithm => notice(false, "SecretRotated", "signingAlgorithm changed: there is a new value"),
            Why::Source => notice(false, "SecretRotated", "the referenced value changed: it is published"),
            Why::Rotation => notice(false, "SecretRotated", "there is a new current value"),
        }),
    };
    let removed = plan
        .change
        .removes_previous(seen.output.as_ref())
        .then(|| notice(false, "PreviousSecretRemoved", "the previous value is not published any more"));
    replaced.into_iter().chain(removed).collect()
}
