//! Each way from one state of keys to the next, as a table: what happens, and what is told after it.

use std::{iter::Peekable, time::Duration, vec::IntoIter};

use futures::future;
use idp_operator::api::IdentityProvider;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Idp, set};
use crate::support::Scene;

/// Something that happens to an `IdentityProvider`.
#[derive(Clone, Debug)]
enum Event {
    /// Its spec is changed.
    Set(Value),
    /// Its endpoint answers with these keys, or this status.
    Answers(&'static str),
    /// The ConfigMap of `keysFrom` holds these keys.
    Source(&'static str),
    /// The ConfigMap of `keysFrom` is deleted.
    NoSource,
    /// The output is deleted.
    NoOutput,
    /// Somebody writes this key into the output.
    Plant(&'static str),
    /// A fetch is asked for.
    Refresh(&'static str),
    /// This long ago is when its keys were seen last, by its status.
    Seen(&'static str),
    /// The operator is stopped, or started.
    Stop,
    Start,
}

use Event::{Answers, NoOutput, NoSource, Plant, Refresh, Seen, Set, Source, Start, Stop};

type Row = (&'static str, Vec<(Event, &'static str)>);

const GOOD: &str = "True Ready: ed";
const OUTAGE: &str = "True Ready KeysReachable-UnexpectedStatus: ed";
const FAILED: &str = "False UnexpectedStatus KeysReachable-UnexpectedStatus: no output";
const WITHDRAWN: &str = "False UnexpectedStatus KeysReachable-UnexpectedStatus:";
const STALE: &str = "False UnexpectedStatus KeysReachable-UnexpectedStatus KeysFresh-KeysStale:";
const IN_DOUBT: &str = "False PrivateKeyPublished KeysValid-PrivateKeyPublished:";
const NOBODY: &str = "False ReferenceNotFound ReferencesResolved-ReferenceNotFound: ed";
const INACTIVE: &str = "True Inactive Active-Inactive:";

fn keys_from() -> Value {
    json!({ "keysFrom": { "configMapKeyRef": { "name": "SOURCE", "key": "jwks" } } })
}

fn other_issuer() -> Value {
    json!({ "issuer": "urn:another" })
}

/// Whatever is told while the operator is stopped.
const NOTHING: &str = "";

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let apply = || Set(json!({}));
    let refresh = || Refresh("again");
    vec![
        ("first-fetch-fails", vec![
            (Answers("500"), NOTHING), (apply(), FAILED), (Answers("ed"), GOOD),
        ]),
        ("outage", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Answers("ec"), "True Ready: ec"),
        ]),
        ("bad-answer", vec![
            (apply(), GOOD), (Answers("junk"), NOTHING), (refresh(), "True Ready KeysValid-NotAJwks: ed"), (Answers("ed"), GOOD),
        ]),
        ("private-key", vec![
            (apply(), GOOD), (Answers("private"), NOTHING), (refresh(), IN_DOUBT),
            // What was withdrawn does not come back by an outage.
            (Answers("500"), WITHDRAWN), (Stop, NOTHING), (Start, WITHDRAWN), (Answers("ed"), GOOD),
        ]),
        ("other-endpoint", vec![
            (apply(), GOOD), (Set(json!({ "keysEndpoint": "http://127.0.0.1:1/keys" })), "False KeysUnreachable KeysReachable-KeysUnreachable:"),
        ]),
        ("other-issuer", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Set(json!({ "issuer": "urn:other" })), WITHDRAWN),
            (Set(json!({ "issuer": "urn:again" })), WITHDRAWN), (Answers("ed"), GOOD),
        ]),
        ("other-issuer-and-back", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Set(json!({ "issuer": "urn:a" })), WITHDRAWN),
            (Set(json!({ "issuer": "https://other-issuer-and-back.example.com" })), WITHDRAWN),
        ]),
        ("edited-in-an-outage", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE),
            (Set(json!({ "headerName": "x-token", "audiences": ["a"], "keys": { "staleAfter": "1h" } })), OUTAGE),
        ]),
        ("fewer-algorithms", vec![
            (Answers("ec ed"), NOTHING), (apply(), "True Ready: ec ed"), (Set(json!({ "algorithms": ["EdDSA"] })), GOOD),
            (Answers("500"), NOTHING), (Set(json!({ "algorithms": ["EdDSA", "ES256"] })), OUTAGE),
            // None is left, and what was withdrawn is forgotten.
            (Set(json!({ "algorithms": ["RS256"] })), WITHDRAWN), (Set(json!({ "algorithms": ["EdDSA"] })), WITHDRAWN),
            (Stop, NOTHING), (Start, WITHDRAWN), (Answers("ed"), GOOD),
        ]),
        ("no-key-for-the-algorithms", vec![
            (Set(json!({ "algorithms": ["EdDSA"] })), GOOD), (Answers("ec"), NOTHING),
            (refresh(), "True Ready KeysValid-NoUsableKey: ed"), (Stop, NOTHING), (Start, "True Ready KeysValid-NoUsableKey: ed"),
        ]),
        ("fewer-algorithms-while-down", vec![
            (Answers("ec ed"), NOTHING), (apply(), "True Ready: ec ed"), (Answers("500"), NOTHING),
            (Stop, NOTHING), (Set(json!({ "algorithms": ["EdDSA"] })), NOTHING), (Start, OUTAGE),
        ]),
        ("no-algorithm-left-while-down", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Stop, NOTHING), (Set(json!({ "algorithms": ["RS256"] })), NOTHING),
            (Start, WITHDRAWN), (Set(json!({ "algorithms": ["EdDSA"] })), WITHDRAWN),
        ]),
        ("inactive-and-back", vec![
            (apply(), GOOD), (Set(json!({ "state": "Inactive" })), INACTIVE), (Answers("500"), NOTHING),
            (Set(json!({ "state": "Active" })), WITHDRAWN), (Answers("ed"), GOOD),
        ]),
        ("suspended-in-an-outage", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Set(json!({ "suspend": true })), GOOD), (refresh(), GOOD),
            (Set(json!({ "suspend": false })), OUTAGE),
        ]),
        ("suspended-in-an-outage-that-ends", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Set(json!({ "suspend": true })), OUTAGE),
            (Answers("ec"), OUTAGE), (Set(json!({ "suspend": false })), "True Ready: ec"),
        ]),
        ("output-deleted", vec![(apply(), GOOD), (NoOutput, GOOD)]),
        ("output-deleted-in-an-outage", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (NoOutput, OUTAGE),
        ]),
        ("output-deleted-while-withdrawn", vec![
            (apply(), GOOD), (Set(json!({ "state": "Inactive" })), INACTIVE), (NoOutput, "True Inactive Active-Inactive: no output"),
        ]),
        ("planted-key", vec![(apply(), GOOD), (Plant("ec"), GOOD)]),
        ("planted-key-in-an-outage", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Plant("ec"), OUTAGE),
        ]),
        ("planted-key-while-down", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Stop, NOTHING), (Plant("ec"), NOTHING), (Start, WITHDRAWN),
        ]),
        ("planted-output-where-none-was", vec![
            (Answers("500"), NOTHING), (apply(), FAILED), (Stop, NOTHING), (Plant("ec"), NOTHING), (Start, WITHDRAWN),
        ]),
        ("planted-key-while-down-and-withdrawn", vec![
            (apply(), GOOD), (Set(json!({ "state": "Inactive" })), INACTIVE), (Answers("500"), NOTHING), (Stop, NOTHING), (Plant("ec"), NOTHING),
            (Set(json!({ "state": "Active" })), NOTHING), (Start, WITHDRAWN),
        ]),
        ("output-lost-while-down", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Stop, NOTHING), (NoOutput, NOTHING), (Start, FAILED),
        ]),
        ("outage-over-a-restart", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Stop, NOTHING), (Start, OUTAGE),
        ]),
        ("outage-that-began-while-down", vec![
            // By its status all was well: how long ago its keys were seen is counted from the start.
            (apply(), GOOD), (Answers("500"), NOTHING), (Stop, NOTHING), (Seen("2 days ago"), NOTHING), (Start, OUTAGE),
        ]),
        ("down-for-longer-than-stale-after", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Stop, NOTHING), (Seen("2 days ago"), NOTHING),
            (Start, STALE),
            // Edited while stale: nothing comes back by that.
            (Set(json!({ "keys": { "staleAfter": "168h" } })), STALE), (Set(json!({ "displayName": "Login" })), STALE),
            (NoOutput, "False UnexpectedStatus KeysReachable-UnexpectedStatus KeysFresh-KeysStale: no output"), (Stop, NOTHING),
            (Start, "False UnexpectedStatus KeysReachable-UnexpectedStatus KeysFresh-KeysStale: no output"), (Answers("ed"), GOOD),
        ]),
        ("down-for-longer-but-the-endpoint-is-well", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Stop, NOTHING), (Seen("2 days ago"), NOTHING),
            (Answers("ec"), NOTHING), (Start, "True Ready: ec"),
        ]),
        ("suspended-while-down", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (refresh(), OUTAGE), (Stop, NOTHING), (Seen("2 days ago"), NOTHING),
            (Set(json!({ "suspend": true })), NOTHING), (Start, OUTAGE), (Set(json!({ "suspend": false })), STALE),
        ]),
        ("issuer-changed-while-down", vec![
            (apply(), GOOD), (Answers("500"), NOTHING), (Stop, NOTHING), (Set(other_issuer()), NOTHING), (Start, WITHDRAWN),
        ]),
        ("inactive-while-down", vec![
            (apply(), GOOD), (Stop, NOTHING), (Set(json!({ "state": "Inactive" })), NOTHING), (Start, INACTIVE),
        ]),
        ("keys-from-on-and-off", vec![
            (apply(), GOOD), (Source("ec"), NOTHING), (Answers("500"), NOTHING), (Set(keys_from()), "True Ready: ec"),
            (Source("ec ed"), "True Ready: ec ed"),
            // Its own endpoint is another source: what came from the ConfigMap is not for it.
            (Set(json!({ "keysFrom": null })), WITHDRAWN), (Set(keys_from()), "True Ready: ec ed"),
            (Answers("ed"), NOTHING), (Set(json!({ "keysFrom": null })), GOOD),
        ]),
        ("keys-from-nowhere", vec![
            (Set(keys_from()), "False ReferenceNotFound ReferencesResolved-ReferenceNotFound: no output"), (Source("ed"), GOOD),
        ]),
        ("keys-from-bad", vec![
            (Source("ed"), NOTHING), (Set(keys_from()), GOOD), (Source("junk"), "True Ready KeysValid-NotAJwks: ed"),
            (NoSource, "True Ready ReferencesResolved-ReferenceNotFound: ed"), (Stop, NOTHING),
            (Start, "True Ready ReferencesResolved-ReferenceNotFound: ed"), (Source("private"), IN_DOUBT),
            (NoSource, "False ReferenceNotFound ReferencesResolved-ReferenceNotFound:"), (Source("ec"), "True Ready: ec"),
        ]),
        ("keys-from-stale", vec![
            (Source("ed"), NOTHING), (Set(keys_from()), GOOD), (NoSource, "True Ready ReferencesResolved-ReferenceNotFound: ed"),
            (Stop, NOTHING), (Seen("2 days ago"), NOTHING),
            (Start, "False ReferenceNotFound ReferencesResolved-ReferenceNotFound KeysFresh-KeysStale:"), (Source("ed"), GOOD),
        ]),
        ("keys-from-without-somebody-who-vouches", vec![
            (Source("ed"), NOTHING), (Set(keys_from()), GOOD),
            (Set(json!({ "tls": { "caBundleRef": { "kind": "Secret", "name": "none", "key": "ca.crt" } } })), NOBODY),
            // Its keys were seen until the stop: nothing is said of when, as they are not of an endpoint.
            (Stop, NOTHING), (Seen("2 days ago"), NOTHING), (Source("junk"), NOTHING), (Set(json!({ "tls": null })), NOTHING),
            (Start, "True Ready KeysValid-NotAJwks: ed"),
        ]),
        ("keys-from-planted", vec![
            (Source("ed"), NOTHING), (Set(keys_from()), GOOD), (Stop, NOTHING), (NoSource, NOTHING), (Plant("ec"), NOTHING),
            (Start, "False ReferenceNotFound ReferencesResolved-ReferenceNotFound:"),
        ]),
        ("keys-from-while-down", vec![
            (apply(), GOOD), (Stop, NOTHING), (Source("junk"), NOTHING), (Set(keys_from()), NOTHING),
            (Start, "False NotAJwks KeysValid-NotAJwks:"), (Set(json!({ "keysFrom": null })), GOOD),
        ]),
        ("keys-from-suspended", vec![
            (Source("ed"), NOTHING), (Set(keys_from()), GOOD), (Set(json!({ "suspend": true })), GOOD), (Source("ec"), GOOD),
            (NoOutput, "True Ready: no output"), (Set(json!({ "suspend": false })), "True Ready: ec"),
        ]),
    ]
}

