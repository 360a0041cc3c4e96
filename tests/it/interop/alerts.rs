//! The alerts fire on what a real operator tells in trouble, and on nothing that it tells in peace.

mod prometheus;

use std::time::{Duration, Instant};

use http::StatusCode;
use idp_operator::api::{IdentityProvider, StrategyInstance, TenantJwtSecret};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use self::prometheus::{Story, check_metrics, check_rules, evaluate, held};
use crate::{
    observability::{Sample, alerts::rules, dashboard::queries, samples},
    support::{
        KeyServer, Link, Network, Operator, Plane, Proxy, Scene,
        key_server::{ED25519, jwks},
        proxy::{Answer, Done, Fault},
    },
};

const WATCHES: &str = "idp_operator_watch_last_event_timestamp_seconds";
const KEYS: [&str; 2] = ["idp_operator_keys_verified_timestamp_seconds", "idp_operator_keys_stale_timestamp_seconds"];

/// More than the minute after which keys are stale, or a quiet watch is heard again.
const A_MINUTE: Duration = Duration::from_secs(100);

async fn scrape(operator: &Operator) -> Vec<Sample> {
    samples(&operator.get("/metrics").await.1)
}

fn value(samples: &[Sample], name: &str, label: &str) -> f64 {
    let is_it = |sample: &&Sample| sample.name == name && sample.labels.iter().any(|(_, value)| value == label);
    samples.iter().find(is_it).map_or(0.0, |sample| sample.value)
}

/// When the API server was last heard, for each kind.
fn heard(samples: &[Sample]) -> Vec<(String, f64)> {
    let watches = samples.iter().filter(|sample| sample.name == WATCHES);
    let mut heard: Vec<_> = watches.map(|sample| (sample.labels[0].1.clone(), sample.value)).collect();
    heard.sort_by(|one, other| one.0.cmp(&other.0));
    heard
}

