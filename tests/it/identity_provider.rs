//! `IdentityProvider` on the real API server, with a real endpoint.

use idp_operator::api::{IdentityProvider, UserIdpAuthenticator};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::json;

use crate::support::{
    KeyServer, Plane, Scene,
    key_server::{ED25519, P256, jwks},
    operator::Start,
    scene::{conditions, core, version},
};

fn spec(keys_endpoint: &str) -> serde_json::Value {
    json!({
        "jwtEndpoint": "https://login.example.com/jwt",
        "issuer": "https://login.example.com",
        "keysEndpoint": keys_endpoint,
        "allowInsecureHttp": keys_endpoint.starts_with("http:"),
    })
}

fn published(configmap: &ConfigMap) -> serde_json::Value {
    let text = configmap.data.as_ref().and_then(|data| data.get("jwks.json")).cloned().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[tokio::test]
async fn keys_are_fetched_judged_and_published() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519, P256])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    let object: IdentityProvider = scene.verdict("login", "True", "Ready").await;
    let configmap = scene.api::<ConfigMap>().get("login-jwks").await.unwrap();

    assert_eq!(
        published(&configmap),
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "use": "sig",
              "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "use": "sig",
              "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
        ] })
    );
    assert_eq!(configmap.data.as_ref().unwrap()["issuer"], "https://login.example.com");
    assert_eq!(configmap.labels()["idp-operator.dev/managed"], "true");
    assert_eq!(configmap.annotations()["idp-operator.dev/identity-provider"], "login");
    let owner = &configmap.owner_references()[0];
    assert_eq!((&owner.uid, owner.controller, owner.block_owner_deletion), (&object.uid().unwrap(), None, None));

    let status = object.status.clone().unwrap();
    assert_eq!(status.idp_id, object.uid());
    let keys = status.keys.unwrap();
    assert_eq!(
        (keys.count, keys.key_ids, keys.algorithms),
        (2, vec!["ec".into(), "ed".into()], vec!["ES256".into(), "EdDSA".into()])
    );
    let details = status.details.unwrap();
    assert_eq!((details.sequence.as_str(), &details.resource_owner), ("1", &scene.namespace));
    assert_eq!(details.creation_date, object.creation_timestamp());
    assert_eq!(
        conditions(&core(&object)),
        [
            "Active=True Succeeded",
            "AudienceChecked=False NoAudiences",
            "ExamplesPassed=True Succeeded",
            "IssuerUnique=True Succeeded",
            "KeysFresh=True Succeeded",
            "KeysReachable=True Succeeded",
            "KeysValid=True Succeeded",
            "Published=True Succeeded",
            "Ready=True Ready",
            "ReferencesResolved=True Succeeded",
        ]
    );
    assert_eq!(server.hits(), 1);
    assert_eq!(scene.events().await, Vec::<String>::new());
}

#[rstest]
#[case::not_found(
    "404 Not Found",
    "",
    "{}",
    "UnexpectedStatus",
    "503",
    "keysEndpoint answered with HTTP status 404: it must answer GET with 200"
)]
#[case::redirect(
    "302 Found",
    "location: http://169.254.169.254/\r\n",
    "",
    "RedirectRefused",
    "503",
    "keysEndpoint answered with redirect 302: it must be the URL of the keys themselves"
)]
#[case::html(
    "200 OK",
    "",
    "<html>",
    "NotAJwks",
    "400",
    "keysEndpoint must answer with a JWK Set (RFC 7517) of at most 64 keys: {\"keys\": [..]}"
)]
#[tokio::test]
async fn an_endpoint_without_good_keys_is_told_by_what_is_wrong(
    #[case] status: &str,
    #[case] headers: &str,
    #[case] body: &str,
    #[case] reason: &str,
    #[case] http: &str,
    #[case] message: &str,
) {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http("").await;
    server.answer(status, headers, body);
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    let object: IdentityProvider = scene.verdict("login", "False", reason).await;
    let status = object.status.unwrap();
    let error = &status.core.errors[0];
    assert_eq!(
        (error.status.as_str(), error.detail.as_str(), error.source.pointer.as_str()),
        (http, message, "/spec/keysEndpoint")
    );
    assert_eq!(status.core.condition("Ready").unwrap().message, message);
    assert!(scene.api::<ConfigMap>().get_opt("login-jwks").await.unwrap().is_none());

    // Good keys heal it, without an edit.
    server.answer("200 OK", "", &jwks(&[ED25519]));
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_unreachable() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    // Bound and never listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = format!("http://{}/keys", socket.local_addr().unwrap());
    scene.apply::<IdentityProvider>("login", spec(&closed)).await;
    let object: IdentityProvider = scene.verdict("login", "False", "KeysUnreachable").await;
    assert_eq!(
        conditions(&core(&object)),
        [
            "Active=True Succeeded",
            "AudienceChecked=False NoAudiences",
            "ExamplesPassed=Unknown NotEvaluated",
            "IssuerUnique=True Succeeded",
            "KeysFresh=Unknown NotEvaluated",
            "KeysReachable=False KeysUnreachable",
            "KeysValid=Unknown NotEvaluated",
            "Published=Unknown NotEvaluated",
            "Ready=False KeysUnreachable",
            "Reconciling=True KeysUnreachable",
            "ReferencesResolved=True Succeeded",
        ]
    );
    scene.event("IdentityProvider/login Warning KeysUnreachable").await;
}

