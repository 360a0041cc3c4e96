//! No value is ever told: a thousand of them are made, replaced, refused and broken, and looked for wherever the operator
//! writes.

mod links;
pub mod needles;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, future::join_all};
use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::Secret,
    events::v1::Event,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use needles::Needles;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{
    Operator, Scene, Tenant,
    tenant::{base64, text},
};

/// Stands in what admission says of a refused write, beside the value itself.
const REFUSED: &str = "refused-with-its-value";

/// Without a lead time; the next value comes at once.
const QUICK: [&str; 20] = [
    "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", "q13", "q14", "q15", "q16", "q17",
    "q18", "q19",
];

/// With a lead time of a second.
const LEADING: [&str; 4] = ["l0", "l1", "l2", "l3"];

/// Referenced ones.
const REFERENCED: [&str; 4] = ["r0", "r1", "r2", "r3"];

/// What is seen of all outputs, as they change.
struct Seen {
    values: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    key_ids: watch::Receiver<HashMap<String, String>>,
}

impl Seen {
    fn start(scene: &Scene) -> Self {
        let values: Arc<Mutex<BTreeSet<Vec<u8>>>> = Arc::default();
        let (sender, key_ids) = watch::channel(HashMap::new());
        let stream = watcher(scene.api::<Secret>(), watcher::Config::default()).applied_objects();
        let seen = values.clone();
        tokio::spawn(async move {
            let mut stream = Box::pin(stream);
            while let Some(Ok(secret)) = stream.next().await {
                let data = secret.data.clone().unwrap_or_default();
                for key in ["secret", "previous-secret", "next-secret"] {
                    seen.lock().unwrap().extend(data.get(key).map(|bytes| bytes.0.clone()));
                }
                let key_id = text(&secret, "key-id").unwrap_or_default();
                sender.send_modify(|known| drop(known.insert(secret.name_any(), key_id)));
            }
        });
        Self { values, key_ids }
    }

    /// Remembers a value that no output holds.
    fn add(&self, value: &[u8]) {
        self.values.lock().unwrap().insert(value.to_vec());
    }

    fn key_id(&self, tenant: &Tenant<'_>) -> String {
        self.key_ids.borrow().get(&tenant.output_name()).cloned().unwrap_or_default()
    }

    /// Waits until the output's current value is another one.
    async fn after(&self, tenant: &Tenant<'_>, before: &str) {
        let name = tenant.output_name();
        let mut key_ids = self.key_ids.clone();
        let is_another = key_ids.wait_for(|known| known.get(&name).is_some_and(|now| !now.is_empty() && now != before));
        tokio::time::timeout(Duration::from_mins(1), is_another).await.expect(&name).unwrap();
    }
}

/// Admission that refuses some of the operator's writes, and repeats all of them in what it says.
struct Refusals(Vec<String>);

