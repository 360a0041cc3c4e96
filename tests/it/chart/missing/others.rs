//! Who else answers 403 Forbidden is not taken for a role that lacks a right.

use idp_operator::api::TenantJwtSecret;
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{ResourceQuota, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    program::{so, soon},
    support::{Scene, ready, tenant::base64},
};

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