#[tokio::test]
async fn loopback_is_not_called_without_leave() {
    let scene = Scene::new("idp").await;
    let operator = Start::new(&Plane::shared().operator_kubeconfig).arg("--watch-namespace").arg(&scene.namespace);
    let _operator = operator.ready().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    let object: IdentityProvider = scene.verdict("login", "False", "AddressForbidden").await;
    assert!(conditions(&core(&object)).contains(&"Stalled=True AddressForbidden".to_owned()));
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn https_needs_a_trusted_certificate() {
    let scene = Scene::new("idp").await;
    let (server, certificate) = KeyServer::https(&jwks(&[ED25519])).await;
    let operator = scene.operator().await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    scene.verdict::<IdentityProvider>("login", "False", "TlsFailed").await;
    operator.terminate();

    let authorities = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authorities.path(), certificate).unwrap();
    let _operator = scene.start().env("SSL_CERT_FILE", authorities.path().to_str().unwrap()).ready().await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
}

#[tokio::test]
async fn another_endpoint_is_asked_at_once_and_another_key_set_is_told() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/a"))).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    server.answer("200 OK", "", &jwks(&[P256]));
    scene.apply::<IdentityProvider>("login", spec(&server.url("/b"))).await;
    let object: IdentityProvider = scene.verdict("login", "True", "Ready").await;
    let status = object.status.unwrap();
    assert_eq!(
        (status.keys.unwrap().key_ids, status.details.unwrap().sequence),
        (vec!["ec".to_owned()], "2".to_owned())
    );
    scene.event("IdentityProvider/login Normal SigningKeysRotated").await;
    scene.until::<ConfigMap>("login-jwks", |configmap| published(configmap)["keys"][0]["kid"] == "ec").await;
}

