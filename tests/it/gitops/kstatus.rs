//! The rules of kstatus (`github.com/fluxcd/cli-utils/pkg/kstatus/status`, as Helm 4 and Flux use it) for kinds that it
//! has no rules of their own for, in their order. Tests with Helm hold them against the real ones.

use serde_json::Value;

/// What kstatus calls an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// `Compute` of kstatus.
pub fn compute(object: &Value) -> Status {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Status::Terminating;
    }
    // An object without one is believed to be up to date.
    let observed = object["status"]["observedGeneration"].as_i64();
    if let (Some(generation), Some(observed)) = (object["metadata"]["generation"].as_i64(), observed)
        && generation != observed
    {
        return Status::InProgress;
    }
    let conditions = || object["status"]["conditions"].as_array().into_iter().flatten();
    let abnormal =
        conditions().find_map(|condition| match (condition["type"].as_str()?, condition["status"].as_str()?) {
            ("Reconciling", "True") => Some(Status::InProgress),
            ("Stalled", "True") => Some(Status::Failed),
            _ => None,
        });
    let ready = conditions().find(|condition| condition["type"] == "Ready");
    let ready = ready.and_then(|ready| match ready["status"].as_str()? {
        "True" => Some(Status::Current),
        "False" | "Unknown" => Some(Status::InProgress),
        _ => None,
    });
    // One that has no condition that is known is believed to be ready.
    abnormal.or(ready).unwrap_or(Status::Current)
}
