//! Rights that one object needs at a time.

use idp_operator::api::{
    IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator, status::HasCore as _,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{super::audit::life, GROUP, Right, Stage, right};
use crate::{
    program::{so, soon},
    support::{
        Operator, Scene,
        key_server::{ED25519, P256, jwks},
        ready,
        scene::{Ours, conditions, core},
        tenant::text,
    },
};

/// Every right but those of the watches.
const RIGHTS: [Right; 13] = [
    right("", "secrets", "get"),
    right("", "secrets", "create"),
    right("", "secrets", "update"),
    right("", "configmaps", "get"),
    right("", "configmaps", "create"),
    right("", "configmaps", "update"),
    right(GROUP, "tenantjwtsecrets", "get"),
    right(GROUP, "identityproviders/status", "patch"),
    right(GROUP, "tenantjwtsecrets/status", "patch"),
    right(GROUP, "useridpauthenticators/status", "patch"),
    right(GROUP, "strategyinstances/status", "patch"),
    right("events.k8s.io", "events", "create"),
    right("events.k8s.io", "events", "patch"),
];

/// What a test does where a right is missing, and sees there.
struct Case<'a> {
    right: Right,
    scene: &'a Scene,
    operator: &'a Operator,
}

impl Case<'_> {
    /// The verdict is unknown, and says which right is missing.
    async fn is_told<K: Ours>(&self, name: &str, call: &str) {
        let object = self.scene.verdict::<K>(name, "Unknown", "InternalError").await;
        let expected =
            format!("could not {call}: the API server answered 403 Forbidden: {}", self.right.words(self.scene));
        assert_eq!(ready(&object).unwrap().2, expected);
        assert!(conditions(&core(&object)).contains(&"Reconciling=True InternalError".to_owned()));
    }

    async fn tenant(&self, name: &str, more: Value) {
        let mut spec = json!({ "tenantId": format!("{name}.{}", self.scene.namespace), "signingAlgorithm": "HS256" });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.scene.apply::<TenantJwtSecret>(name, spec).await;
    }

    async fn identity_provider(&self, name: &str, more: Value) {
        let mut spec = json!({
            "issuer": format!("https://{name}.example.com"),
            "jwtEndpoint": format!("https://{name}.example.com/jwt"),
            "keysEndpoint": format!("https://{name}.example.com/keys"),
            "allowInsecureHttp": true,
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.scene.apply::<IdentityProvider>(name, spec).await;
    }

    /// Is made without the right, and then to be replaced, which needs it.
    async fn rotation_waits(&self, call: &str) {
        self.tenant("made", json!({})).await;
        self.scene.verdict::<TenantJwtSecret>("made", "True", "Ready").await;
        let before: Secret = self.scene.api().get("made-jwt").await.unwrap();
        let rotate = json!({ "metadata": { "annotations": { "idp-operator.dev/rotate": "1" } } });
        self.scene.merge::<TenantJwtSecret>("made", rotate).await;
        self.is_told::<TenantJwtSecret>("made", call).await;
        assert_eq!(self.scene.api::<Secret>().get("made-jwt").await.unwrap(), before);
    }

    async fn strategy(&self, is_sync_active: bool) {
        let spec = json!({ "type": "userpass", "isSyncActive": is_sync_active });
        self.scene.apply::<StrategyInstance>("local", spec).await;
        let (status, reason) = if is_sync_active { ("False", "CapabilityNotSupported") } else { ("True", "Ready") };
        self.scene.verdict::<StrategyInstance>("local", status, reason).await;
    }

    /// The log names the right, and an object of this kind has no verdict.
    async fn is_logged<K: Ours>(&self, name: &str) {
        let words = self.right.words(self.scene);
        soon("the log names the right", async || so(self.operator.log().contains(&words))).await;
        let object: K = self.scene.api().get(name).await.unwrap();
        assert_eq!(object.status().map(|status| status.core().conditions.len()), Some(0));
    }
}

const FROM: &str = "keysFrom";

fn keys_from() -> Value {
    json!({ FROM: { "configMapKeyRef": { "name": "keys", "key": "jwks" } } })
}

async fn keys(scene: &Scene, key: &str) {
    let configmap = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "keys" }, "data": { "jwks": jwks(&[key]) },
    });
    let params = PatchParams::apply("it").force();
    scene.api::<ConfigMap>().patch("keys", &params, &Patch::Apply(&configmap)).await.unwrap();
}

