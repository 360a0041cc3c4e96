//! The operator as what is measured.

use std::time::{Duration, Instant};

use crate::{
    measure::{Process, Requests},
    objects::Sizes,
    operator::{Operator, Start},
    plane::Plane,
};

/// How long all objects may take.
const PATIENCE: Duration = Duration::from_mins(20);

/// Between two looks at the operator's metrics, at least.
const PAUSE: Duration = Duration::from_millis(100);

/// The same for each object that is still awaited. Each look has the operator count its objects, which would show among
/// its CPU seconds, and the objects are not ready so much faster.
const PAUSE_AN_OBJECT: Duration = Duration::from_millis(1);

/// Between two looks at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// After so long without a reconcile all are done.
const QUIET: Duration = Duration::from_secs(3);

/// A running operator.
pub struct Subject {
    operator: Operator,
    process: Process,
    started: Instant,
}

impl Subject {
    /// Starts one for this namespace.
    pub async fn start(plane: &Plane, namespace: &str) -> Self {
        let started = Instant::now();
        let start = Start::new(&plane.operator_kubeconfig).arg("--watch-namespace").arg(namespace);
        let operator = start.arg("--allow-cidr=127.0.0.0/8").spawn().await;
        let process = Process::named("idp-operator").expect("the operator runs");
        Self { operator, process, started }
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until so many objects are ready. Returns the time since the start.
    pub async fn all_ready(&mut self, sizes: Sizes) -> Duration {
        // Asked of the operator, as listing all objects over and over would keep the API server from its work.
        loop {
            let ready = self.sum(&["idp_operator_objects{", r#"ready="True""#]).await;
            if ready == sizes.total() {
                return self.started.elapsed();
            }
            let missing = sizes.total().saturating_sub(ready);
            self.pause(missing, &format!("{missing} of {} objects are not ready", sizes.total())).await;
        }
    }

    /// Waits until every object was looked at, all keys were fetched, and nothing is looked at any more. Returns the
    /// time from the start to the last reconcile.
    pub async fn all_looked_at(&mut self, sizes: Sizes) -> Duration {
        let (mut last, mut at) = (0, Instant::now());
        loop {
            let text = self.metrics().await;
            let reconciled = |kind: &str| sum(&text, &["idp_operator_reconciles_total{", r#"result="ok""#, kind]);
            let missing = sizes.by_kind().iter().filter(|(kind, count)| reconciled(kind) < *count).count();
            let all = reconciled("");
            if all != last {
                (last, at) = (all, Instant::now());
            }
            let fetched = sum(&text, &["idp_operator_keys_fetches_total{", r#"result="ok""#]);
            if missing == 0 && fetched >= sizes.identity_providers && at.elapsed() >= QUIET {
                return at - self.started;
            }
            self.pause(0, &format!("{all} reconciles, {fetched} fetches of keys")).await;
        }
    }

    /// All its requests until now.
    pub async fn requests(&self) -> Requests {
        let text = self.metrics().await;
        let of = |verb: &str| sum(&text, &["idp_operator_api_requests_total{", &format!(r#"verb="{verb}""#)]);
        Requests {
            writes: ["create", "update", "patch", "delete"].into_iter().map(of).sum(),
            reads: ["get", "list"].into_iter().map(of).sum(),
        }
    }

    pub fn stop(self) {
        let (status, log) = self.operator.terminate();
        assert!(status.success(), "{status}\n{log}");
    }

    async fn pause(&self, missing: usize, state: &str) {
        assert!(self.started.elapsed() < PATIENCE, "{state}\n{}", self.operator.log());
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        tokio::time::sleep((PAUSE + PAUSE_AN_OBJECT * missing).min(LONGEST_PAUSE)).await;
    }

    async fn metrics(&self) -> String {
        self.operator.get("/metrics").await.1
    }

    async fn sum(&self, texts: &[&str]) -> usize {
        sum(&self.metrics().await, texts)
    }
}

/// Sum of all samples whose lines contain these texts.
fn sum(metrics: &str, texts: &[&str]) -> usize {
    let lines = metrics.lines().filter(|line| texts.iter().all(|text| line.contains(text)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
