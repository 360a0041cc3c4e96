//! A leader that is stopped (SIGSTOP) for longer than its lease, in the midst of its work, and goes on then (SIGCONT).

use std::time::Instant;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use kube::ResourceExt as _;
use serde_json::json;

use super::{Candidates, LAPSE, PROMPT, events, gives_up, is_next_after, leads, lease};
use crate::support::{
    History, Holding, Scene, Tenant,
    history::{Terms, check, values},
};

/// When a value that is old by now became current.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

pub async fn what_had_begun_before_a_pause_has_no_effect_once_another_leads() {
    let scene = Scene::new("paused").await;
    let candidates = Candidates::of(&scene).await;
    let history = History::of(&scene).await;
    let proxy = Holding::of(&candidates.account).await;
    let mut first = candidates.start_leader("first", proxy.kubeconfig()).await;
    let second = candidates.start("second").await;

    let [replaced, read, told, done] = ["replaced", "read", "told", "done"].map(|name| Tenant::named(&scene, name));
    let mut before = Vec::new();
    for tenant in [&replaced, &read, &told, &done] {
        let mut rotation = json!({ "gracePeriod": "30m" });
        if tenant.name == "read" {
            rotation["interval"] = json!("1h");
        }
        before.push(tenant.ready(json!({ "rotation": rotation })).await.1);
    }
    // Each of its steps is under way somewhere: the replacement of a Secret, the look before that, the creation of
    // another one, and a status.
    let mut replacement = proxy.hold(Method::PUT, "/secrets/replaced-jwt");
    let mut look = proxy.hold_answer(Method::GET, "/secrets/read-jwt");
    let mut status = proxy.hold(Method::PATCH, "/tenantjwtsecrets/told/status");
    for tenant in [&replaced, &told, &done] {
        tenant.rotate("once").await;
    }
    // This one by its age.
    read.plant(&[("issued-at", Some(LONG_AGO))]).await;
    done.settled(is_next_after(&before[3])).await;
    tokio::join!(replacement.reached(), look.reached(), status.reached());
    let mut creation = proxy.hold(Method::POST, "/secrets");
    let created = Tenant::named(&scene, "created");
    created.apply(json!({})).await;
    creation.reached().await;
    // Of it, only that one's status was written; the Event of what is done comes before that.
    let begun = proxy.writes();

    first.signal("STOP");
    let stopped = Instant::now();
    candidates.takes_over(stopped, "paused", &second, "second", LAPSE).await;
    for (tenant, before) in [&replaced, &read, &told].into_iter().zip(&before) {
        tenant.settled(is_next_after(before)).await;
    }
    let (_, made) = created.settled(|_| true).await;

    // What was on its way all the time arrives at last.
    let late = tokio::join!(replacement.let_go(), creation.let_go(), status.let_go(), look.let_go());
    let conflict = StatusCode::CONFLICT;
    assert_eq!(late, (conflict, conflict, conflict, StatusCode::OK));
    assert_eq!(proxy.writes(), begun, "it is paused");
    first.signal("CONT");
    gives_up(first, PROMPT).await;
    assert_eq!(proxy.writes(), begun, "a leader that was paused writes once it goes on");

    // Started again, it stands by.
    let first = candidates.start("first").await;
    assert!(!leads(&first).await && first.writes().await < 1.0 && leads(&second).await);
    assert_eq!(lease(&scene).await.1, 1);

    for (tenant, count) in [(&replaced, 2), (&read, 2), (&told, 2), (&done, 2), (&created, 1)] {
        tenant.is_quiet().await;
        let version = tenant.output().await.resource_version().unwrap();
        history.until("all was seen", |seen| seen.saw(&version)).await;
        let terms = Terms {
            broken: "",
            aged: LONG_AGO.parse().unwrap(),
            grace: SignedDuration::from_mins(30),
            lead: SignedDuration::ZERO,
        };
        history.look(|seen| {
            let versions = seen.versions(&tenant.output_name());
            check(versions, terms);
            assert_eq!(values(versions, "").len(), count, "{}", tenant.name);
        });
    }
    assert_eq!(created.settled(|_| true).await.1, made);
    let once = ["done", "read", "replaced", "told"].map(|name| (name.to_owned(), 1));
    assert_eq!(events(&scene, "SecretRotated").await, once);
}
