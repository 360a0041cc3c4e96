//! Least privilege, by the API server's audit log: under the chart's own `ServiceAccount`, arguments and environment the
//! operator uses each right that the chart grants, and asks for no other.

pub mod grants;
pub mod life;
mod log;

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

use self::{
    grants::{Grant, grants},
    log::{Audited, Call},
};
use super::Release;
use crate::{
    program::{so, soon},
    support::{Proxy, Scene, proxy::Read},
};

/// Values of the chart that make a difference for rights.
#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    watches_all: bool,
    /// Tenant claims and leader election.
    is_strict: bool,
}

/// Those that watch all namespaces come last, and one after the other: each would look after the others' objects too.
const SOME: [Mode; 2] = [
    Mode { name: "some", watches_all: false, is_strict: false },
    Mode { name: "some-strict", watches_all: false, is_strict: true },
];
const ALL: [Mode; 2] = [
    Mode { name: "all", watches_all: true, is_strict: false },
    Mode { name: "all-strict", watches_all: true, is_strict: true },
];

impl Mode {
    fn values(self, watched: &str) -> Vec<String> {
        let mut values = vec!["crds.install=false".to_owned(), "allowCidrs={127.0.0.0/8}".to_owned()];
        if !self.watches_all {
            values.push(format!("watchNamespaces={{{watched}}}"));
        }
        if self.is_strict {
            values.extend(["tenantClaims=required", "leaderElection.enabled=true"].map(str::to_owned));
        }
        values
    }
}

/// A release whose operator has lived.
struct Lived {
    mode: Mode,
    user: String,
    grants: BTreeSet<Grant>,
}

/// Installs a release in a namespace of its own, and has its operator work in another one.
async fn run(audited: &Audited, mode: Mode) -> Lived {
    let plane = &audited.plane;
    let scene = Scene::on(plane, mode.name).await;
    let server = life::prepare(&scene).await;
    let values = mode.values(&scene.namespace);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let home = format!("{}-system", scene.namespace);
    let release = Release::install(plane, mode.name, &home, &values);
    let account = release.object("ServiceAccount")["metadata"]["name"].as_str().unwrap().to_owned();
    let (user, grants) = (format!("system:serviceaccount:{home}:{account}"), grants(&release.objects));
    for grant in &grants {
        soon("a right is in force", async || so(is_in_force(&scene.client, &user, grant).await)).await;
    }
    let operator = release.start(plane, &account).await.ready().await;
    life::live(&scene, &server).await;
    let (status, log) = operator.terminate();
    assert!(status.success(), "{log}");
    Lived { mode, user, grants }
}

async fn is_in_force(client: &Client, user: &str, grant: &Grant) -> bool {
    let (resource, subresource) = grant.resource.split_once('/').unwrap_or((&grant.resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        namespace: grant.namespace.clone(),
        verb: Some(grant.verb.clone()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        name: grant.name.clone(),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer = Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

impl Lived {
    /// What is granted is used, and nothing else.
    fn assert_least(&self, calls: &[&Call]) {
        let refused: Vec<_> = calls.iter().filter(|call| [401, 403].contains(&call.code)).collect();
        assert!(refused.is_empty(), "{}: {refused:#?}", self.mode.name);
        let others: Vec<_> = calls.iter().filter(|call| !self.grants.iter().any(|grant| call.is_by(grant))).collect();
        assert!(others.is_empty(), "{}: allowed by another role: {others:#?}", self.mode.name);
        let unused: Vec<_> = self.grants.iter().filter(|grant| !calls.iter().any(|call| call.is_by(grant))).collect();
        assert!(unused.is_empty(), "{}: granted, but not used: {unused:#?}", self.mode.name);
        // A right in all namespaces where one in each would do is too much.
        let is_wide = |call: &&&Call| ["list", "watch"].contains(&call.verb.as_str()) && call.namespace.is_none();
        let wide = calls.iter().filter(is_wide).count();
        assert_eq!(wide > 0, self.mode.watches_all);
        let narrow = |call: &&&Call| ["list", "watch"].contains(&call.verb.as_str()) && call.namespace.is_some();
        assert_eq!(calls.iter().filter(narrow).count() > 0, !self.mode.watches_all);
    }

    /// Contents are read of just those Secrets and `ConfigMaps` that specs refer to or that the operator made: by name. What
    /// is listed is metadata.
    fn assert_discreet(&self, calls: &[&Call]) {
        for (resource, referred) in [("secrets", &life::SECRETS[..]), ("configmaps", &life::CONFIG_MAPS)] {
            let got = calls.iter().filter(|call| call.resource == resource && call.verb == "get");
            let got: BTreeSet<&str> = got.map(|call| call.name.as_deref().unwrap()).collect();
            let referred: BTreeSet<&str> = referred.iter().copied().collect();
            assert!(!got.is_empty() && got.is_subset(&referred), "{}: {got:?}", self.mode.name);
        }
        let listed = calls.iter().filter(|call| call.verb == "list" && call.answer.is_some());
        let forms: BTreeSet<_> = listed.map(|call| (call.resource.as_str(), call.answer.as_deref().unwrap())).collect();
        let mut expected =
            BTreeSet::from([("secrets", "PartialObjectMetadataList"), ("configmaps", "PartialObjectMetadataList")]);
        if self.mode.watches_all && self.mode.is_strict {
            expected.insert(("namespaces", "PartialObjectMetadataList"));
        }
        assert_eq!(forms, expected, "{}", self.mode.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_the_chart_grants_is_used_and_no_other_is_asked_for() {
    let audited = Audited::start();
    audited.plane.install_crds();
    let [first, second] = SOME.map(|mode| run(&audited, mode));
    let (first, second) = tokio::join!(first, second);
    let mut lived = vec![first, second];
    for mode in ALL {
        lived.push(run(&audited, mode).await);
    }
    let calls = audited.calls();
    for one in &lived {
        let own: Vec<&Call> = calls.iter().filter(|call| call.user == one.user).collect();
        one.assert_least(&own);
        one.assert_discreet(&own);
    }
    // Nobody else is at work: what happened to the objects was the operators' doing, or the administrator's.
    let users: BTreeSet<&str> = calls.iter().map(|call| call.user.as_str()).collect();
    let known: BTreeSet<&str> =
        lived.iter().map(|one| one.user.as_str()).chain(["admin", "system:apiserver"]).collect();
    assert_eq!(users, known);
}

/// The audit log does not have what a watch delivers; the request says in which form it may come.
#[tokio::test]
async fn of_secrets_and_configmaps_only_metadata_is_watched() {
    let scene = Scene::new("metadata").await;
    let proxy = Proxy::start().await;
    let operator = scene.start_by(proxy.kubeconfig()).ready().await;
    let is_watch = |read: &&Read| read.uri.contains("watch=true");
    soon("six watches", async || so(proxy.reads().iter().filter(is_watch).count() >= 6)).await;
    let forms = |resource: &str, watch: bool| -> BTreeSet<String> {
        let path = format!("/api/v1/namespaces/{}/{resource}?", scene.namespace);
        let reads = proxy.reads().into_iter().filter(|read| read.uri.starts_with(&path));
        reads.filter(|read| is_watch(&read) == watch).map(|read| read.accept).collect()
    };
    for resource in ["secrets", "configmaps"] {
        let form = |kind: &str| BTreeSet::from([format!("application/json;as={kind};g=meta.k8s.io;v=v1")]);
        assert_eq!(forms(resource, true), form("PartialObjectMetadata"), "{resource}");
        assert_eq!(forms(resource, false), form("PartialObjectMetadataList"), "{resource}");
    }
    operator.drained().await;
}
