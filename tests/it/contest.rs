//! Contests: what only one object can have is the oldest one's.

use std::time::Duration;

use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use rstest::rstest;
use serde_json::json;

use crate::support::{
    KeyServer, Operator, Plane, Scene,
    key_server::{ED25519, jwks},
    operator::Start,
    ready,
    scene::{conditions, core, version},
};

async fn operator(scenes: &[&Scene]) -> Operator {
    let mut start = Start::new(&Plane::shared().operator_kubeconfig).arg("--allow-cidr=127.0.0.0/8");
    for scene in scenes {
        start = start.arg("--watch-namespace").arg(&scene.namespace);
    }
    start.ready().await
}

/// Whose `Ready` is True, and how many others there are, all with this reason.
async fn winner(scenes: &[Scene], count: usize, reason: &str) -> (usize, String) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let mut ready_ones = Vec::new();
        let mut losers = 0;
        for (position, scene) in scenes.iter().enumerate() {
            for object in scene.api::<TenantJwtSecret>().list(&kube::api::ListParams::default()).await.unwrap() {
                match ready(&object) {
                    Some((status, ..)) if status == "True" => ready_ones.push((position, object.name_any())),
                    Some((_, why, _)) if why == reason => losers += 1,
                    _ => {}
                }
            }
        }
        if ready_ones.len() == 1 && losers + 1 == count {
            return ready_ones.remove(0);
        }
        assert!(std::time::Instant::now() < deadline, "{ready_ones:?} and {losers} losers of {count}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until nothing has been written for a second. Returns how much was.
async fn quiet(operator: &Operator) -> f64 {
    let mut writes = operator.writes().await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = operator.writes().await;
        if (now - writes).abs() < f64::EPSILON {
            return now;
        }
        writes = now;
    }
}

