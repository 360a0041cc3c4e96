//! Nobody's ids are told: links of all kinds of verdicts are made, promoted, refused and broken, and their users' ids and
//! names are looked for wherever the operator writes.

use std::{collections::BTreeSet, time::Duration};

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use k8s_openapi::{
    api::{core::v1::ConfigMap, events::v1::Event},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{list, needles::Needles};
use crate::support::{
    KeyServer, Operator, Plane, Scene,
    key_server::{ED25519, jwks},
    scene::core,
};

/// What is told of nobody, as it is made up here.
#[derive(Default)]
struct People(BTreeSet<Vec<u8>>);

impl People {
    /// Somebody's id or name, to be looked for.
    fn secret(&mut self, what: &str) -> String {
        let secret = format!("{what}-{}-nobody's business", 1000 + self.0.len());
        self.0.insert(secret.clone().into_bytes());
        secret
    }

    fn link(&mut self, idp: &str, change: &Value) -> Value {
        let mut link = json!({
            "userId": self.secret("user"), "idpRef": { "name": idp }, "idpUserId": self.secret("id"),
            "idpUserName": self.secret("name"),
        });
        crate::bad_input::merge(&mut link, change);
        link
    }
}

/// From now on the API server takes anything for `suspend`; the operator does not.
async fn loosen(scene: &Scene) {
    let crds = Api::<CustomResourceDefinition>::all(scene.client.clone());
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/suspend";
    let loose = json!([{ "op": "replace", "path": field, "value": { "x-kubernetes-preserve-unknown-fields": true } }]);
    let patch = Patch::Json::<()>(serde_json::from_value(loose).unwrap());
    crds.patch("useridpauthenticators.idp-operator.dev", &PatchParams::default(), &patch).await.unwrap();
}

/// Makes a link unreadable, by a value that is somebody's too. The API server takes a moment to know that it may be.
async fn spoil(scene: &Scene, operator: &Operator, name: &str, secret: &str) {
    let count = async || operator.metric("idp_operator_unreadable_objects", &["UserIdpAuthenticator"]).await;
    let before = count().await;
    let resource = ApiResource::erase::<UserIdpAuthenticator>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    let patch = Patch::Merge(json!({ "spec": { "suspend": secret } }));
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while api.patch(name, &PatchParams::default(), &patch).await.is_err() || count().await <= before {
        assert!(std::time::Instant::now() < deadline, "{name} can be read:\n{}", operator.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Everything that the operator writes, and all there is but the links' specs.
async fn all_that_is_told(scene: &Scene, operator: &Operator) -> Vec<(&'static str, String)> {
    let resource = ApiResource::erase::<UserIdpAuthenticator>(&());
    let links: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    let links = links.list(&ListParams::default()).await.unwrap().items;
    let links: Vec<_> = links.iter().map(|link| (&link.metadata, &link.data["status"])).collect();
    vec![
        ("log", operator.log()),
        ("events", list::<Event>(scene).await),
        ("metrics", operator.get("/metrics").await.1),
        ("statuses", serde_json::to_string(&links).unwrap()),
        ("identity providers", list::<IdentityProvider>(scene).await),
        ("configmaps", list::<ConfigMap>(scene).await),
    ]
}

#[tokio::test]
async fn nobody_s_ids_are_told_by_logs_events_metrics_or_statuses_whatever_becomes_of_a_link() {
    let plane = Plane::start();
    let scene = Scene::on(&plane, "hygiene-links").await;
    loosen(&scene).await;
    let operator = scene.start_by(&plane.operator_kubeconfig).arg("--log-level=trace").ready().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    for (name, allowed) in [("login", true), ("closed", false)] {
        let spec = json!({
            "jwtEndpoint": "https://login.example.com/jwt", "issuer": format!("https://{name}.example.com"),
            "keysEndpoint": server.url("/keys"), "allowInsecureHttp": true, "linkingAllowed": allowed,
        });
        scene.apply::<IdentityProvider>(name, spec).await;
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    let mut people = People::default();
    let link = |reason: &'static str| (if reason == "IdentitySet" { "True" } else { "False" }, reason);
    let good = people.link("login", &json!({}));
    scene.apply::<UserIdpAuthenticator>("good", good.clone()).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let [user, id] = ["userId", "idpUserId"].map(|field| json!({ field: good[field] }));
    let both = json!({ "userId": good["userId"], "idpUserId": good["idpUserId"] });
    let of_good = json!({ "userId": good["userId"], "requires": [{ "name": "login" }] });
    let rows = [
        ("same-user", people.link("login", &user), link("UserAlreadyLinked")),
        ("same-id", people.link("login", &id), link("AlreadyLinked")),
        ("same-both", people.link("login", &both), link("AlreadyLinked")),
        (
            "missing",
            people.link("login", &json!({ "requires": [{ "name": "closed" }] })),
            link("MissingLinkedIdentity"),
        ),
        ("nowhere", people.link("nowhere", &json!({})), link("IdpNotFound")),
        ("by-id", people.link("nowhere", &json!({ "idpRef": null, "idpId": "nowhere" })), link("IdpNotFound")),
        ("closed", people.link("closed", &of_good), link("LinkingNotAllowed")),
    ];
    for (name, spec, (status, reason)) in rows {
        scene.apply::<UserIdpAuthenticator>(name, spec).await;
        scene.verdict::<UserIdpAuthenticator>(name, status, reason).await;
    }
    // What the API server refuses, nobody else hears of.
    let wrong = people.link("login", &json!({ "idpId": "1" }));
    scene.try_apply::<UserIdpAuthenticator>("wrong", wrong).await.unwrap_err();

    // One that can't be read keeps what it has; who requires it is told that it is not ready.
    scene.merge::<IdentityProvider>("closed", json!({ "spec": { "linkingAllowed": true } })).await;
    scene.verdict::<UserIdpAuthenticator>("closed", "True", "IdentitySet").await;
    spoil(&scene, &operator, "good", &people.secret("suspend")).await;
    let told = scene.verdict::<UserIdpAuthenticator>("closed", "False", "MissingLinkedIdentity").await;
    let message = core(&told).condition("Ready").unwrap().message.clone();
    assert!(message.contains("that of 'login' is not ready"), "{message}");
    for name in ["same-user", "same-id", "same-both"] {
        let link = scene.api::<UserIdpAuthenticator>().get(name).await.unwrap();
        assert_eq!(core(&link).condition("LinkUnique").unwrap().status, "False", "{name}");
    }
    scene.merge::<UserIdpAuthenticator>("good", json!({ "spec": { "suspend": false } })).await;
    scene.verdict::<UserIdpAuthenticator>("closed", "True", "IdentitySet").await;
    spoil(&scene, &operator, "good", &people.secret("suspend")).await;
    // It may be as old as the others, to the second.
    scene.delete::<UserIdpAuthenticator>("same-both").await;
    scene.delete::<UserIdpAuthenticator>("good").await;
    scene.verdict::<UserIdpAuthenticator>("same-id", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("same-user", "True", "IdentitySet").await;
    scene.verdict::<UserIdpAuthenticator>("closed", "True", "IdentitySet").await;
    scene.event("UserIdpAuthenticator/same-id Normal IdentitySet").await;

    let needles = Needles::new(&people.0);
    // It finds what is there.
    let specs = list::<UserIdpAuthenticator>(&scene).await;
    assert!(needles.found_in(&specs).len() > 15, "{:?}", needles.found_in(&specs));
    let mut leaks = Vec::new();
    for (place, text) in all_that_is_told(&scene, &operator).await {
        assert!(!text.is_empty(), "no {place}");
        leaks.extend(needles.found_in(&text).iter().take(3).map(|found| format!("{place}: {found}")));
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
