//! Refused when changed.

use serde_json::{Value, json};

use super::{Kind, all_as_expected};
use crate::support::Scene;

type Row = (&'static str, Kind, Value, Value, &'static str);

#[tokio::test]
async fn immutable_fields() {
    let scene = Scene::new("changed").await;
    let id = "12345678-90ab-cdef-fedc-ab0987654321";
    let same = json!({});
    let by_id = json!({ "idpRef": null, "idpId": "1" });
    let rows: Vec<Row> = vec![
        ("tenantId changed", Kind::Tjs, same.clone(), json!({ "tenantId": "other" }), "?"),
        ("tenantId removed", Kind::Tjs, same.clone(), json!({ "tenantId": null }), "?"),
        ("tenantId case", Kind::Tjs, same.clone(), json!({ "tenantId": "Acme.example.com" }), "?"),
        ("tenantId changed to bad", Kind::Tjs, same.clone(), json!({ "tenantId": "-" }), "?"),
        ("userId changed", Kind::Uia, same.clone(), json!({ "userId": "2" }), "?"),
        ("userId removed", Kind::Uia, same.clone(), json!({ "userId": null }), "?"),
        ("userId blank", Kind::Uia, same.clone(), json!({ "userId": " " }), "?"),
        ("idpUserId changed", Kind::Uia, same.clone(), json!({ "idpUserId": "2" }), "?"),
        ("idpUserId removed", Kind::Uia, same.clone(), json!({ "idpUserId": null }), "?"),
        ("idpRef changed", Kind::Uia, same.clone(), json!({ "idpRef": { "name": "other" } }), "?"),
        ("idpRef removed", Kind::Uia, same.clone(), json!({ "idpRef": null }), "?"),
        ("idpId added", Kind::Uia, same.clone(), json!({ "idpId": "1" }), "?"),
        ("idpRef -> idpId", Kind::Uia, same.clone(), by_id.clone(), "?"),
        ("idpId changed", Kind::Uia, by_id.clone(), json!({ "idpRef": null, "idpId": "2" }), "?"),
        ("idpId removed", Kind::Uia, by_id.clone(), json!({ "idpRef": null }), "?"),
        ("idpRef added", Kind::Uia, by_id.clone(), json!({ "idpId": "1" }), "?"),
        ("idpId -> idpRef", Kind::Uia, by_id.clone(), same.clone(), "?"),
        ("type changed", Kind::Si, same.clone(), json!({ "type": "github" }), "?"),
        ("type removed", Kind::Si, same.clone(), json!({ "type": null }), "?"),
        ("id changed", Kind::Si, json!({ "id": id }), json!({ "id": "00000000-0000-0000-0000-000000000000" }), "?"),
        ("id upper", Kind::Si, json!({ "id": id }), json!({ "id": id.to_uppercase() }), "?"),
        ("id removed", Kind::Si, json!({ "id": id }), same.clone(), "?"),
        ("id added", Kind::Si, same.clone(), json!({ "id": id }), "?"),
        ("secretRef to own output", Kind::Tjs, same.clone(), json!({ "secretRef": { "name": "made-24-jwt" } }), "?"),
        ("endpoint http later", Kind::Idp, json!({ "keysEndpoint": "http://a", "allowInsecureHttp": true }), json!({ "keysEndpoint": "http://a" }), "?"),
    ];
    let mut differ = Vec::new();
    let count = rows.len();
    for (number, (what, kind, before, after, causes)) in rows.into_iter().enumerate() {
        let name = format!("made-{}", number + 1);
        kind.apply(&scene, &name, kind.with(&before)).await.unwrap();
        let got = kind.apply(&scene, &name, kind.with(&after)).await;
        let expected = kind.invalid(&name, causes);
        if got.as_ref() != Err(&expected) {
            differ.push(format!("{what}\n  is   {got:?}\n  not  {expected:?}"));
        }
    }
    all_as_expected(count, &differ);
}
