//! Combinations of type, flags and policy, through the API server and the operator: of each type and policy, every
//! combination of any three flags. All 972 are judged where `decide` is tested.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use idp_operator::api::StrategyInstance;
use kube::{
    ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde_json::{Map, Value, json};

use crate::{
    program::{so, soon},
    support::{
        Scene, ready,
        scene::{conditions, core},
    },
};

const FLAGS: [&str; 4] = ["isLoginActive", "isSelfRegisterActive", "isSyncActive", "doesImplicitRegister"];

/// The seed's table: login, registration, sync, implicit registration.
const CAN: [(&str, [bool; 4]); 6] = [
    ("userpass", [true, true, false, false]),
    ("github", [true, true, true, true]),
    ("jira", [true, true, true, true]),
    ("github-token", [false, false, true, false]),
    ("jira-token-cloud", [false, false, true, false]),
    ("jira-token-datacenter", [false, false, true, false]),
];

/// Of a status: flags that are on, conditions that are not `True Succeeded`, errors.
type Told = (Vec<&'static str>, Vec<String>, usize);

/// Spec and expected status by name.
fn combinations() -> BTreeMap<String, (Value, Told)> {
    let mut all = BTreeMap::new();
    for (type_, can) in CAN {
        // An orthogonal array of strength 3: whatever three digits are, the fourth follows.
        for number in
            (0..81usize).filter(|number| [1, 3, 9, 27].map(|power| number / power % 3).iter().sum::<usize>() % 3 == 0)
        {
            for policy in ["Reject", "Clamp"] {
                let set = [1, 3, 9, 27].map(|power| [None, Some(false), Some(true)][number / power % 3]);
                let mut spec = json!({
                    "type": type_, "capabilityPolicy": policy, "config": { "root-url": "https://jira.example.com" },
                    "configSecretRef": { "name": "settings" },
                });
                let flags: Map<String, Value> =
                    (0..4).filter_map(|flag| Some((FLAGS[flag].to_owned(), set[flag]?.into()))).collect();
                spec.as_object_mut().unwrap().extend(flags);
                let on =
                    (0..4).filter(|flag| can[*flag] && set[*flag] != Some(false)).map(|flag| FLAGS[flag]).collect();
                let excess = (0..4).filter(|flag| set[*flag] == Some(true) && !can[*flag]).count();
                let is_login_off = !can[0] || set[0] == Some(false);
                let is_idle = is_login_off && (set[1] == Some(true) || set[3] == Some(true));
                let told: &[&str] = match (excess > 0, policy, is_idle) {
                    (true, "Reject", _) => &[
                        "CapabilitiesSupported=False CapabilityNotSupported",
                        "FlagsEffective=Unknown NotEvaluated",
                        "Ready=False CapabilityNotSupported",
                        "Stalled=True CapabilityNotSupported",
                    ],
                    (true, _, true) => {
                        &["FlagsClamped=True FlagsClamped", "FlagsEffective=False FlagsIneffective", "Ready=True Ready"]
                    }
                    (true, _, false) => &["FlagsClamped=True FlagsClamped", "Ready=True Ready"],
                    (false, _, true) => &["FlagsEffective=False FlagsIneffective", "Ready=True Ready"],
                    (false, _, false) => &["Ready=True Ready"],
                };
                let errors = if policy == "Reject" { excess } else { 0 };
                let told = told.iter().map(|line| (*line).to_owned()).collect();
                let name = format!("{type_}-{number}-{}", policy.to_lowercase());
                all.insert(name, (spec, (on, told, errors)));
            }
        }
    }
    all
}

fn told(object: &StrategyInstance) -> Told {
    let effective = serde_json::to_value(object.status.as_ref().unwrap().effective).unwrap();
    let on = FLAGS.into_iter().filter(|flag| effective[flag] == true).collect();
    let lines = conditions(&core(object)).into_iter().filter(|line| !line.ends_with("=True Succeeded")).collect();
    (on, lines, core(object).errors.len())
}

#[tokio::test]
async fn every_combination_of_three_flags_is_answered_as_the_seed_has_it() {
    let scene = Scene::new("every").await;
    let operator = scene.operator().await;
    scene.secret_with("settings", &[("clientId", "an id"), ("clientSecret", "a secret")]).await;
    let combinations = combinations();
    let count = combinations.len();
    assert_eq!(count, 6 * 27 * 2);
    let api = scene.api::<StrategyInstance>();
    let (create, api) = (PostParams::default(), &api);
    stream::iter(&combinations)
        .map(|(name, (spec, _))| {
            let object = StrategyInstance::new(name, serde_json::from_value(spec.clone()).unwrap());
            let create = &create;
            async move { api.create(create, &object).await }
        })
        .buffer_unordered(32)
        .try_for_each(async |_| Ok(()))
        .await
        .unwrap();
    // A list of them all costs more than all else here: not before it is of use.
    let judged = async || operator.metric("idp_operator_reconciles_total", &["StrategyInstance", "ok"]).await;
    soon("all are looked at", async || so(judged().await >= 324.0)).await;
    let objects = soon("all are judged", async || {
        let objects = api.list(&ListParams::default()).await.unwrap().items;
        so(objects.iter().filter(|object| ready(*object).is_some()).count() == count).map(|()| objects)
    })
    .await;
    let differ: Vec<String> = objects
        .iter()
        .filter(|object| told(object) != combinations[&object.name_any()].1)
        .map(|object| {
            format!("{}\n  is   {:?}\n  not  {:?}", object.name_any(), told(object), combinations[&object.name_any()].1)
        })
        .collect();
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}
