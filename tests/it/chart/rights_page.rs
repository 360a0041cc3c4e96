//! docs/rights.md lists the rights that the chart grants, each with its reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use expect_test::expect_file;
use serde_json::Value;

use super::{
    Release,
    audit::grants::{Grant, grants},
};
use crate::support::Plane;

const HOME: &str = "the-release";
const WATCHED: &str = "a-watched-one";

/// Why the operator has these rights, and what keeps them from being narrower.
struct Reason {
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
    limit: &'static str,
}

const REASONS: [Reason; 12] = [
    Reason {
        resources: &[
            "identityproviders.idp-operator.dev",
            "tenantjwtsecrets.idp-operator.dev",
            "useridpauthenticators.idp-operator.dev",
            "strategyinstances.idp-operator.dev",
        ],
        verbs: &["list", "watch"],
        why: "To see the objects that it looks after.",
        limit: "Nothing: they are its own kinds.",
    },
    Reason {
        resources: &["tenantjwtsecrets.idp-operator.dev"],
        verbs: &["get"],
        why: "To ask for the latest spec where an output says that it was written for a later one than this pod knows: a \
              pod that lags behind takes nothing back.",
        limit: "Names of objects are their authors' choice. `list` reads as much.",
    },
    Reason {
        resources: &[
            "identityproviders.idp-operator.dev/status",
            "tenantjwtsecrets.idp-operator.dev/status",
            "useridpauthenticators.idp-operator.dev/status",
            "strategyinstances.idp-operator.dev/status",
        ],
        verbs: &["patch"],
        why: "To tell verdicts, by server-side apply.",
        limit: "Names of objects are their authors' choice. It has no right to write specs, labels, annotations or finalizers.",
    },
    Reason {
        resources: &["secrets", "configmaps"],
        verbs: &["list", "watch"],
        why: "To notice at once that an output was changed or deleted, or that what a spec refers to came, changed or went. It \
              asks for metadata only, and keeps names and resourceVersions.",
        limit: "RBAC has no right to metadata alone: who may list or watch **may read contents**, though this operator does \
                not. Labels can't narrow it either.",
    },
    Reason {
        resources: &["secrets", "configmaps"],
        verbs: &["get"],
        why: "To read what a spec refers to (`secretRef`, `configSecretRef`, `caBundleRef`, `keysFrom`), and its own outputs \
              before it replaces them. No others are read.",
        limit: "RBAC narrows by names that are known beforehand only; these stand in specs.",
    },
    Reason {
        resources: &["secrets", "configmaps"],
        verbs: &["create"],
        why: "To make outputs: a TenantJwtSecret's Secret, an IdentityProvider's ConfigMap.",
        limit: "Kubernetes can't narrow `create` by name.",
    },
    Reason {
        resources: &["secrets", "configmaps"],
        verbs: &["update"],
        why: "To rotate, repair and adopt outputs, and to publish new keys. What is not its own it leaves alone \
              (`SecretConflict`, `PublishConflict`), and each update names the resourceVersion that was read.",
        limit: "Names of outputs stand in specs. Nothing is deleted: outputs go with their owner.",
    },
    Reason {
        resources: &["events.events.k8s.io"],
        verbs: &["create", "patch"],
        why: "To tell changed verdicts as Events; the same one again within minutes adds to the first, by `patch`.",
        limit: "Kubernetes can't narrow `create` by name, and names of Events have a time in them.",
    },
    Reason {
        resources: &["namespaces"],
        verbs: &["list", "watch"],
        why: "To read the annotation `idp-operator.dev/tenants`. It asks for metadata only.",
        limit: "RBAC has no right to metadata alone; a Namespace has little else.",
    },
    Reason {
        resources: &["namespaces"],
        verbs: &["get"],
        why: "To read the annotation `idp-operator.dev/tenants`, every 10 s.",
        limit: "Nothing: it is this namespace only. A Role can't allow a watch of it.",
    },
    Reason {
        resources: &["leases.coordination.k8s.io"],
        verbs: &["create"],
        why: "To make the Lease, once.",
        limit: "Kubernetes can't narrow `create` by name.",
    },
    Reason {
        resources: &["leases.coordination.k8s.io"],
        verbs: &["get", "patch"],
        why: "To hold the Lease, and to see who does.",
        limit: "Nothing: it is this one only.",
    },
];

/// Where, on what and when a right is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Terms {
    places: BTreeSet<&'static str>,
    name: Option<&'static str>,
    needs: &'static str,
}