impl Idp<'_> {
    async fn undergo(&mut self, event: &Event) {
        let (scene, name) = (self.scene, self.name.clone());
        let output = format!("{name}-jwks");
        match event {
            Set(change) => {
                let text = change.to_string().replace("SOURCE", &format!("{name}-source"));
                self.set(&serde_json::from_str(&text).unwrap()).await;
            }
            Answers(what) => self.answers(what),
            Source(keys) => self.source(&format!("{name}-source"), keys).await,
            NoSource => scene.delete::<ConfigMap>(&format!("{name}-source")).await,
            NoOutput => scene.delete::<ConfigMap>(&output).await,
            Plant(key) => {
                let ours = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": output,
                        "labels": { "idp-operator.dev/managed": "true" },
                        "annotations": { "idp-operator.dev/identity-provider": name },
                    },
                    "data": { "jwks.json": set(key) },
                });
                let params = PatchParams::apply("planter").force();
                scene.api::<ConfigMap>().patch(&output, &params, &Patch::Apply(ours)).await.unwrap();
            }
            Refresh(token) => {
                let patch = json!({ "metadata": { "annotations": { "idp-operator.dev/refresh": token } } });
                scene.merge::<IdentityProvider>(&name, patch).await;
            }
            Seen(ago) => {
                assert_eq!(*ago, "2 days ago");
                let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
                let patch = Patch::Merge(json!({ "status": { "keys": { "verifiedTime": at.to_string() } } }));
                scene.api::<IdentityProvider>().patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
            }
            Stop | Start => {}
        }
    }

    /// Undergoes what comes until the operator is stopped, or started again.
    async fn live(&mut self, events: &mut Peekable<IntoIter<(Event, &'static str)>>, is_up: bool) {
        while let Some((event, expected)) = events.next_if(|(event, _)| is_up || !matches!(event, Start)) {
            self.undergo(&event).await;
            if matches!(event, Stop) {
                break;
            }
            if !expected.is_empty() {
                self.comes_to(expected).await;
            }
        }
    }
}

#[tokio::test]
async fn every_way_from_one_state_of_keys_to_the_next() {
    let scene = &Scene::new("keys").await;
    let mut lives = Vec::new();
    for (name, events) in rows() {
        lives.push((Idp::new(scene, name).await, events.into_iter().peekable()));
    }
    let mut operator = Some(scene.operator().await);
    // A row that is stopped is started again.
    for is_up in [true, false, true, false, true] {
        match operator.take() {
            Some(running) if !is_up => running.drained().await,
            Some(running) => operator = Some(running),
            None => {
                let started = scene.operator().await;
                // What was told before the stop is told until all are judged anew.
                #[allow(clippy::cast_precision_loss)] // some
                while started.metric("idp_operator_reconciles_total", &["IdentityProvider"]).await < lives.len() as f64
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                operator = Some(started);
            }
        }
        future::join_all(lives.iter_mut().map(|(idp, events)| async move {
            idp.live(events, is_up).await;
        }))
        .await;
    }
    for (idp, mut events) in lives {
        assert!(events.peek().is_none(), "{} is not over", idp.name);
    }
}
