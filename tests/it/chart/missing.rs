//! A right that the role lacks is told, harms nothing and delays nobody; a grant heals it.
//!
//! One operator watches a namespace for each right: the Role there lacks just this one.

use idp_operator::api::{
    IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator, status::HasCore as _,
};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    coordination::v1::Lease,
    core::v1::{ConfigMap, ResourceQuota, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{Release, audit::life};
use crate::{
    program::{so, soon},
    support::{
        Operator, Plane, Scene,
        key_server::{ED25519, P256, jwks},
        ready,
        scene::{Ours, conditions, core},
        tenant::{base64, text},
    },
};

const GROUP: &str = "idp-operator.dev";

/// A right, as a rule of a Role has it.
#[derive(Clone, Copy, Debug)]
struct Right {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
}

const fn right(group: &'static str, resource: &'static str, verb: &'static str) -> Right {
    Right { group, resource, verb }
}

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

impl Right {
    /// Takes it out of a Role.
    fn remove(self, role: &mut Value) {
        let mut rules = Vec::new();
        for rule in role["rules"].as_array().unwrap() {
            let has = |field: &str, text: &str| rule[field].as_array().unwrap().iter().any(|it| it == text);
            if !(has("apiGroups", self.group) && has("resources", self.resource) && has("verbs", self.verb)) {
                rules.push(rule.clone());
                continue;
            }
            for resource in rule["resources"].as_array().unwrap() {
                let mut rest = rule.clone();
                rest["resources"] = json!([resource]);
                if resource == self.resource {
                    rest["verbs"].as_array_mut().unwrap().retain(|verb| verb != self.verb);
                }
                rules.push(rest);
            }
            // A rule without a verb is no rule.
            rules.retain(|rule| rule["verbs"] != json!([]));
        }
        assert_ne!(role["rules"], json!(rules), "{self:?} is not granted");
        role["rules"] = json!(rules);
    }

    /// As messages have it.
    fn words(self, scene: &Scene) -> String {
        let Self { group, resource, verb } = self;
        let resource = super::audit::grants::resource_name(group, resource);
        let verb = if resource.starts_with("events") { "create and patch" } else { verb };
        format!("the operator's role must allow {verb} on {resource} in namespace '{}'", scene.namespace)
    }
}

/// Namespaces where the operator lacks one right each, and one where it lacks none.
struct Stage {
    whole: Scene,
    limited: Vec<(Right, Scene)>,
    release: Release,
}

impl Stage {
    async fn new(rights: &[Right]) -> Self {
        let whole = Scene::new("whole").await;
        let mut limited = Vec::new();
        for right in rights {
            limited.push((*right, Scene::new("limited").await));
        }
        let namespaces: Vec<&str> =
            limited.iter().map(|(_, scene)| scene).chain([&whole]).map(|scene| scene.namespace.as_str()).collect();
        let watched = format!("watchNamespaces={{{}}}", namespaces.join(","));
        let values = ["crds.install=false", "rbac.aggregate=false", "allowCidrs={127.0.0.0/8}", &watched];
        let release = Release::render(Plane::shared(), "missing", &whole.namespace, &values);
        Self { whole, limited, release }
    }

    /// Starts the operator without these rights.
    async fn start(&self) -> Operator {
        let less = self.release.changed(|object| {
            let is_role = object["kind"] == "Role";
            let here = self.limited.iter().find(|(_, scene)| object["metadata"]["namespace"] == scene.namespace);
            if let (true, Some((right, _))) = (is_role, here) {
                right.remove(object);
            }
        });
        less.apply(Plane::shared());
        self.release.start(Plane::shared(), "missing-idp-operator").await.spawn().await
    }

    /// Grants all.
    fn heal(&self) {
        self.release.apply(Plane::shared());
    }
}

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

/// The rights of the watches.
const WATCHED: [(&str, &str); 6] = [
    ("", "configmaps"),
    (GROUP, "identityproviders"),
    ("", "secrets"),
    (GROUP, "strategyinstances"),
    (GROUP, "tenantjwtsecrets"),
    (GROUP, "useridpauthenticators"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_allowed_is_waited_for_by_name() {
    let stage = Stage::new(&WATCHED.map(|(group, resource)| right(group, resource, "list"))).await;
    let operator = stage.start().await;
    let why = "the API server answered 403 Forbidden: the operator's role must allow list and watch";
    let lines = stage
        .limited
        .iter()
        .map(|(right, scene)| format!("{}: in namespace {}: {why}\n", right.resource, scene.namespace));
    let expected = format!("waiting for\n{}", lines.collect::<String>());
    soon("readyz names each", async || so(operator.get("/readyz").await == (503, expected.clone()))).await;
    for (_, resource) in WATCHED {
        let refused = ["verb=\"list\"", &format!("kind=\"{resource}\""), "code=\"403\""];
        assert!(operator.metric("idp_operator_api_requests_total", &refused).await >= 1.0, "{resource}");
    }
    assert_eq!(operator.log().matches("watch failed, trying on").count(), 6, "{}", operator.log());
    stage.heal();
    operator.wait_ready().await;
    operator.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_not_allowed_is_told_once() {
    let stage = Stage::new(&WATCHED.map(|(group, resource)| right(group, resource, "watch"))).await;
    let operator = stage.start().await;
    soon("the log has each", async || so(operator.log().matches("watch failed, trying on").count() == 6)).await;
    for (right, scene) in &stage.limited {
        let why = format!(
            "in namespace {}: the API server answered 403 Forbidden: the operator's role must allow list and watch",
            scene.namespace
        );
        soon("the log names it", async || so(operator.log().contains(&why))).await;
        let refused = ["verb=\"watch\"", &format!("kind=\"{}\"", right.resource), "code=\"403\""];
        soon(
            "a second attempt",
            async || so(operator.metric("idp_operator_api_requests_total", &refused).await >= 2.0),
        )
        .await;
    }
    assert_eq!(operator.log().matches("watch failed, trying on").count(), 6, "{}", operator.log());
    // Others are looked after.
    stage.whole.apply::<StrategyInstance>("local", json!({ "type": "userpass" })).await;
    stage.whole.verdict::<StrategyInstance>("local", "True", "Ready").await;
    // What is missed meanwhile is made up for.
    let (_, blind) = stage.limited.iter().find(|(right, _)| right.resource == "strategyinstances").unwrap();
    blind.apply::<StrategyInstance>("late", json!({ "type": "userpass" })).await;
    stage.heal();
    blind.verdict::<StrategyInstance>("late", "True", "Ready").await;
    operator.drained().await;
}

/// Without this right on Leases a pod stands by, says so, and leads once it is granted.
async fn stands_by(verb: &'static str) {
    let (plane, scene) = (Plane::shared(), Scene::new("lease").await);
    let watched = format!("watchNamespaces={{{}}}", scene.namespace);
    let values = ["crds.install=false", "rbac.aggregate=false", "leaderElection.enabled=true", &watched];
    let release = Release::render(plane, "missing", &scene.namespace, &values);
    let less = release.changed(|object| {
        if object["kind"] == "Role" && object["metadata"]["name"] == "missing-idp-operator-leader-election" {
            right("coordination.k8s.io", "leases", verb).remove(object);
        }
    });
    less.apply(plane);
    if verb == "patch" {
        // One that an earlier pod left.
        let lease: Lease = serde_json::from_value(json!({ "metadata": { "name": "idp-operator" } })).unwrap();
        scene.api().create(&PostParams::default(), &lease).await.unwrap();
    }
    let operator = release.start(plane, "missing-idp-operator").await.ready().await;
    let refused = [&format!("verb=\"{verb}\""), "kind=\"leases\"", "code=\"403\""];
    soon("two attempts", async || so(operator.metric("idp_operator_api_requests_total", &refused).await >= 2.0)).await;
    let why = "the lease can't be held: the API server answered 403 Forbidden: the operator's role must allow get, create \
               and patch on leases";
    assert_eq!(operator.log().matches(why).count(), 1, "{}", operator.log());
    assert!(operator.metric("idp_operator_leader", &[]).await < 0.5);
    release.apply(plane);
    soon("it leads", async || so(operator.metric("idp_operator_leader", &[]).await > 0.5)).await;
    operator.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_to_its_lease_a_pod_stands_by() {
    tokio::join!(stands_by("get"), stands_by("create"), stands_by("patch"));
}

/// 403 is what a quota answers, too.
#[tokio::test]
async fn a_quota_is_not_taken_for_a_missing_right() {
    let scene = Scene::new("quota").await;
    let _operator = scene.operator().await;
    let full = json!({ "count/secrets": "0" });
    let quota: ResourceQuota =
        serde_json::from_value(json!({ "metadata": { "name": "few" }, "spec": { "hard": full } })).unwrap();
    scene.api().create(&PostParams::default(), &quota).await.unwrap();
    // Counted by a controller that does not run here.
    let status = Patch::Merge(json!({ "status": { "hard": full, "used": full } }));
    scene.api::<ResourceQuota>().patch_status("few", &PatchParams::default(), &status).await.unwrap();
    soon("the API server knows of the quota", async || {
        let probe: Secret = serde_json::from_value(json!({ "metadata": { "generateName": "probe-" } })).unwrap();
        so(scene.api().create(&PostParams::default(), &probe).await.is_err())
    })
    .await;
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme", "signingAlgorithm": "HS256" })).await;
    let object = scene.verdict::<TenantJwtSecret>("acme", "Unknown", "InternalError").await;
    let why =
        "could not create Secret 'acme-jwt': the API server answered 403 Forbidden (ResourceQuota 'few' is used up)";
    assert_eq!(ready(&object).unwrap().2, why);
    scene.delete::<ResourceQuota>("few").await;
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
}

/// As careless as a policy's author may be: its message repeats the value.
#[tokio::test]
async fn a_policy_that_refuses_is_named_and_what_it_wrote_is_not_repeated() {
    let scene = Scene::new("policy").await;
    let operator = scene.operator().await;
    let name = format!("{}.example.com", scene.namespace);
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [
                { "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"] },
            ] },
            "validations": [{
                "expression": "!has(object.data)",
                "reason": "Forbidden",
                "messageExpression": "'no such value: ' + string(object.data['secret'])",
            }],
        },
    }))
    .unwrap();
    let here = json!({ "matchLabels": { "kubernetes.io/metadata.name": scene.namespace } });
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"], "matchResources": { "namespaceSelector": here } },
    }))
    .unwrap();
    let (policies, bindings) = (Api::all(scene.client.clone()), Api::all(scene.client.clone()));
    policies.create(&PostParams::default(), &policy).await.unwrap();
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    let refusal = soon("the API server knows of the policy", async || {
        let probe = json!({ "metadata": { "generateName": "probe-" }, "data": { "secret": base64("hunter2") } });
        let probe: Secret = serde_json::from_value(probe).unwrap();
        scene.api().create(&PostParams::default(), &probe).await.err()
    })
    .await;
    assert!(refusal.to_string().contains("no such value: "), "{refusal}");
    scene.apply::<TenantJwtSecret>("acme", json!({ "tenantId": "acme", "signingAlgorithm": "HS256" })).await;
    let object = scene.verdict::<TenantJwtSecret>("acme", "Unknown", "InternalError").await;
    let why = format!(
        "could not create Secret 'acme-jwt': the API server answered 403 Forbidden (ValidatingAdmissionPolicy '{name}' \
         refused it)"
    );
    assert_eq!(ready(&object).unwrap().2, why);
    assert!(operator.log().contains(&why) && !operator.log().contains("no such value"), "{}", operator.log());
    let params = DeleteParams::default();
    bindings.delete(&name, &params).await.unwrap();
    policies.delete(&name, &params).await.unwrap();
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
}