#[tokio::test]
async fn a_published_private_key_withdraws_every_key() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/a"))).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    server.answer("200 OK", "", &jwks(&[&ED25519.replace('}', r#","d":"AA"}"#)]));
    scene.apply::<IdentityProvider>("login", spec(&server.url("/b"))).await;
    let object: IdentityProvider = scene.verdict("login", "False", "PrivateKeyPublished").await;
    assert_eq!(object.status.unwrap().keys, None);
    let configmap = scene.api::<ConfigMap>().get("login-jwks").await.unwrap();
    assert_eq!(
        configmap.data.unwrap().into_iter().collect::<Vec<_>>(),
        [("jwks.json".into(), r#"{"keys":[]}"#.into())]
    );
}

#[tokio::test]
async fn a_foreign_configmap_is_never_touched_and_its_going_heals() {
    let scene = Scene::new("idp").await;
    let foreign: ConfigMap =
        serde_json::from_value(json!({ "metadata": { "name": "login-jwks" }, "data": { "a": "b" } })).unwrap();
    let foreign = scene.api::<ConfigMap>().create(&kube::api::PostParams::default(), &foreign).await.unwrap();
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    let object: IdentityProvider = scene.verdict("login", "False", "PublishConflict").await;
    assert!(conditions(&core(&object)).contains(&"Stalled=True PublishConflict".to_owned()));
    assert_eq!(version(&scene.api::<ConfigMap>().get("login-jwks").await.unwrap()), version(&foreign));
    scene.delete::<ConfigMap>("login-jwks").await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
}

#[tokio::test]
async fn a_damaged_or_lost_output_is_healed() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    let planted = json!({ "metadata": { "labels": null }, "data": { "jwks.json": "{\"keys\":[{\"kty\":\"planted\"}]}", "mine": "x" } });
    scene.merge::<ConfigMap>("login-jwks", planted).await;
    let healed = scene
        .until::<ConfigMap>("login-jwks", |configmap| {
            published(configmap)["keys"][0]["kid"] == "ed" && configmap.labels().len() == 1
        })
        .await;
    assert_eq!(healed.data.as_ref().unwrap()["mine"], "x");
    scene.delete::<ConfigMap>("login-jwks").await;
    scene
        .until::<ConfigMap>("login-jwks", |configmap| {
            configmap.uid() != healed.uid() && published(configmap)["keys"][0]["kid"] == "ed"
        })
        .await;
    // None of it was worth another fetch.
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn keys_of_another_endpoint_or_issuer_are_withdrawn_when_the_new_one_fails() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    server.answer("500 Internal Server Error", "", "");
    let mut renamed = spec(&server.url("/keys"));
    renamed["issuer"] = json!("https://another.example.com");
    scene.apply::<IdentityProvider>("login", renamed).await;
    let object: IdentityProvider = scene.verdict("login", "False", "UnexpectedStatus").await;
    assert_eq!(object.status.unwrap().keys, None);
    let configmap = scene.api::<ConfigMap>().get("login-jwks").await.unwrap();
    assert_eq!(
        configmap.data.unwrap().into_iter().collect::<Vec<_>>(),
        [("jwks.json".into(), r#"{"keys":[]}"#.into())]
    );
}

#[tokio::test]
async fn an_outage_over_a_restart_keeps_the_last_good_keys_but_no_planted_ones() {
    let scene = Scene::new("idp").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let operator = scene.operator().await;
    for name in ["kept", "planted"] {
        let mut spec = spec(&server.url("/keys"));
        spec["issuer"] = json!(name);
        scene.apply::<IdentityProvider>(name, spec).await;
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    operator.terminate();
    server.answer("503 Service Unavailable", "", "");
    let kept = scene.api::<ConfigMap>().get("kept-jwks").await.unwrap();
    scene.merge::<ConfigMap>("planted-jwks", json!({ "data": { "jwks.json": jwks(&[P256]) } })).await;

    for _ in 0..2 {
        let operator = scene.operator().await;
        let object = scene
            .until::<IdentityProvider>("kept", |object| {
                conditions(&core(object)).contains(&"KeysReachable=False UnexpectedStatus".to_owned())
            })
            .await;
        let status = object.status.unwrap();
        assert_eq!(status.core.condition("Ready").unwrap().status, "True");
        assert_eq!(
            status.core.condition("KeysReachable").unwrap().message,
            "keysEndpoint answered with HTTP status 503: it must answer GET with 200; \
             the last good keys stay published"
        );
        scene.verdict::<IdentityProvider>("planted", "False", "UnexpectedStatus").await;
        assert_eq!(version(&scene.api::<ConfigMap>().get("kept-jwks").await.unwrap()), version(&kept));
        let planted = scene.api::<ConfigMap>().get("planted-jwks").await.unwrap();
        assert_eq!(published(&planted), json!({ "keys": [] }));
        operator.terminate();
    }
}

#[tokio::test]
async fn keys_are_fetched_again_after_the_interval_and_an_edit_of_it_counts_at_once() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    scene.apply::<IdentityProvider>("login", spec(&server.url("/keys"))).await;
    let object: IdentityProvider = scene.verdict("login", "True", "Ready").await;
    assert_eq!(serde_json::to_value(&object.status.unwrap().details).unwrap()["sequence"], "1");
    assert_eq!(server.hits(), 1);
    // By default that would be minutes.
    let mut often = spec(&server.url("/keys"));
    often["keys"] = json!({ "refreshInterval": "30s" });
    let asked = std::time::Instant::now();
    scene.apply::<IdentityProvider>("login", often).await;
    let object: IdentityProvider = scene.verdict("login", "True", "Ready").await;
    assert_eq!(serde_json::to_value(&object.status.unwrap().details).unwrap()["sequence"], "2");
    for hits in 2..=3 {
        while server.hits() < hits {
            assert!(asked.elapsed() < std::time::Duration::from_secs(90), "{} fetches", server.hits());
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    // Up to a quarter early, so that many don't come together; the first one at once after the edit at the latest.
    assert!(asked.elapsed() >= std::time::Duration::from_secs(45), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn an_inactive_one_publishes_nothing_frees_its_issuer_and_starts_as_new() {
    let scene = Scene::new("idp").await;
    let operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let with = |state: &str| {
        let mut spec = spec(&server.url("/keys"));
        spec["state"] = json!(state);
        spec
    };
    scene.apply::<IdentityProvider>("login", with("Active")).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    let link = json!({ "userId": "1", "idpRef": { "name": "login" }, "idpUserId": "2", "idpUserName": "3" });
    scene.apply::<UserIdpAuthenticator>("link", link).await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;

    scene.apply::<IdentityProvider>("login", with("Inactive")).await;
    let object: IdentityProvider = scene.verdict("login", "True", "Inactive").await;
    assert_eq!(
        conditions(&core(&object)),
        [
            "Active=False Inactive",
            "AudienceChecked=False NoAudiences",
            "ExamplesPassed=Unknown NotEvaluated",
            "IssuerUnique=Unknown NotEvaluated",
            "KeysFresh=Unknown NotEvaluated",
            "KeysReachable=Unknown NotEvaluated",
            "KeysValid=Unknown NotEvaluated",
            "Published=Unknown NotEvaluated",
            "Ready=True Inactive",
            "ReferencesResolved=Unknown NotEvaluated",
        ]
    );
    let status = object.status.clone().unwrap();
    assert_eq!((status.keys, status.core.errors.len(), status.details.unwrap().sequence.as_str()), (None, 0, "2"));
    let configmap = scene.api::<ConfigMap>().get("login-jwks").await.unwrap();
    assert_eq!((published(&configmap), configmap.data.unwrap().len()), (json!({ "keys": [] }), 1));
    let object: UserIdpAuthenticator = scene.verdict("link", "False", "IdpInactive").await;
    assert!(conditions(&core(&object)).contains(&"Stalled=True IdpInactive".to_owned()));

    // Its issuer is free, and it is not fetched for. Creation times are whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    scene.apply::<IdentityProvider>("other", with("Active")).await;
    scene.verdict::<IdentityProvider>("other", "True", "Ready").await;
    assert_eq!(server.hits(), 2);
    let before = version(&scene.api::<IdentityProvider>().get("login").await.unwrap());
    operator.terminate();
    let _operator = scene.operator().await;
    while server.hits() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(version(&scene.api::<IdentityProvider>().get("login").await.unwrap()), before);

    // Active again, the older one has the issuer; the link waits for its keys.
    server.answer("500 Internal Server Error", "", "");
    scene.apply::<IdentityProvider>("login", with("Active")).await;
    scene.verdict::<IdentityProvider>("other", "False", "DuplicateIssuer").await;
    scene.verdict::<IdentityProvider>("login", "False", "UnexpectedStatus").await;
    scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotReady").await;
    server.answer("200 OK", "", &jwks(&[ED25519]));
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    scene.verdict::<UserIdpAuthenticator>("link", "True", "IdentitySet").await;
}

#[tokio::test]
async fn the_output_has_the_name_that_it_is_given_and_one_object_only() {
    let scene = Scene::new("idp").await;
    let _operator = scene.operator().await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let with = |issuer: &str| {
        let mut spec = spec(&server.url("/keys"));
        spec["publish"] = json!({ "configMapName": "keys" });
        spec["issuer"] = json!(issuer);
        spec
    };
    scene.apply::<IdentityProvider>("login", with("one")).await;
    scene.verdict::<IdentityProvider>("login", "True", "Ready").await;
    let configmap = scene.api::<ConfigMap>().get("keys").await.unwrap();
    assert_eq!(configmap.data.as_ref().unwrap()["issuer"], "one");
    assert!(scene.api::<ConfigMap>().get_opt("login-jwks").await.unwrap().is_none());
    scene.apply::<IdentityProvider>("other", with("two")).await;
    let object: IdentityProvider = scene.verdict("other", "False", "PublishConflict").await;
    assert_eq!(
        core(&object).condition("Ready").unwrap().message,
        "ConfigMap 'keys' was not made for this IdentityProvider: delete it, or name another one in publish.configMapName of a \
         new IdentityProvider"
    );
    assert_eq!(version(&scene.api::<ConfigMap>().get("keys").await.unwrap()), version(&configmap));
    // It is healed as any other.
    scene.delete::<ConfigMap>("keys").await;
    scene.until::<ConfigMap>("keys", |configmap| configmap.data.is_some()).await;
}
