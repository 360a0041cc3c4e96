//! Refused when they are changed: immutability has no hole.

use idp_operator::api::IdentityProvider;
use serde_json::{Value, json};

use super::{
    IDENTIFIER, Kind, REQUIRED,
    Says::{self, Empty, Must, Whole},
    all_as_expected,
    refused::OWN_OUTPUT,
    refused_idp_tokens::OWN_CONFIG_MAP,
};
use crate::support::Scene;

const IMMUTABLE: Says = Must("stay as it was created: it is immutable");

/// Which field, what is done, the kind, two changes to a good spec, and what the API server says about the second.
type Row = (&'static str, &'static str, Kind, Value, Value, Says);

#[tokio::test]
async fn immutable_fields() {
    const EXACTLY_ONE: &str = "exactly one of idpRef and idpId must be set";
    const EXCHANGED: &str = "idpRef and idpId must stay as they were created: one can't be exchanged for the other";
    const ID: Says = Whole("id must stay as it was created: it may be neither added nor removed");
    const PUBLISH: Says = Whole("publish must stay as it was created: it may be neither added nor removed");
    const SECRET_NAME: Says = Whole("secretName must stay as it was created: it may be neither added nor removed");
    let id = "12345678-90ab-cdef-fedc-ab0987654321";
    let tenant = |what, after, says| ("tenantId", what, Kind::Tjs, json!({}), after, says);
    let tenant_of = |field, what, after, says| (field, what, Kind::Tjs, json!({}), after, says);
    let named = |field, what, after, says| (field, what, Kind::Tjs, json!({ "secretName": "output" }), after, says);
    let by_ref = |field, what, after, says| (field, what, Kind::Uia, json!({}), after, says);
    let by_id =
        |field, what, after, says| (field, what, Kind::Uia, json!({ "idpRef": null, "idpId": "1" }), after, says);
    let strategy = |field, what, before, after, says| (field, what, Kind::Si, before, after, says);
    let output = |name: &str| json!({ "publish": { "configMapName": name } });
    let published = |field, what, before, after, says| (field, what, Kind::Idp, before, after, says);
    let rows: Vec<Row> = vec![
        tenant("changed", json!({ "tenantId": "other.example.com" }), IMMUTABLE),
        tenant("changed in case", json!({ "tenantId": "Acme.example.com" }), IMMUTABLE),
        tenant("removed", json!({ "tenantId": null }), REQUIRED),
        named("secretName", "changed", json!({ "secretName": "other" }), IMMUTABLE),
        named("spec.secretName", "removed", json!({}), SECRET_NAME),
        tenant_of("spec.secretName", "added", json!({ "secretName": "other" }), SECRET_NAME),
        // Not even by the name that it has.
        tenant_of("spec.secretName", "added", json!({ "secretName": "made-6-jwt" }), SECRET_NAME),
        by_ref("userId", "changed", json!({ "userId": "2" }), IMMUTABLE),
        by_ref("userId", "changed in form", json!({ "userId": "069629023906488334" }), IMMUTABLE),
        by_ref("userId", "removed", json!({ "userId": null }), REQUIRED),
        by_ref("idpUserId", "changed", json!({ "idpUserId": "midi" }), IMMUTABLE),
        by_ref("idpUserId", "changed in case", json!({ "idpUserId": "Mini" }), IMMUTABLE),
        by_ref("idpUserId", "changed in normalisation", json!({ "idpUserId": "mi\u{301}ni" }), IMMUTABLE),
        by_ref("idpUserId", "removed", json!({ "idpUserId": null }), REQUIRED),
        by_ref(
            "spec.idpRef",
            "changed",
            json!({ "idpRef": { "name": "other" } }),
            Whole("idpRef must stay as it was created: it is immutable"),
        ),
        by_ref("spec", "idpRef removed", json!({ "idpRef": null }), Whole(EXACTLY_ONE)),
        by_ref("spec", "idpId added", json!({ "idpId": "1" }), Whole(EXACTLY_ONE)),
        by_ref("spec", "idpRef exchanged for idpId", json!({ "idpRef": null, "idpId": "1" }), Whole(EXCHANGED)),
        by_id("userId", "changed", json!({ "idpRef": null, "idpId": "1", "userId": "2" }), IMMUTABLE),
        by_id("idpUserId", "changed", json!({ "idpRef": null, "idpId": "1", "idpUserId": "2" }), IMMUTABLE),
        by_id("idpId", "changed", json!({ "idpRef": null, "idpId": "2" }), IMMUTABLE),
        by_id("spec", "idpId removed", json!({ "idpRef": null }), Whole(EXACTLY_ONE)),
        by_id("spec", "idpRef added", json!({ "idpId": "1" }), Whole(EXACTLY_ONE)),
        by_id("spec", "idpId exchanged for idpRef", json!({}), Whole(EXCHANGED)),
        strategy("type", "changed", json!({}), json!({ "type": "github" }), IMMUTABLE),
        strategy("type", "removed", json!({}), json!({ "type": null }), REQUIRED),
        strategy(
            "id",
            "changed",
            json!({ "id": id }),
            json!({ "id": "00000000-0000-0000-0000-000000000000" }),
            IMMUTABLE,
        ),
        strategy("spec.id", "id removed", json!({ "id": id }), json!({}), ID),
        strategy("spec.id", "id added", json!({}), json!({ "id": id }), ID),
        published("publish.configMapName", "changed", output("keys"), output("other"), IMMUTABLE),
        published("spec.publish", "removed", output("keys"), json!({}), PUBLISH),
        published("spec.publish", "added", json!({}), output("keys"), PUBLISH),
    ];
    all_are_refused(rows).await;
}