fn place(grant: &Grant) -> &'static str {
    match grant.namespace.as_deref() {
        None => "all namespaces",
        Some(WATCHED) => "each of `watchNamespaces`",
        Some(HOME) => "the release's namespace",
        Some(other) => panic!("{other}"),
    }
}

fn name(grant: &Grant) -> Option<&'static str> {
    match grant.name.as_deref() {
        None => None,
        Some("idp-operator") => Some("`idp-operator`"),
        Some(WATCHED) => Some("of the namespace's own name"),
        Some(other) => panic!("{other}"),
    }
}

/// All rights that the chart can grant, with the terms of each.
fn terms() -> BTreeMap<(String, String), Terms> {
    let watched = format!("watchNamespaces={{{WATCHED}}}");
    let mut all = BTreeMap::<(String, String), Terms>::new();
    for watch in [None, Some(watched.as_str())] {
        // What a value adds is listed with it.
        for needs in ["", "tenantClaims=required", "leaderElection.enabled=true"] {
            let values: Vec<&str> = watch.into_iter().chain((!needs.is_empty()).then_some(needs)).collect();
            let release = Release::render(Plane::shared(), "r", HOME, &values);
            for grant in grants(&release.objects) {
                let key = (grant.resource.clone(), grant.verb.clone());
                let new = Terms { places: BTreeSet::new(), name: name(&grant), needs };
                let terms = all.entry(key).or_insert(new);
                assert_eq!(terms.name, name(&grant), "{grant:?}");
                assert!(terms.needs.is_empty() || terms.needs == needs, "{grant:?}");
                terms.places.insert(place(&grant));
            }
        }
    }
    all
}

fn code(texts: &[impl AsRef<str>]) -> String {
    texts.iter().map(|text| format!("`{}`", text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The table. Panics where a right has no reason, or a reason no right.
fn rights() -> String {
    let mut terms = terms();
    let mut table =
        "| May | on | in | with the value | Why | What narrows it no further |\n|---|---|---|---|---|---|\n".to_owned();
    for Reason { resources, verbs, why, limit } in &REASONS {
        let pairs = resources.iter().flat_map(|resource| verbs.iter().map(move |verb| (resource, verb)));
        let found: BTreeSet<Terms> = pairs
            .map(|(resource, verb)| {
                let key = ((*resource).to_owned(), (*verb).to_owned());
                terms.remove(&key).unwrap_or_else(|| panic!("no right, or two reasons: {verb} {resource}"))
            })
            .collect();
        let [found] = &found.into_iter().collect::<Vec<_>>()[..] else { panic!("{verbs:?} {resources:?} differ") };
        let places = found.places.iter().copied().collect::<Vec<_>>().join("; or ");
        let name = found.name.map(|name| format!(" {name}")).unwrap_or_default();
        let needs =
            if found.needs.is_empty() { "any".to_owned() } else { format!("`{}`", found.needs.replace('=', ": ")) };
        let (verbs, resources) = (code(verbs), code(resources));
        writeln!(table, "| {verbs} | {resources}{name} | {places} | {needs} | {why} | {limit} |").unwrap();
    }
    assert!(terms.is_empty(), "rights without a reason: {terms:#?}");
    table
}

/// What users get by the chart's aggregated roles. Panics where they get what they must not.
fn users() -> String {
    let release = Release::render(Plane::shared(), "r", HOME, &[]);
    let mut table = "| Kubernetes' role | may | on |\n|---|---|---|\n".to_owned();
    for role in ["view", "edit", "admin"] {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
        let is_part = |object: &&Value| object["metadata"]["labels"][&label] == "true";
        for part in release.objects.iter().filter(is_part) {
            for rule in part["rules"].as_array().unwrap() {
                let list = |field: &str| serde_json::from_value::<Vec<String>>(rule[field].clone()).unwrap();
                let resources = list("resources");
                assert_eq!(list("apiGroups"), ["idp-operator.dev"], "{role}");
                assert!(resources.iter().all(|resource| !resource.contains(['/', '*'])), "{role}: {resources:?}");
                assert!(role == "admin" || resources.iter().all(|resource| resource != "tenantjwtsecrets"), "{role}");
                writeln!(table, "| `{role}` | {} | {} |", code(&list("verbs")), code(&resources)).unwrap();
            }
        }
    }
    table
}

/// Replaces what stands between two markers.
fn fill(page: &str, marker: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {marker} -->\n"), format!("<!-- end of {marker} -->"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{text}{end}{after}")
}

#[test]
fn golden_the_page_lists_each_right_with_its_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rights.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let page = fill(&page, "rights", &rights());
    expect_file![path].assert_eq(&fill(&page, "users", &users()));
}
