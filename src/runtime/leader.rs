//! Leader election by a Lease, with the rules of Kubernetes' own components. Every write is safe without it all the
//! same; it keeps replicas from working twice.
//!
//! Each change of the Lease names the resourceVersion that it was decided on, so two candidates never both succeed; and
//! a Lease has lapsed when it did not change for its duration by one's own clock, so clocks need not agree.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::api::labels::OPERATOR;

/// How long a Lease that is not renewed keeps others out.
const DURATION: Duration = Duration::from_secs(15);

/// How long renewals may fail before the leader gives up.
const DEADLINE: Duration = Duration::from_secs(8);

/// Pause between two looks at the Lease.
const PAUSE: Duration = Duration::from_secs(2);

/// Bound on one look. kube retries calls on its own, for minutes if it is let.
const CALL: Duration = Duration::from_secs(5);

/// The leader has given up when others may take over, even if the deadline passes just after a look began.
const _: () = assert!(DEADLINE.as_secs() + PAUSE.as_secs() + CALL.as_secs() <= DURATION.as_secs());

/// A share in the election.
pub struct Leader {
    leads: watch::Receiver<bool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Leader {
    /// Takes part in the election for the Lease `idp-operator` of this namespace.
    #[must_use]
    pub fn join(client: Client, namespace: &str) -> Self {
        let (sender, leads) = watch::channel(false);
        let stop = CancellationToken::new();
        let candidate = Candidate {
            api: Api::namespaced(client, namespace),
            identity: identity(),
            seen: None,
            told: String::new(),
        };
        Self { leads, task: tokio::spawn(candidate.take_part(sender, stop.clone())), stop }
    }

    /// Returns when this process is the leader. False: the election has ended.
    pub async fn elected(&mut self) -> bool {
        self.leads.wait_for(|leads| *leads).await.is_ok()
    }

    /// Returns when this process is the leader no longer.
    pub async fn lost(&mut self) {
        // An error is the end of the election: that is a loss as well.
        let _ = self.leads.wait_for(|leads| !*leads).await;
    }

    /// Leaves the election and releases the Lease, so that another can take over at once.
    pub async fn release(self) {
        self.stop.cancel();
        if tokio::time::timeout(CALL, self.task).await.is_err() {
            tracing::warn!("the lease could not be released in time: it lapses by itself");
        }
    }
}

/// Unlike that of any other process, restarted ones in the same pod included.
fn identity() -> String {
    let unique = uuid::Uuid::new_v4();
    std::env::var("POD_NAME").map_or_else(|_| unique.to_string(), |pod| format!("{pod}_{unique}"))
}

fn answer(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            "the API server answered 403 Forbidden: the operator's role must allow get, create and patch on leases"
                .to_owned()
        }
        kube::Error::Api(status) => format!("the API server answered {} {}", status.code, status.reason),
        _ => "the API server gives no answer".to_owned(),
    }
}

/// Who holds the Lease.
enum Held {
    ByUs,
    By(String),
}

struct Candidate {
    api: Api<Lease>,
    identity: String,
    /// The Lease's last new resourceVersion, and when it was seen first.
    seen: Option<(String, Instant)>,
    /// What was logged last.
    told: String,
}

impl Candidate {
    /// Stands by, then leads until the Lease is lost or `stop` is cancelled.
    async fn take_part(mut self, leads: watch::Sender<bool>, stop: CancellationToken) {
        let mut renewed = None;
        loop {
            let started = Instant::now();
            // Cut off by `stop`, a write may have succeeded all the same: so the release looks for itself.
            let look = tokio::select! {
                look = tokio::time::timeout(CALL, self.look()) => look,
                () = stop.cancelled() => break,
            };
            match look {
                Ok(Ok(Held::ByUs)) => {
                    renewed = Some(started);
                    leads.send_replace(true);
                    self.tell("leading".to_owned());
                }
                Ok(Ok(Held::By(holder))) => {
                    if renewed.is_some() {
                        leads.send_replace(false);
                        return;
                    }
                    self.tell(format!("standing by: {holder} holds the lease"));
                }
                Ok(Err(error)) => self.complain(format!("the lease can't be held: {}", answer(&error))),
                Err(_) => self.complain("the lease can't be held: the API server gives no answer".to_owned()),
            }
            if renewed.is_some_and(|renewed| renewed.elapsed() > DEADLINE) {
                leads.send_replace(false);
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => break,
            }
        }
        if let Err(error) = self.release().await
            && renewed.is_some()
        {
            let why = answer(&error);
            tracing::warn!(lease = OPERATOR, why, "the lease could not be released: it lapses by itself");
        }
    }

    fn tell(&mut self, what: String) {
        if self.told != what {
            tracing::info!(lease = OPERATOR, "{what}");
            self.told = what;
        }
    }

    fn complain(&mut self, what: String) {
        if self.told != what {
            tracing::warn!(lease = OPERATOR, "{what}");
            self.told = what;
        }
    }

    /// Takes or renews the Lease if it is free, lapsed or ours.
    async fn look(&mut self) -> kube::Result<Held> {
        let now = MicroTime(jiff::Timestamp::now());
        let mut spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            renew_time: Some(now.clone()),
            ..LeaseSpec::default()
        };
        let Some(lease) = self.api.get_opt(OPERATOR).await? else {
            spec.acquire_time = Some(now);
            let metadata = ObjectMeta { name: Some(OPERATOR.to_owned()), ..ObjectMeta::default() };
            self.api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await?;
            return Ok(Held::ByUs);
        };
        let version = lease.resource_version().unwrap_or_default();
        let old = lease.spec.unwrap_or_default();
        let holder = old.holder_identity.filter(|holder| !holder.is_empty());
        if holder.as_ref() != Some(&self.identity) {
            let seconds = old.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            if let Some(holder) = holder.filter(|_| !self.has_lapsed(&version, seconds.unwrap_or_default())) {
                return Ok(Held::By(holder));
            }
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(old.lease_transitions.unwrap_or_default().saturating_add(1));
        }
        self.change(&version, &json!(spec)).await?;
        Ok(Held::ByUs)
    }

    /// Whether the Lease has stayed at this version for its duration, as far as this process has seen.
    fn has_lapsed(&mut self, version: &str, seconds: u64) -> bool {
        match &self.seen {
            Some((seen, since)) if seen == version => since.elapsed() > Duration::from_secs(seconds),
            _ => {
                self.seen = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }

    async fn release(&self) -> kube::Result<()> {
        let Some(lease) = self.api.get_opt(OPERATOR).await? else {
            return Ok(());
        };
        let version = lease.resource_version().unwrap_or_default();
        if lease.spec.and_then(|spec| spec.holder_identity).as_ref() == Some(&self.identity) {
            self.change(&version, &json!({ "holderIdentity": null, "acquireTime": null, "renewTime": null })).await?;
        }
        Ok(())
    }

    /// Changes the Lease unless somebody else did since this version.
    async fn change(&self, version: &str, spec: &Value) -> kube::Result<Lease> {
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": spec });
        self.api.patch(OPERATOR, &PatchParams::default(), &Patch::Merge(patch)).await
    }
}