async fn all_are_refused(rows: Vec<Row>) {
    let scene = Scene::new("changed").await;
    let count = rows.len();
    let mut differ = Vec::new();
    for (number, (field, what, kind, before, after, says)) in rows.into_iter().enumerate() {
        let name = format!("made-{number}");
        kind.apply(&scene, &name, kind.with(&before)).await.unwrap();
        let spec = kind.with(&after);
        let expected = says.message(kind, &name, &spec, field);
        let got = kind.apply(&scene, &name, spec).await;
        if got.as_ref() != Err(&expected) {
            differ.push(format!("{field} {what}\n  is   {got:?}\n  not  {expected:?}"));
        }
    }
    all_as_expected(count, &differ);
}

/// What may change must still be good then.
#[tokio::test]
async fn mutable_fields() {
    let rows: Vec<Row> = vec![
        (
            "spec.keysEndpoint",
            "http no longer allowed",
            Kind::Idp,
            json!({ "keysEndpoint": "http://login.example.com", "allowInsecureHttp": true }),
            json!({ "keysEndpoint": "http://login.example.com" }),
            Whole("keysEndpoint must be an 'https://' URL, or allowInsecureHttp must be true"),
        ),
        ("issuer", "removed", Kind::Idp, json!({}), json!({ "issuer": null }), REQUIRED),
        (
            "spec.keysFrom.configMapKeyRef.name",
            "own output as source",
            Kind::Idp,
            json!({}),
            json!({ "keysFrom": { "configMapKeyRef": { "name": "made-2-jwks", "key": "jwks.json" } } }),
            Whole(OWN_CONFIG_MAP),
        ),
        (
            "spec.tls",
            "another way beside the one",
            Kind::Idp,
            json!({ "tls": { "caBundle": "-----BEGIN CERTIFICATE-----" } }),
            json!({ "tls": {
                "caBundle": "-----BEGIN CERTIFICATE-----",
                "caBundleRef": { "kind": "Secret", "name": "a", "key": "b" },
            } }),
            Whole("exactly one of tls.caBundle and tls.caBundleRef must be set"),
        ),
        ("idpUserName", "removed", Kind::Uia, json!({}), json!({ "idpUserName": null }), REQUIRED),
        ("idpUserName", "now blank", Kind::Uia, json!({}), json!({ "idpUserName": " " }), IDENTIFIER),
        (
            "spec.requires",
            "own IdentityProvider",
            Kind::Uia,
            json!({ "requires": [{ "name": "github" }] }),
            json!({ "requires": [{ "name": "github" }, { "name": "login" }] }),
            Whole("requires must name further IdentityProviders, not the one of idpRef"),
        ),
        ("name", "now empty", Kind::Si, json!({}), json!({ "name": "" }), Empty),
        (
            "spec.config",
            "a key with a slash now",
            Kind::Si,
            json!({ "config": { "a": "x" } }),
            json!({ "config": { "a": "x", "a/b": "x" } }),
            Whole("config must have keys of 1 to 63 letters, digits, '-', '_' and '.'"),
        ),
        (
            "configSecretRef.name",
            "now empty",
            Kind::Si,
            json!({ "configSecretRef": { "name": "settings" } }),
            json!({ "configSecretRef": { "name": "" } }),
            Empty,
        ),
        (
            "spec.secretRef.name",
            "output as source",
            Kind::Tjs,
            json!({}),
            json!({ "secretRef": { "name": "made-10-jwt" } }),
            Whole(OWN_OUTPUT),
        ),
        (
            "spec.rotation.interval",
            "as long as the other phases now",
            Kind::Tjs,
            json!({ "rotation": { "interval": "3h", "leadTime": "1h", "gracePeriod": "1h" } }),
            json!({ "rotation": { "interval": "3h", "leadTime": "2h", "gracePeriod": "1h" } }),
            Whole("rotation.interval must be more than leadTime and gracePeriod together"),
        ),
        (
            "spec.rotation",
            "a source with an interval",
            Kind::Tjs,
            json!({ "rotation": { "interval": "100h" } }),
            json!({ "rotation": { "interval": "100h" }, "secretRef": { "name": "source" } }),
            Whole("rotation.interval must be absent with secretRef: a referenced value is replaced at its source"),
        ),
    ];
    all_are_refused(rows).await;
}