#[rstest]
#[case::two(2)]
#[case::five(5)]
#[case::fifty(50)]
#[tokio::test]
async fn a_tenant_is_held_by_the_oldest_over_all_namespaces_and_passes_on_when_it_goes(#[case] count: usize) {
    let scenes = [Scene::new("tenant").await, Scene::new("tenant").await, Scene::new("tenant").await];
    let operator = operator(&scenes.each_ref()).await;
    for number in 0..count {
        let tenant = if number % 2 == 0 { "acme.example.com" } else { "ACME.Example.com" };
        let spec = json!({ "tenantId": tenant, "signingAlgorithm": "HS256" });
        scenes[number % 3].apply::<TenantJwtSecret>(&format!("o{number:02}"), spec).await;
        if number == 0 {
            // Creation times are whole seconds: from the next one on all are younger.
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
    }
    assert_eq!(winner(&scenes, count, "TenantConflict").await, (0, "o00".to_owned()));
    let mut left = count;
    for _ in 0..3.min(count - 1) {
        let (position, name) = winner(&scenes, left, "TenantConflict").await;
        let before = quiet(&operator).await;
        // Settled, nobody writes, not even when all are looked at again.
        for scene in &scenes {
            for object in scene.api::<TenantJwtSecret>().list(&kube::api::ListParams::default()).await.unwrap() {
                let poke = json!({ "metadata": { "annotations": { "poked": left.to_string() } } });
                scene.merge::<TenantJwtSecret>(&object.name_any(), poke).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!((operator.writes().await - before).abs() < f64::EPSILON);
        scenes[position].delete::<TenantJwtSecret>(&name).await;
        left -= 1;
        let (next, _) = winner(&scenes, left, "TenantConflict").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The promoted one's Secret, status and Event; and one status for each that no longer, or only now, is told the
        // holder's name.
        let mut told = 0;
        for scene in [&scenes[position], &scenes[next]] {
            told += scene.api::<TenantJwtSecret>().list(&kube::api::ListParams::default()).await.unwrap().items.len();
        }
        let writes = operator.writes().await - before;
        #[allow(clippy::cast_precision_loss)] // at most 50
        let most = 3.0 + told as f64;
        assert!(writes <= most, "{writes} writes for one promotion, {most} at most");
    }
}

#[tokio::test]
async fn a_loser_learns_of_the_holder_only_in_its_own_namespace_and_keeps_the_secret_that_it_has() {
    let (here, there) = (Scene::new("near").await, Scene::new("far").await);
    let spec = json!({ "tenantId": "acme", "signingAlgorithm": "HS256" });
    here.apply::<TenantJwtSecret>("older", spec.clone()).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    there.apply::<TenantJwtSecret>("younger", spec.clone()).await;
    here.apply::<TenantJwtSecret>("younger", spec).await;
    let alone = operator(&[&there]).await;
    there.verdict::<TenantJwtSecret>("younger", "True", "Ready").await;
    let secret = there.api::<Secret>().get("younger-jwt").await.unwrap();
    alone.terminate();

    let _both = operator(&[&here, &there]).await;
    let far: TenantJwtSecret = there.verdict("younger", "False", "TenantConflict").await;
    let message = |object: &TenantJwtSecret| core(object).condition("Ready").unwrap().message.clone();
    assert_eq!(
        message(&far),
        "tenantId must be held by one object: an older TenantJwtSecret in another namespace holds it; delete one of them"
    );
    assert_eq!(
        conditions(&core(&far)),
        [
            "AlgorithmConfigured=Unknown NotEvaluated",
            "Ready=False TenantConflict",
            "SecretConfigured=Unknown NotEvaluated",
            "Stalled=True TenantConflict",
            "TenantValid=False TenantConflict",
        ]
    );
    let status = far.status.unwrap();
    assert_eq!((status.core.errors[0].status.as_str(), status.last_error), ("403", None));
    assert_eq!(status.secret_name.as_deref(), Some("younger-jwt"));
    assert_eq!(version(&there.api::<Secret>().get("younger-jwt").await.unwrap()), version(&secret));

    let near: TenantJwtSecret = here.verdict("younger", "False", "TenantConflict").await;
    assert_eq!(
        message(&near),
        "tenantId must be held by one object: the older TenantJwtSecret 'older' holds it; delete one of them"
    );
    assert!(here.api::<Secret>().get_opt("younger-jwt").await.unwrap().is_none());
    here.verdict::<TenantJwtSecret>("older", "True", "Ready").await;

    // One that is being deleted holds nothing; one that is suspended does.
    here.merge::<TenantJwtSecret>("older", json!({ "spec": { "suspend": true } })).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(ready(&here.api::<TenantJwtSecret>().get("younger").await.unwrap()).unwrap().1, "TenantConflict");
    here.merge::<TenantJwtSecret>("older", json!({ "metadata": { "finalizers": ["example.com/hold"] } })).await;
    here.delete::<TenantJwtSecret>("older").await;
    let promoted = async |scene: &Scene| {
        let object = scene.api::<TenantJwtSecret>().get("younger").await.unwrap();
        ready(&object).is_some_and(|(status, ..)| status == "True")
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !promoted(&here).await && !promoted(&there).await {
        assert!(std::time::Instant::now() < deadline, "nobody is promoted");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    here.merge::<TenantJwtSecret>("older", json!({ "metadata": { "finalizers": null } })).await;
}

#[tokio::test]
async fn an_issuer_is_held_by_the_oldest_and_a_loser_s_keys_are_withdrawn() {
    let scene = Scene::new("issuer").await;
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let spec = |issuer: &str| {
        json!({
            "jwtEndpoint": "https://login.example.com/jwt", "issuer": issuer,
            "keysEndpoint": server.url("/keys"), "allowInsecureHttp": true,
        })
    };
    let _operator = scene.operator().await;
    scene.apply::<IdentityProvider>("older", spec("https://a.example.com")).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    scene.apply::<IdentityProvider>("younger", spec("https://b.example.com")).await;
    // Byte for byte: another case is another issuer.
    scene.apply::<IdentityProvider>("other", spec("https://A.example.com")).await;
    for name in ["older", "younger", "other"] {
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    scene.apply::<IdentityProvider>("younger", spec("https://a.example.com")).await;
    let loser: IdentityProvider = scene.verdict("younger", "False", "DuplicateIssuer").await;
    assert_eq!(
        core(&loser).errors[0].detail,
        "issuer must be unique in the namespace: the older IdentityProvider 'older' has it; delete one of them or change its issuer"
    );
    assert_eq!(
        conditions(&core(&loser)),
        [
            "Active=True Succeeded",
            "AudienceChecked=False NoAudiences",
            "ExamplesPassed=Unknown NotEvaluated",
            "IssuerUnique=False DuplicateIssuer",
            "KeysFresh=Unknown NotEvaluated",
            "KeysReachable=Unknown NotEvaluated",
            "KeysValid=Unknown NotEvaluated",
            "Published=Unknown NotEvaluated",
            "Ready=False DuplicateIssuer",
            "ReferencesResolved=Unknown NotEvaluated",
            "Stalled=True DuplicateIssuer",
        ]
    );
    assert_eq!(loser.status.unwrap().keys, None);
    let withdrawn = scene.api::<ConfigMap>().get("younger-jwks").await.unwrap().data.unwrap();
    assert_eq!(withdrawn.into_iter().collect::<Vec<_>>(), [("jwks.json".into(), r#"{"keys":[]}"#.into())]);

    // It is promoted when the holder turns to another issuer.
    scene.apply::<IdentityProvider>("older", spec("https://c.example.com")).await;
    scene.verdict::<IdentityProvider>("younger", "True", "Ready").await;
    scene.verdict::<IdentityProvider>("older", "True", "Ready").await;
    // And the older one wins again when it comes back.
    scene.apply::<IdentityProvider>("older", spec("https://a.example.com")).await;
    scene.verdict::<IdentityProvider>("younger", "False", "DuplicateIssuer").await;
    scene.delete::<IdentityProvider>("older").await;
    scene.verdict::<IdentityProvider>("younger", "True", "Ready").await;
}

#[tokio::test]
async fn a_strategy_s_id_is_held_by_the_oldest_of_the_namespace() {
    let scene = Scene::new("id").await;
    let _operator = scene.operator().await;
    let id = "12345678-90ab-cdef-fedc-ab0987654321";
    scene.apply::<StrategyInstance>("older", json!({ "type": "userpass", "id": id })).await;
    // Without an id of its own it goes by its UID.
    let plain: StrategyInstance = scene.apply("plain", json!({ "type": "userpass" })).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    scene.apply::<StrategyInstance>("younger", json!({ "type": "userpass", "id": id })).await;
    scene.apply::<StrategyInstance>("thief", json!({ "type": "userpass", "id": plain.uid() })).await;
    for (name, holder) in [("younger", "older"), ("thief", "plain")] {
        let loser: StrategyInstance = scene.verdict(name, "False", "DuplicateId").await;
        assert_eq!(
            core(&loser).condition("Ready").unwrap().message,
            format!(
                "id must be unique in the namespace: the older StrategyInstance '{holder}' has it; delete one of them"
            )
        );
        assert_eq!(
            serde_json::to_value(loser.status.unwrap().effective).unwrap(),
            json!({ "isLoginActive": false, "isSelfRegisterActive": false, "isSyncActive": false, "doesImplicitRegister": false })
        );
        scene.verdict::<StrategyInstance>(holder, "True", "Ready").await;
        scene.delete::<StrategyInstance>(holder).await;
        scene.verdict::<StrategyInstance>(name, "True", "Ready").await;
    }
}
