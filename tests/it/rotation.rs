//! Rotation on the real API server: which value signs, which one did before, which one will next, and until when.

mod age;
mod held;
mod lead;
mod overlaps;
mod planted;
mod referenced;
mod token;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{
    Operator, Scene, Tenant,
    tenant::{Values, now},
};

/// A spec's `rotation`.
fn rotation(lead_time: &str, grace_period: &str) -> Value {
    json!({ "rotation": { "leadTime": lead_time, "gracePeriod": grace_period } })
}

/// A next value waits for an hour.
async fn leading(tenant: &Tenant<'_>) -> Values {
    tenant.ready(rotation("1h", "2h")).await;
    tenant.rotate("lead").await;
    tenant.settled(|values| values.next.is_some()).await.1
}

/// Times are whole seconds, rounded up: so much later than it was between `from` and now.
fn is_later_by(time: Timestamp, from: Timestamp, seconds: i64) -> bool {
    let by = SignedDuration::from_secs(seconds);
    time >= from + by && time <= now() + by + SignedDuration::from_secs(1)
}

/// The metric on the tenant's next rotation; 0 where there is none.
async fn foreseen(operator: &Operator, scene: &Scene, name: &str) -> f64 {
    let labels = [format!("namespace=\"{}\"", scene.namespace), format!("name=\"{name}\"")];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    operator.metric("idp_operator_secret_next_rotation_timestamp_seconds", &labels).await
}

/// As the metric has it.
fn unix(time: Timestamp) -> f64 {
    #[allow(clippy::cast_precision_loss)] // seconds
    let seconds = time.as_second() as f64;
    seconds
}