/// What was there by default or by an earlier manifest is gone with the next one.
#[tokio::test]
async fn lists_are_what_the_last_manifest_says() {
    let scene = Scene::new("changed").await;
    let told = async |change: Value| {
        let idp: IdentityProvider = scene.apply("login", Kind::Idp.with(&change)).await;
        let names: Vec<&str> = idp.spec.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        (names.join(" "), idp.spec.audiences.map(|all| all.join(" ")), idp.spec.examples.map(|all| all.len()))
    };
    let example = |name: &str| json!({ "name": name, "claims": {}, "at": "2026-01-31T12:00:00Z", "expect": "Reject" });
    let all = || "ES256 ES384 EdDSA PS256 PS384 PS512 RS256 RS384 RS512".to_owned();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told(json!({})).await, (all(), None, None));
    assert_eq!(told(json!({ "algorithms": ["RS256", "ES256"] })).await, ("RS256 ES256".to_owned(), None, None));
    assert_eq!(told(json!({ "algorithms": ["ES256"] })).await, ("ES256".to_owned(), None, None));
    assert_eq!(told(json!({})).await, (all(), None, None));
    let more = json!({ "audiences": ["a", "b"], "examples": [example("one"), example("two")] });
    assert_eq!(told(more).await, (all(), some("a b"), Some(2)));
    let less = json!({ "audiences": ["b"], "examples": [example("two")] });
    assert_eq!(told(less).await, (all(), some("b"), Some(1)));
    // Server-side apply leaves nothing of a list whose items are all gone.
    assert_eq!(told(json!({ "examples": [] })).await, (all(), None, None));
    assert_eq!(told(json!({})).await, (all(), None, None));
}
