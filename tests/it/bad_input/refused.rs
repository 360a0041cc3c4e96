//! Refused when they are created.

use serde_json::{Value, json};

use super::{
    Kind,
    Says::{self, Whole},
    all_as_expected,
};
use crate::support::Scene;

/// What is wrong, with which field, the change to a good spec, and what the API server says about that field.
pub type Row = (&'static str, &'static str, Value, Says);

/// Of an output that would be its own source.
pub const OWN_OUTPUT: &str = "spec.secretRef.name must be another Secret than the output (secretName, or '<name>-jwt')";

/// Tries them all.
pub async fn all_are_refused(kind: Kind, rows: Vec<Row>) {
    let scene = Scene::new("refused").await;
    let count = rows.len();
    let mut differ = Vec::new();
    for (number, (what, field, change, says)) in rows.into_iter().enumerate() {
        let name = format!("wrong-{number}");
        let spec = kind.with(&change);
        let expected = says.message(kind, &name, &spec, field);
        let got = kind.apply(&scene, &name, spec).await;
        if got.as_ref() != Err(&expected) {
            differ.push(format!("{field}: {what}\n  is   {got:?}\n  not  {expected:?}"));
        }
    }
    all_as_expected(count, &differ);
}

/// Outputs are named after their objects, and must be no input.
#[tokio::test]
async fn names() {
    let scene = Scene::new("refused").await;
    let own_output = json!({ "secretRef": { "name": "acme-jwt" } });
    let rows = [
        (
            Kind::Idp,
            "x".repeat(249),
            json!({}),
            "<nil>",
            "metadata.name must be at most 248 characters, as the ConfigMap '<name>-jwks' is named after it; or publish.configMapName must be set",
        ),
        (
            Kind::Tjs,
            "x".repeat(250),
            json!({}),
            "<nil>",
            "metadata.name must be at most 249 characters, as the Secret '<name>-jwt' is named after it; or secretName must be set",
        ),
        (Kind::Tjs, "acme".to_owned(), own_output, "spec.secretRef.name", OWN_OUTPUT),
        (
            Kind::Tjs,
            "acme".to_owned(),
            json!({ "secretName": "output", "secretRef": { "name": "output" } }),
            "spec.secretRef.name",
            OWN_OUTPUT,
        ),
    ];
    for (kind, name, change, field, words) in rows {
        let spec = kind.with(&change);
        let expected = Whole(words).message(kind, &name, &spec, field);
        assert_eq!(kind.apply(&scene, &name, spec).await, Err(expected));
    }
}

/// `kubectl create`, and `kubectl apply` without `--server-side`, have other words for what no rule of ours judges.
#[tokio::test]
async fn posted() {
    const UNCHECKED: &str = "<nil>: Invalid value: null: some validation rules were not checked because the object was \
                             invalid; correct the existing errors to complete validation";
    let scene = Scene::new("refused").await;
    let rows = [
        (
            (Kind::Idp, "identityproviders"),
            json!({ "issuer": 1 }),
            format!(
                "IdentityProvider.idp-operator.dev \"wrong\" is invalid: [spec.issuer: Invalid value: \"integer\": \
                 spec.issuer in body must be of type string: \"integer\", {UNCHECKED}]"
            ),
        ),
        (
            (Kind::Tjs, "tenantjwtsecrets"),
            json!({ "secret": "c2VjcmV0" }),
            "TenantJwtSecret in version \"v1alpha1\" cannot be handled as a TenantJwtSecret: strict decoding error: \
             unknown field \"spec.secret\""
                .to_owned(),
        ),
        (
            (Kind::Uia, "useridpauthenticators"),
            json!({ "idpId": "1" }),
            "UserIdpAuthenticator.idp-operator.dev \"wrong\" is invalid: spec: Invalid value: exactly one of idpRef and \
             idpId must be set"
                .to_owned(),
        ),
        (
            (Kind::Si, "strategyinstances"),
            json!({ "isLoginActive": "true" }),
            format!(
                "StrategyInstance.idp-operator.dev \"wrong\" is invalid: [spec.isLoginActive: Invalid value: \"string\": \
                 spec.isLoginActive in body must be of type boolean: \"string\", {UNCHECKED}]"
            ),
        ),
    ];
    for ((kind, plural), change, expected) in rows {
        let object = json!({
            "apiVersion": "idp-operator.dev/v1alpha1",
            "kind": kind.name(),
            "metadata": { "name": "wrong" },
            "spec": kind.with(&change),
        });
        let namespace = &scene.namespace;
        let url = format!("/apis/idp-operator.dev/v1alpha1/namespaces/{namespace}/{plural}?fieldValidation=Strict");
        let request = http::Request::post(url).header("content-type", "application/json");
        match scene.client.request::<Value>(request.body(object.to_string().into_bytes()).unwrap()).await {
            Err(kube::Error::Api(status)) => assert_eq!(status.message, expected),
            other => panic!("{other:?}"),
        }
    }
}