/// Looks at metrics until they are so. It may take more than a minute.
async fn until(what: &str, operator: &Operator, is_so: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
    let deadline = Instant::now() + A_MINUTE;
    loop {
        let samples = scrape(operator).await;
        if is_so(&samples) {
            return samples;
        }
        assert!(Instant::now() < deadline, "never: {what}: {samples:#?}\n{}", operator.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn idp(server: &KeyServer, name: &str, keys: &Value) -> Value {
    json!({
        "issuer": format!("https://{name}.example.com"),
        "jwtEndpoint": server.url("/jwt"),
        "keysEndpoint": server.url("/keys"),
        "allowInsecureHttp": true,
        "keys": keys,
    })
}

/// One object of three kinds, in peace.
async fn objects(scene: &Scene, server: &KeyServer) {
    let soon = json!({ "refreshInterval": "30s", "staleAfter": "1m" });
    scene.apply::<IdentityProvider>("short", idp(server, "short", &soon)).await;
    scene.apply::<IdentityProvider>("long", idp(server, "long", &json!({ "refreshInterval": "30s" }))).await;
    let tenant = json!({
        "tenantId": format!("acme.{}", scene.namespace),
        "signingAlgorithm": "HS256",
        "rotation": { "interval": "1h", "gracePeriod": "0s" },
    });
    scene.apply::<TenantJwtSecret>("acme", tenant).await;
    scene.apply::<StrategyInstance>("local", json!({ "type": "userpass" })).await;
    for name in ["short", "long"] {
        scene.verdict::<IdentityProvider>(name, "True", "Ready").await;
    }
    scene.verdict::<TenantJwtSecret>("acme", "True", "Ready").await;
    scene.verdict::<StrategyInstance>("local", "True", "Ready").await;
}

/// An endpoint without keys, a Secret that nobody can change, a flag that the type is not capable of.
async fn trouble(scene: &Scene, server: &KeyServer) {
    server.answer("500 Internal Server Error", "", "");
    scene.merge::<Secret>("acme-jwt", json!({ "immutable": true })).await;
    scene.merge::<TenantJwtSecret>("acme", json!({ "spec": { "signingAlgorithm": "HS384" } })).await;
    scene.merge::<StrategyInstance>("local", json!({ "spec": { "isSyncActive": true } })).await;
    scene.verdict::<TenantJwtSecret>("acme", "False", "SecretImmutable").await;
    scene.verdict::<StrategyInstance>("local", "False", "CapabilityNotSupported").await;
}

/// A role that allows no writes, and a tenant that needs some.
async fn no_rights(scene: &Scene, proxy: &Proxy) {
    proxy.fail(1..=usize::MAX, Fault { done: Done::No, answer: Answer::Status(StatusCode::FORBIDDEN) });
    let tenant = json!({ "tenantId": format!("more.{}", scene.namespace), "signingAlgorithm": "HS256" });
    scene.apply::<TenantJwtSecret>("more", tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/interop/install installs: just interop"]
async fn alerts_fire_in_trouble_and_only_then() {
    let (scene, quiet) = (Scene::new("alerts").await, Scene::new("quiet").await);
    let server = KeyServer::http(&jwks(&[ED25519])).await;
    let proxy = Proxy::start().await;
    let operator = scene.start_by(proxy.kubeconfig()).ready().await;
    objects(&scene, &server).await;
    let (peace_at, peace) = (Timestamp::now().as_second(), scrape(&operator).await);
    check_metrics(&operator.get_with("/metrics", "accept: text/plain\r\n").await.1);

    let link = Link::of(&Plane::shared().operator_kubeconfig).await;
    let second = quiet.start_by(link.kubeconfig()).ready().await;
    let idle = scrape(&second).await;
    trouble(&scene, &server).await;
    // It may have no lease in that namespace.
    let catalogue = tempfile::tempdir().unwrap();
    let file = catalogue.path().join("catalogue.yaml");
    std::fs::write(&file, "types: {}\n").unwrap();
    let standby = quiet.start().arg("--leader-elect").arg("--leader-election-namespace").arg(&quiet.namespace);
    let standby = standby.arg("--strategy-catalog").arg(file.to_str().unwrap()).ready().await;
    std::fs::write(&file, "types: 1\n").unwrap();

    // Nothing happens there, and yet each watch is heard again within about a minute.
    let before = heard(&idle);
    assert_eq!(before.len(), 6, "{before:?}");
    until("each quiet watch is heard again", &second, |samples| {
        heard(samples).iter().zip(&before).all(|(now, before)| now.0 == before.0 && now.1 > before.1 + 10.0)
    })
    .await;
    link.set(Network::Silent);
    let (cut_at, cut) = (Timestamp::now().as_second(), scrape(&second).await);

    let is_stale = |samples: &[Sample]| {
        let stale = value(samples, KEYS[1], "short");
        stale > 1e9 && stale < Timestamp::now().as_duration().as_secs_f64()
    };
    until("keys are stale", &operator, is_stale).await;
    let withdrawn = |idp: &IdentityProvider| {
        idp.status
            .as_ref()
            .is_some_and(|status| status.core.condition("KeysFresh").is_some_and(|fresh| fresh.reason == "KeysStale"))
    };
    scene.until::<IdentityProvider>("short", withdrawn).await;
    let errors = |samples: &[Sample]| {
        let all = samples.iter().filter(|sample| sample.name == "idp_operator_reconciles_total");
        all.filter(|sample| sample.labels.iter().any(|(_, value)| value == "error"))
            .map(|sample| sample.value)
            .sum::<f64>()
    };
    no_rights(&scene, &proxy).await;
    let earlier = until("a reconcile fails", &operator, |samples| errors(samples) > 0.5).await;
    let broken = until("another reconcile fails", &operator, |samples| errors(samples) > errors(&earlier)).await;
    let broken_at = Timestamp::now().as_second();
    let refused_file =
        |samples: &[Sample]| samples.iter().any(|sample| sample.name.contains("catalog") && sample.value < 0.5);
    let asked = scrape(&standby).await;
    let is_forbidden = |samples: &[Sample]| value(samples, "idp_operator_api_requests_total", "403");
    let alone = until("the file is refused, and so is the lease", &standby, |samples| {
        refused_file(samples) && is_forbidden(samples) > is_forbidden(&asked)
    })
    .await;
    let alone_at = Timestamp::now().as_second();
    // Not heard since.
    assert_eq!(heard(&scrape(&second).await), heard(&cut));

    let namespace = format!("namespace=\"{}\"", scene.namespace);
    let of = |alert: &str, labels: &str| format!("alertname=\"IdpOperator{alert}\",{labels}");
    let of_kind = |alert: &str, kind: &str| of(alert, &format!("kind=\"{kind}\",namespace=\"idp-system\""));
    let of_object = |alert: &str, name: &str| of(alert, &format!("name=\"{name}\",{namespace}"));
    let forbidden = |verb: &str, kind: &str| {
        of("ApiRequestsForbidden", &format!("kind=\"{kind}\",namespace=\"idp-system\",verb=\"{verb}\""))
    };
    let stale = vec![of_object("KeysStale", "short")];
    let refused = [("create", "secrets"), ("patch", "tenantjwtsecrets/status")];
    let refused = refused.map(|(verb, resource)| forbidden(verb, resource));
    let failing = [&[of_kind("ReconcileErrors", "TenantJwtSecret")][..], &refused].concat();
    let not_ready = ["IdentityProvider", "StrategyInstance", "TenantJwtSecret"];
    let not_ready: Vec<_> = not_ready.map(|kind| of_kind("ObjectsNotReady", kind)).into();
    let overdue = vec![of_object("RotationOverdue", "acme")];
    let lasting = [stale.clone(), failing.clone(), not_ready.clone(), overdue].concat();
    let long = |alert: &str| vec![of_object(alert, "long")];
    let in_trouble = held(&broken, "a").into_iter();
    let in_trouble = in_trouble.map(|series| series.that_goes_on(&[WATCHES]).that_grows_as_since(&earlier));
    let in_trouble = Story::of(broken_at, in_trouble)
        .fires("5m", &stale)
        .fires("20m", &[stale.clone(), failing.clone()].concat())
        .fires("40m", &[stale, failing, not_ready].concat())
        .fires("85m", &lasting)
        .fires("17h30m", &lasting)
        .fires("19h", &[lasting.clone(), long("KeysStaleSoon")].concat())
        .fires("25h", &[lasting, long("KeysStale")].concat());

    // The rotation is not waited for.
    let rotates = "idp_operator_secret_next_rotation_timestamp_seconds";
    let goes_on = [&[WATCHES, rotates][..], &KEYS].concat();
    let at_peace = |pod| held(&peace, pod).into_iter().map(|series| series.that_goes_on(&goes_on));
    let in_peace = ["1m", "10m", "1h", "25h"]
        .into_iter()
        .fold(Story::of(peace_at, at_peace("a")), |story, after| story.fires(after, &[]));
    let silent =
        |(kind, _): &(String, f64)| of("WatchSilent", &format!("kind=\"{kind}\",namespace=\"idp-system\",pod=\"a\""));
    let silent: Vec<String> = before.iter().map(silent).collect();
    let is_cut = Story::of(cut_at, held(&cut, "a")).fires("8m", &[]).fires("13m", &silent);
    let system = "namespace=\"idp-system\"";
    let idle = vec![of("NoLeader", system), of("StrategyCatalogRefused", system)];
    let stands_by = held(&alone, "a").into_iter();
    let stands_by = stands_by.map(|series| series.that_goes_on(&[WATCHES]).that_grows_as_since(&asked));
    let stands_by = Story::of(alone_at, stands_by)
        .fires("4m", &[])
        .fires("8m", &idle)
        .fires("40m", &[idle, vec![forbidden("get", "leases")]].concat());
    let twice = Story::of(peace_at, at_peace("a").chain(at_peace("b")));
    let twice = twice.fires("2m", &[]).fires("10m", &[of("SeveralLeaders", system)]);
    // Of these, samples are made up.
    let target = "job=\"idp-operator\",namespace=\"idp-system\",pod=\"a\"";
    let start = format!("idp_operator_start_timestamp_seconds{{{target}}}");
    let restarts = Story::of(0, []).with(&start, "1 1 1 200 200 400 400 600x60");
    let restarts = restarts.fires("4m", &[]).fires("10m", &[of("Restarting", &format!("{system},pod=\"a\""))]);
    let unread = format!("idp_operator_unreadable_objects{{{target},kind=\"StrategyInstance\"}}");
    let unread = Story::of(0, []).with(&start, "1x60").with(&unread, "0 0 2x60");
    let unread = unread.fires("6m", &[]).fires("10m", &[of_kind("ObjectsUnreadable", "StrategyInstance")]);
    let nothing = Story::of(0, []).fires("4m", &[]).fires("6m", &[of("Down", system)]);

    let rules = rules(&["prometheusRule.runbookUrl=https://docs.example.com/alerts.md"]);
    check_rules(&rules);
    let summary = format!("Keys of IdentityProvider {}/short are withdrawn.", scene.namespace);
    let description = format!(
        "IdentityProvider short in {} gave no good keys for its keys.staleAfter, or showed a private key. The published \
         keys are withdrawn: every token of this issuer is refused.",
        scene.namespace
    );
    let told = json!([{
        "eval_time": "5m",
        "alertname": "IdpOperatorKeysStale",
        "exp_alerts": [{
            "exp_labels": { "job": "idp-operator", "namespace": scene.namespace, "name": "short", "severity": "critical" },
            "exp_annotations": {
                "summary": summary,
                "description": description,
                "runbook_url": "https://docs.example.com/alerts.md#idpoperatorkeysstale",
            },
        }],
    }]);
    let stories = vec![in_trouble, in_peace, is_cut, stands_by, twice, restarts, unread, nothing];
    evaluate(&rules, stories, &told);
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn prometheus_reads_every_query_of_the_dashboard() {
    let values = [("$__rate_interval", "5m"), ("$job", "a"), ("$operator", "b"), ("$namespace", ".*")];
    let fill = |query: &str| values.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
    let queries = queries();
    let record = |(number, (_, query)): (usize, &(String, String))| json!({ "record": format!("panel:{number}"), "expr": fill(query) });
    let rules: Vec<Value> = queries.iter().enumerate().map(record).collect();
    check_rules(&json!({ "groups": [{ "name": "dashboard", "rules": rules }] }));
}
