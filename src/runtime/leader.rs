//! Leader election by a Lease, with the rules of Kubernetes' own components. Every write is safe without it all the
//! same; it keeps replicas from working twice.
//!
//! Each change of the Lease names the resourceVersion that it was decided on, so two candidates never both succeed; and
//! a Lease has lapsed when it did not change for its duration by one's own clock, so clocks need not agree.
//!
//! Once it was lost, for however short a time, the process ends: it can't know what others did meanwhile.

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

use crate::{
    api::labels::OPERATOR,
    cluster::fence::{Fence, Moment},
};

/// How long a Lease that is not renewed keeps others out.
const DURATION: Duration = Duration::from_secs(15);

/// How long renewals may fail before the leader gives up. What it has sent until then has the rest of the duration to
/// arrive.
const DEADLINE: Duration = Duration::from_secs(10);

/// Longest pause between two looks at the Lease.
const PAUSE: Duration = Duration::from_secs(2);

/// Bound on one look. An API server that hangs ends none.
const CALL: Duration = Duration::from_secs(5);

/// The leader has given up before others may take over.
const _: () = assert!(DEADLINE.as_secs() + CALL.as_secs() <= DURATION.as_secs());

/// A share in the election.
pub struct Leader {
    leads: watch::Receiver<bool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Leader {
    /// A fence that lets the leader write.
    #[must_use]
    pub fn fence() -> Fence {
        Fence::new(DURATION)
    }

    /// Takes part in the election for the Lease `idp-operator` of this namespace. The fence may not be in the way of this
    /// client.
    #[must_use]
    pub fn join(client: Client, namespace: &str, fence: Fence) -> Self {
        let (sender, leads) = watch::channel(false);
        let stop = CancellationToken::new();
        let candidate = Candidate {
            api: Api::namespaced(client, namespace),
            identity: identity(),
            fence,
            renewed: None,
            seen: None,
            lapses: None,
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

/// What a look at the Lease came to.
enum Held {
    ByUs,
    By(String),
    /// Who held it before it was deleted may still believe to hold it.
    Deleted,
    /// Nobody holds it, though it was ours.
    TakenAway,
}

struct Candidate {
    api: Api<Lease>,
    identity: String,
    fence: Fence,
    /// When the Lease was last taken or renewed: the moment before that was begun.
    renewed: Option<Instant>,
    /// The last new resourceVersion of another's Lease, and when it was seen first. Empty: it was deleted.
    seen: Option<(String, Instant)>,
    /// When that one lapses.
    lapses: Option<Instant>,
    /// What was logged last.
    told: String,
}

impl Candidate {
    /// Stands by, then leads until the Lease is lost or `stop` is cancelled.
    async fn take_part(mut self, leads: watch::Sender<bool>, stop: CancellationToken) {
        loop {
            // Cut off by `stop`, a write may have succeeded all the same: so the release looks for itself.
            let goes_on = tokio::select! {
                goes_on = self.turn(&leads) => goes_on,
                () = stop.cancelled() => break,
            };
            if !goes_on {
                self.fence.close();
                leads.send_replace(false);
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause()) => {}
                () = stop.cancelled() => break,
            }
        }
        self.fence.close();
        if let Err(error) = self.release().await
            && self.renewed.is_some()
        {
            let why = answer(&error);
            tracing::warn!(lease = OPERATOR, why, "the lease could not be released: it lapses by itself");
        }
    }

    /// One look. False: the Lease was ours, and is not any more.
    async fn turn(&mut self, leads: &watch::Sender<bool>) -> bool {
        let (started, moment) = (Instant::now(), Moment::now());
        match tokio::time::timeout(self.left().min(CALL), self.look()).await {
            Ok(Ok(Held::ByUs)) => {
                self.renewed = Some(started);
                self.fence.renewed(moment);
                leads.send_replace(true);
                self.tell("leading".to_owned());
            }
            Ok(Ok(Held::By(holder))) => {
                self.tell(format!("standing by: {holder} holds the lease"));
                if self.renewed.is_some() {
                    return false;
                }
            }
            Ok(Ok(Held::Deleted)) => self.tell("standing by: the lease was deleted".to_owned()),
            Ok(Ok(Held::TakenAway)) => {
                self.complain("somebody took the lease away".to_owned());
                return false;
            }
            Ok(Err(error)) => self.complain(format!("the lease can't be held: {}", answer(&error))),
            Err(_) => self.complain("the lease can't be held: the API server gives no answer".to_owned()),
        }
        !self.left().is_zero()
    }

    /// Until the next look. Not the same for all, so that candidates that started together don't look together for ever;
    /// and no longer than until another's Lease lapses, or until ours may not be renewed any more.
    fn pause(&self) -> Duration {
        let pause = PAUSE.mul_f64(rand::random_range(0.8..=1.0)).min(self.left());
        let lapses = self.lapses.and_then(|lapses| lapses.checked_duration_since(Instant::now()));
        lapses.map_or(pause, |lapses| pause.min(lapses))
    }

    /// How long the leader may still try to renew the Lease.
    fn left(&self) -> Duration {
        self.renewed.map_or(Duration::MAX, |renewed| DEADLINE.saturating_sub(renewed.elapsed()))
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
            if self.renewed.is_none() && self.seen.is_some() && !self.has_lapsed("", DURATION) {
                return Ok(Held::Deleted);
            }
            (spec.acquire_time, spec.lease_transitions) = (Some(now), Some(0));
            let metadata = ObjectMeta { name: Some(OPERATOR.to_owned()), ..ObjectMeta::default() };
            self.api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await?;
            return Ok(Held::ByUs);
        };
        let version = lease.resource_version().unwrap_or_default();
        let old = lease.spec.unwrap_or_default();
        let holder = old.holder_identity.filter(|holder| !holder.is_empty());
        if holder.as_ref() != Some(&self.identity) {
            let seconds = old.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let duration = seconds.map_or(DURATION, Duration::from_secs);
            if let Some(holder) = holder.filter(|_| !self.has_lapsed(&version, duration)) {
                return Ok(Held::By(holder));
            }
            if self.renewed.is_some() {
                return Ok(Held::TakenAway);
            }
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(old.lease_transitions.unwrap_or_default().saturating_add(1));
        }
        self.change(&version, &json!(spec)).await?;
        Ok(Held::ByUs)
    }

    /// Whether the Lease has stayed at this version for its duration, as far as this process has seen.
    fn has_lapsed(&mut self, version: &str, duration: Duration) -> bool {
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.to_owned(), now));
                now
            }
        };
        self.lapses = since.checked_add(duration);
        self.lapses.is_some_and(|lapses| lapses <= now)
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

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use http::{Method, Request, Response, StatusCode};
    use http_body_util::BodyExt as _;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    /// An API server that has nothing but the Lease.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        lease: Option<Value>,
        versions: u32,
        /// Refuse writes with this code.
        refuse: Option<u16>,
    }

    impl Server {
        fn candidate(&self, name: &str) -> Candidate {
            let server = self.clone();
            let service = service_fn(move |request: Request<Body>| {
                let server = server.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let (code, answer) =
                        server.answer(&parts.method, serde_json::from_slice(&body).unwrap_or_default());
                    let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
                    Ok::<_, Infallible>(answer.unwrap())
                }
            });
            Candidate {
                api: Api::namespaced(Client::new(service, "ns"), "ns"),
                identity: name.to_owned(),
                fence: Leader::fence(),
                renewed: None,
                seen: None,
                lapses: None,
                told: String::new(),
            }
        }

        fn answer(&self, method: &Method, body: Value) -> (StatusCode, Value) {
            let mut state = self.0.lock().unwrap();
            let status = |code: StatusCode| {
                let reason = code.canonical_reason().unwrap().replace(' ', "");
                (
                    code,
                    json!({ "status": "Failure", "metadata": {}, "code": code.as_u16(), "reason": reason, "message": "" }),
                )
            };
            if let Some(code) = state.refuse.filter(|_| method != Method::GET) {
                return status(StatusCode::from_u16(code).unwrap());
            }
            let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
            let mut lease = match (method.as_str(), state.lease.clone()) {
                ("GET", Some(lease)) => return (StatusCode::OK, lease),
                ("GET" | "PATCH", None) => return status(StatusCode::NOT_FOUND),
                ("POST", None) => body,
                ("PATCH", Some(mut lease)) if version(&lease) == version(&body) => {
                    for (field, value) in body["spec"].as_object().unwrap() {
                        lease["spec"][field] = value.clone();
                    }
                    lease
                }
                _ => return status(StatusCode::CONFLICT),
            };
            state.versions += 1;
            lease["metadata"]["resourceVersion"] = json!(state.versions.to_string());
            state.lease = Some(lease.clone());
            (StatusCode::OK, lease)
        }

        fn set(&self, lease: Option<Value>) {
            self.0.lock().unwrap().lease = lease;
        }

        fn held_by(&self, spec: &Value) {
            self.0.lock().unwrap().versions += 1;
            let version = self.0.lock().unwrap().versions.to_string();
            self.set(Some(json!({ "metadata": { "name": OPERATOR, "resourceVersion": version }, "spec": spec })));
        }

        fn spec(&self) -> LeaseSpec {
            serde_json::from_value(self.0.lock().unwrap().lease.clone().unwrap()["spec"].clone()).unwrap()
        }
    }

    /// A look. Whether it goes on, and whether it leads.
    async fn look(candidate: &mut Candidate) -> (bool, bool) {
        let leads = watch::Sender::new(false);
        let goes_on = candidate.turn(&leads).await;
        (goes_on, *leads.borrow())
    }

    const LEADS: (bool, bool) = (true, true);
    const STANDS_BY: (bool, bool) = (true, false);
    const ENDS: (bool, bool) = (false, false);

    #[tokio::test]
    async fn a_lease_tells_who_holds_it_since_when_and_how_often_it_changed_hands() {
        let server = Server::default();
        let (mut first, mut second) = (server.candidate("first"), server.candidate("second"));
        assert_eq!(look(&mut first).await, LEADS);
        let taken = server.spec();
        assert_eq!(look(&mut second).await, STANDS_BY);
        assert_eq!(look(&mut first).await, LEADS);
        let renewed = server.spec();
        assert_eq!((&taken.acquire_time, taken.lease_transitions), (&taken.renew_time, Some(0)));
        assert!(renewed.renew_time > taken.renew_time);
        assert_eq!(renewed, LeaseSpec { renew_time: renewed.renew_time.clone(), ..taken.clone() });

        first.release().await.unwrap();
        assert_eq!(look(&mut second).await, LEADS);
        let handed_over = server.spec();
        assert!(handed_over.acquire_time > renewed.renew_time);
        let expected = LeaseSpec {
            holder_identity: Some("second".to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(1),
            acquire_time: handed_over.renew_time.clone(),
            renew_time: handed_over.renew_time.clone(),
            ..LeaseSpec::default()
        };
        assert_eq!(handed_over, expected);
    }

    #[tokio::test]
    async fn a_deleted_lease_goes_back_to_the_leader_for_others_wait_as_long_as_it_would_have_lasted() {
        let server = Server::default();
        let (mut leader, mut standby) = (server.candidate("leader"), server.candidate("standby"));
        // It was a standby once.
        server.held_by(&json!({ "holderIdentity": "other" }));
        assert_eq!(look(&mut leader).await, STANDS_BY);
        server.held_by(&json!({}));
        assert_eq!(look(&mut leader).await, LEADS);
        assert_eq!(look(&mut standby).await, STANDS_BY);
        server.set(None);
        assert_eq!([look(&mut standby).await, look(&mut standby).await], [STANDS_BY; 2]);
        assert_eq!(look(&mut leader).await, LEADS);
        assert_eq!(server.spec().holder_identity.as_deref(), Some("leader"));
        server.set(None);
        assert_eq!(look(&mut standby).await, STANDS_BY);
        standby.seen.as_mut().unwrap().1 -= DURATION;
        assert_eq!(look(&mut standby).await, LEADS);
        assert_eq!(look(&mut leader).await, ENDS);
    }

    #[tokio::test]
    async fn a_leader_that_lost_its_lease_ends_even_if_nobody_holds_it() {
        for spec in [json!({ "holderIdentity": "other", "leaseDurationSeconds": 1 }), json!({ "holderIdentity": "" })] {
            let server = Server::default();
            let mut leader = server.candidate("leader");
            assert_eq!(look(&mut leader).await, LEADS);
            server.held_by(&spec);
            assert_eq!(look(&mut leader).await, ENDS);
            assert_eq!(server.spec(), serde_json::from_value(spec).unwrap());
        }
    }

    #[tokio::test]
    async fn a_lease_without_a_duration_is_kept_out_of_for_ours() {
        let server = Server::default();
        let mut candidate = server.candidate("candidate");
        server.held_by(&json!({ "holderIdentity": "other" }));
        assert_eq!([look(&mut candidate).await, look(&mut candidate).await], [STANDS_BY; 2]);
        candidate.seen.as_mut().unwrap().1 -= DURATION;
        assert_eq!(look(&mut candidate).await, LEADS);
    }

    #[tokio::test]
    async fn a_standby_looks_again_when_the_lease_lapses_but_does_not_hurry_after_that() {
        let server = Server::default();
        let mut candidate = server.candidate("candidate");
        server.held_by(&json!({ "holderIdentity": "other", "leaseDurationSeconds": 15 }));
        let usual = PAUSE.mul_f64(0.8)..=PAUSE;
        assert_eq!(look(&mut candidate).await, STANDS_BY);
        assert!(usual.contains(&candidate.pause()), "{:?}", candidate.pause());
        candidate.seen.as_mut().unwrap().1 -= Duration::from_millis(14_500);
        assert_eq!(look(&mut candidate).await, STANDS_BY);
        assert!(candidate.pause() <= Duration::from_millis(500), "{:?}", candidate.pause());
        candidate.seen.as_mut().unwrap().1 -= Duration::from_secs(1);
        server.0.lock().unwrap().refuse = Some(403);
        assert_eq!(look(&mut candidate).await, STANDS_BY);
        assert!(usual.contains(&candidate.pause()), "{:?}", candidate.pause());
    }

    #[tokio::test]
    async fn refused_renewals_are_tried_again_until_the_deadline() {
        let server = Server::default();
        let mut leader = server.candidate("leader");
        assert_eq!(look(&mut leader).await, LEADS);
        for code in [403, 409, 422, 429, 500, 503] {
            server.0.lock().unwrap().refuse = Some(code);
            assert_eq!(look(&mut leader).await, STANDS_BY, "{code}: it goes on");
        }
        let long_ago = leader.renewed.map(|renewed| renewed.checked_sub(DEADLINE).unwrap());
        leader.renewed = long_ago;
        assert_eq!(look(&mut leader).await, ENDS);
        server.0.lock().unwrap().refuse = None;
        leader.renewed = long_ago.map(|renewed| renewed + CALL);
        assert_eq!(look(&mut leader).await, LEADS);
    }
}