impl Refusals {
    async fn start(scene: &Scene) -> Self {
        let policy = |name: &str, group: &str, resource: &str, expression: &str, message: &str| {
            let rule = json!({
                "apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": [resource],
            });
            json!({
                "metadata": { "name": name },
                "spec": {
                    "matchConstraints": {
                        "resourceRules": [rule],
                        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": scene.namespace } },
                    },
                    "validations": [{ "expression": expression, "messageExpression": message }],
                },
            })
        };
        // Every value has another id: what is refused is tried again with another value. 'MD' is some 4 % of all ids.
        let data = "has(object.data)";
        let id = |key: &str| format!("!({data} && '{key}' in object.data && object.data['{key}'].startsWith('MD'))");
        let value = |key: &str| format!("({data} && '{key}' in object.data ? object.data['{key}'] : '')");
        let message = format!("'{REFUSED} ' + {} + ' ' + {}", value("secret"), value("next-secret"));
        let secrets = format!("{} && {}", id("key-id"), id("next-key-id"));
        let status = "!(has(object.status) && has(object.status.keyId) && object.status.keyId.startsWith('a'))";
        let names = [format!("{}-secrets", scene.namespace), format!("{}-status", scene.namespace)];
        let policies = [
            policy(&names[0], "", "secrets", &secrets, &message),
            policy(&names[1], "idp-operator.dev", "tenantjwtsecrets/status", status, &format!("'{REFUSED}'")),
        ];
        for (name, policy) in names.iter().zip(policies) {
            let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy).unwrap();
            Api::all(scene.client.clone()).create(&PostParams::default(), &policy).await.unwrap();
            let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
                "metadata": { "name": name }, "spec": { "policyName": name, "validationActions": ["Deny"] },
            }))
            .unwrap();
            Api::all(scene.client.clone()).create(&PostParams::default(), &binding).await.unwrap();
        }
        let refusals = Self(names.to_vec());
        refusals.wait(scene).await;
        refusals
    }

    /// Until it is in force.
    async fn wait(&self, scene: &Scene) {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let probe: Secret = serde_json::from_value(json!({
            "metadata": { "name": "probe" }, "stringData": { "key-id": "0000", "secret": "x" },
        }))
        .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            match scene.api::<Secret>().create(&params, &probe).await {
                Err(kube::Error::Api(status)) if status.message.contains(REFUSED) => return,
                other => assert!(std::time::Instant::now() < deadline, "nothing is refused: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self, scene: &Scene) {
        for name in self.0 {
            let params = DeleteParams::default();
            let _ = Api::<ValidatingAdmissionPolicyBinding>::all(scene.client.clone()).delete(&name, &params).await;
            let _ = Api::<ValidatingAdmissionPolicy>::all(scene.client.clone()).delete(&name, &params).await;
        }
    }
}

/// Rotates so often, as fast as it goes; every tenth time somebody breaks the value instead.
async fn rotate(tenant: &Tenant<'_>, seen: &Seen, times: usize) {
    seen.after(tenant, "").await;
    for time in 0..times {
        let before = seen.key_id(tenant);
        if time % 10 == 9 {
            let broken = format!("broken-value-number-{time}-of-{}", tenant.name);
            seen.add(broken.as_bytes());
            tenant.plant(&[("secret", Some(&broken)), ("next-secret", None)]).await;
        } else {
            tenant.rotate(&time.to_string()).await;
        }
        seen.after(tenant, &before).await;
    }
}

/// Its source turns good and bad, in turn.
async fn refer(scene: &Scene, tenant: &Tenant<'_>, seen: &Seen, times: usize) {
    for time in 0..times {
        let raw = format!("{}-{time}: A good value, which nobody has seen yet! {time}", tenant.name);
        let good = base64(&raw);
        let before = seen.key_id(tenant);
        scene.secret(&format!("{}-source", tenant.name), "secret", good.as_bytes()).await;
        seen.after(tenant, &before).await;
        let bad = match time % 4 {
            0 => base64(format!("{}-{time}: a value too short", tenant.name)),
            1 => format!("{raw} is no base64"),
            2 => format!("{}\n", base64(format!("{raw} with a line break"))),
            _ => base64(format!("{raw} ").repeat(100)),
        };
        seen.add(bad.as_bytes());
        scene.secret(&format!("{}-source", tenant.name), "secret", bad.as_bytes()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All objects of this kind, as JSON.
async fn list<K>(scene: &Scene) -> String
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + serde::de::DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    serde_json::to_string(&scene.api::<K>().list(&ListParams::default()).await.unwrap().items).unwrap()
}

/// Everything that the operator writes but the Secrets' data.
async fn all_that_is_told(scene: &Scene, operator: &Operator) -> Vec<(&'static str, String)> {
    let resource = kube::api::ApiResource::erase::<TenantJwtSecret>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(scene.client.clone(), &scene.namespace, &resource);
    let objects = objects.list(&ListParams::default()).await.unwrap().items;
    let secrets = scene.api::<Secret>().list(&ListParams::default()).await.unwrap().items;
    let metadata: Vec<_> = secrets.into_iter().map(|secret| secret.metadata).collect();
    vec![
        ("log", operator.log()),
        ("events", list::<Event>(scene).await),
        ("objects", serde_json::to_string(&objects).unwrap()),
        ("metrics", operator.get("/metrics").await.1),
        ("metadata", serde_json::to_string(&metadata).unwrap()),
    ]
}

fn tenants<'a, const N: usize>(scene: &'a Scene, names: [&'static str; N]) -> [Tenant<'a>; N] {
    names.map(|name| Tenant::named(scene, name))
}

async fn apply(tenants: &[Tenant<'_>], fields: Value) {
    for (number, tenant) in tenants.iter().enumerate() {
        let mut fields = fields.clone();
        if number % 2 == 0 {
            fields["outputs"] = json!({ "jwks": true, "raw": true });
        }
        if fields["secretRef"].is_object() {
            fields["secretRef"]["name"] = format!("{}-source", tenant.name).into();
        }
        tenant.apply(fields).await;
    }
}

#[tokio::test]
async fn no_value_is_told_by_logs_events_statuses_metrics_or_metadata() {
    let scene = Scene::new("hygiene").await;
    let operator = scene.start().arg("--log-level=trace").ready().await;
    let refusals = Refusals::start(&scene).await;
    let seen = Seen::start(&scene);
    let (quick, slow, sourced) = (tenants(&scene, QUICK), tenants(&scene, LEADING), tenants(&scene, REFERENCED));
    apply(&quick, json!({ "rotation": { "gracePeriod": "1h" } })).await;
    apply(&slow, json!({ "rotation": { "gracePeriod": "1h", "leadTime": "1s" }, "signingAlgorithm": "HS512" })).await;
    apply(&sourced, json!({ "secretRef": {} })).await;
    let rotations = quick.iter().map(|tenant| rotate(tenant, &seen, 50));
    let slowly = slow.iter().map(|tenant| rotate(tenant, &seen, 7));
    let from_sources = sourced.iter().map(|tenant| refer(&scene, tenant, &seen, 12));
    tokio::join!(join_all(rotations), join_all(slowly), join_all(from_sources));
    refusals.stop(&scene).await;

    let values = seen.values.lock().unwrap().clone();
    assert!(values.len() > 1000, "only {} values", values.len());
    let count = operator.metric("idp_operator_api_requests_total", &["code=\"422\""]).await;
    assert!(count > 10.0, "{count} writes were refused");
    let needles = Needles::new(&values);
    // It finds what is there.
    let secrets = scene.api::<Secret>().list(&ListParams::default()).await.unwrap().items;
    assert!(needles.found_in(&serde_json::to_string(&secrets).unwrap()).len() > QUICK.len());
    assert!(needles.found_in(&format!("{secrets:?}")).len() > QUICK.len());
    let mut leaks = Vec::new();
    for (place, text) in all_that_is_told(&scene, &operator).await {
        assert!(!text.is_empty(), "no {place}");
        let found = needles.found_in(&text);
        leaks.extend(found.iter().take(3).map(|found| format!("{place}: {found}")));
        leaks.extend(text.find(REFUSED).map(|_| format!("{place}: what admission said")));
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