impl Case<'_> {
    /// Needs the right, and sees what comes of its lack.
    async fn is_not_silent(&self) {
        let Right { resource, verb, .. } = self.right;
        let scene = self.scene;
        match (resource, verb) {
            ("secrets", "get") => self.rotation_waits("get Secret 'made-jwt'").await,
            ("secrets", "update") => self.rotation_waits("update Secret 'made-jwt'").await,
            ("secrets", "create") => {
                self.tenant("made", json!({})).await;
                self.is_told::<TenantJwtSecret>("made", "create Secret 'made-jwt'").await;
            }
            ("tenantjwtsecrets", "get") => {
                self.tenant("made", json!({})).await;
                let object = scene.verdict::<TenantJwtSecret>("made", "True", "Ready").await;
                let lie = format!("{}/999", object.metadata.uid.unwrap());
                let lie = json!({ "metadata": { "annotations": { "idp-operator.dev/written-for": lie } } });
                let before = scene.merge::<Secret>("made-jwt", lie).await;
                self.is_told::<TenantJwtSecret>("made", "get TenantJwtSecret 'made'").await;
                assert_eq!(scene.api::<Secret>().get("made-jwt").await.unwrap(), before);
            }
            ("tenantjwtsecrets/status", _) => {
                self.tenant("made", json!({})).await;
                scene.until::<Secret>("made-jwt", |_| true).await;
                self.is_logged::<TenantJwtSecret>("made").await;
            }
            ("useridpauthenticators/status", _) => {
                let link = json!({ "userId": "1", "idpRef": { "name": "none" }, "idpUserId": "2", "idpUserName": "3" });
                scene.apply::<UserIdpAuthenticator>("link", link).await;
                self.is_logged::<UserIdpAuthenticator>("link").await;
            }
            ("strategyinstances/status", _) => {
                scene.apply::<StrategyInstance>("local", json!({ "type": "userpass" })).await;
                self.is_logged::<StrategyInstance>("local").await;
            }
            ("events", _) => self.verdicts_do_without_events().await,
            _ => self.keys_wait().await,
        }
        let refused = [format!("verb=\"{verb}\""), format!("kind=\"{resource}\""), "code=\"403\"".to_owned()];
        let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
        let count = self.operator.metric("idp_operator_api_requests_total", &refused).await;
        assert!(count >= 1.0, "{:?} is not counted", self.right);
    }

    async fn keys_wait(&self) {
        let Right { resource, verb, .. } = self.right;
        keys(self.scene, ED25519).await;
        self.identity_provider("offline", keys_from()).await;
        let published = async || self.scene.api::<ConfigMap>().get_opt("offline-jwks").await.unwrap();
        match (resource, verb) {
            ("configmaps", "get") => self.is_told::<IdentityProvider>("offline", "get ConfigMap 'keys'").await,
            ("configmaps", "create") => {
                self.is_told::<IdentityProvider>("offline", "create ConfigMap 'offline-jwks'").await;
            }
            ("configmaps", _) => {
                self.scene.verdict::<IdentityProvider>("offline", "True", "Ready").await;
                let before = published().await;
                keys(self.scene, P256).await;
                self.is_told::<IdentityProvider>("offline", "update ConfigMap 'offline-jwks'").await;
                assert_eq!(published().await, before);
            }
            _ => {
                self.scene.until::<ConfigMap>("offline-jwks", |_| true).await;
                self.is_logged::<IdentityProvider>("offline").await;
            }
        }
    }

    async fn verdicts_do_without_events(&self) {
        for is_sync_active in [true, false, true] {
            self.strategy(is_sync_active).await;
        }
        let words = self.right.words(self.scene);
        soon("the log names the right", async || so(self.operator.log().contains(&words))).await;
        let told = self.scene.events().await;
        assert_eq!(told.is_empty(), self.right.verb == "create", "{told:?}");
    }

    /// With the right, all is as if it had never lacked.
    async fn is_healed(&self) {
        let scene = self.scene;
        match self.right.resource {
            "secrets" | "tenantjwtsecrets" | "tenantjwtsecrets/status" => {
                scene.verdict::<TenantJwtSecret>("made", "True", "Ready").await;
                if let "get" | "update" = self.right.verb
                    && self.right.resource == "secrets"
                {
                    scene.until::<Secret>("made-jwt", |secret| text(secret, "previous-secret").is_some()).await;
                }
            }
            "configmaps" | "identityproviders/status" => {
                scene.verdict::<IdentityProvider>("offline", "True", "Ready").await;
            }
            "useridpauthenticators/status" => {
                scene.verdict::<UserIdpAuthenticator>("link", "False", "IdpNotFound").await;
            }
            "strategyinstances/status" => {
                scene.verdict::<StrategyInstance>("local", "True", "Ready").await;
            }
            _ => {
                self.strategy(false).await;
                scene.event("StrategyInstance/local Normal Ready").await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_told_harms_nothing_and_its_grant_heals() {
    let stage = Stage::new(&RIGHTS).await;
    let server = life::prepare(&stage.whole).await;
    let operator = stage.start().await;
    operator.wait_ready().await;
    let cases: Vec<Case<'_>> =
        stage.limited.iter().map(|(right, scene)| Case { right: *right, scene, operator: &operator }).collect();
    // Who has all rights is served meanwhile.
    let others = life::live(&stage.whole, &server);
    tokio::join!(futures::future::join_all(cases.iter().map(Case::is_not_silent)), others);
    soon("some more attempts", async || {
        let errors = operator.metric("idp_operator_reconciles_total", &["result=\"error\""]).await;
        #[allow(clippy::cast_precision_loss)] // a few
        let enough = 3.0 * cases.len() as f64;
        so(errors >= enough)
    })
    .await;
    let log = operator.log();
    for case in &cases {
        let lines = log.lines().filter(|line| line.contains(&case.right.words(case.scene)));
        assert_eq!(lines.count(), 1, "{:?} in\n{log}", case.right);
    }
    assert_eq!(operator.get("/readyz").await.0, 200);
    stage.heal();
    futures::future::join_all(cases.iter().map(Case::is_healed)).await;
    operator.drained().await;
}
