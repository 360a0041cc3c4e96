//! Linters on what the chart renders, and schemas on every manifest: kubeconform, checkov, kube-score, `helm lint`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use control_plane::ControlPlane;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::{ENVIRONMENT, dir, helm3::helm3};
use crate::support::{
    Plane,
    plane::{chart, succeed},
};

/// By the names that lint.yaml uses: all that is on by default, few rights, all that can be switched on.
pub const VALUES: [(&str, &[&str]); 3] = [
    ("default", &[]),
    ("namespaces", &["watchNamespaces={team-a,team-b}", "tenantClaims=required"]),
    (
        "everything",
        &[
            "replicaCount=2",
            "leaderElection.enabled=true",
            "image.digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "networkPolicy.enabled=true",
            "serviceMonitor.enabled=true",
            "prometheusRule.enabled=true",
            "grafanaDashboard.enabled=true",
            "strategyCatalog.gitlab.canSync=true",
            "strategyCatalog.gitlab.canLoginRegister=true",
            "strategyCatalog.gitlab.allowsImplicitSignup=true",
        ],
    ),
];

/// Kinds of the Prometheus Operator, of Istio and of Flux: none of their schemas is here.
const FOREIGN: [&str; 5] = ["ServiceMonitor", "PodMonitor", "PrometheusRule", "RequestAuthentication", "Kustomization"];

fn program(name: &str) -> Command {
    let mut command = Command::new(ENVIRONMENT.join("bin").join(name));
    command.stdin(Stdio::null());
    command
}

/// A file with what the chart renders.
fn rendered(folder: &Path, values: &[&str]) -> PathBuf {
    let mut helm = Plane::shared().control_plane.helm();
    helm.args(["template", "idp-operator"]).arg(chart()).args(["--namespace", "idp-system"]);
    helm.args(["--kube-version", "1.36.0"]);
    for value in values {
        helm.args(["--set", value]);
    }
    let file = folder.join("rendered.yaml");
    fs::write(&file, succeed(&mut helm).stdout).unwrap();
    file
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn helm_finds_nothing_to_warn_of() {
    let control_plane = &Plane::shared().control_plane;
    for version in [ControlPlane::helm, helm3] {
        for (_, values) in VALUES {
            let mut helm = version(control_plane);
            helm.args(["lint", "--strict", "--quiet"]).arg(chart());
            for value in values {
                helm.args(["--set", value]);
            }
            let output = succeed(&mut helm);
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "");
        }
    }
}

/// Checks that fail, with the kind of the object: `CKV_K8S_11 Deployment`.
fn checkov(manifests: &Path) -> BTreeSet<String> {
    let mut checkov = program("checkov");
    // In its own folder, as it takes settings from the one it is started in.
    checkov.current_dir(manifests.parent().unwrap()).args(["--framework", "kubernetes", "--output", "json"]);
    checkov.args(["--compact", "--skip-download", "--download-external-modules", "false", "--soft-fail", "--file"]);
    let report: Value = serde_json::from_slice(&succeed(checkov.arg(manifests)).stdout).unwrap();
    let summary = &report["summary"];
    assert_eq!((&summary["parsing_errors"], &summary["skipped"]), (&json!(0), &json!(0)));
    assert!(summary["passed"].as_u64().unwrap() > 50, "{summary}");
    let failed = report["results"]["failed_checks"].as_array().unwrap();
    let finding = |check: &Value| {
        let kind = check["resource"].as_str().unwrap().split('.').next().unwrap();
        format!("{} {kind}", check["check_id"].as_str().unwrap())
    };
    failed.iter().map(finding).collect()
}

/// Checks that are less than well, with what each says.
fn kube_score(manifests: &Path) -> BTreeSet<String> {
    let mut score = program("kube-score");
    score.args(["score", "--kubernetes-version", "v1.36", "--output-format", "json", "--exit-one-on-warning"]);
    let output = score.arg(manifests).output().unwrap();
    let objects: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let mut found = BTreeSet::new();
    for check in objects.iter().flat_map(|object| object["checks"].as_array().unwrap()) {
        if check["skipped"] == json!(false) && check["grade"].as_u64().unwrap() < 10 {
            for comment in check["comments"].as_array().unwrap() {
                let (id, summary) = (&check["check"]["id"], &comment["summary"]);
                found.insert(format!("{} {}", id.as_str().unwrap(), summary.as_str().unwrap()));
            }
        }
    }
    found
}

#[rstest]
#[case("checkov", checkov)]
#[case("kube-score", kube_score)]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn what_a_linter_finds_is_explained(#[case] tool: &str, #[case] findings: fn(&Path) -> BTreeSet<String>) {
    let file = fs::read_to_string(dir().join("lint.yaml")).unwrap();
    let explained: Value = serde_saphyr::from_str(&file).unwrap();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (check, entry) in explained[tool].as_object().unwrap() {
        assert!(!entry["reason"].as_str().unwrap().is_empty(), "{check}");
        expected.insert(check.clone(), serde_json::from_value(entry["found"].clone()).unwrap());
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let folder = tempfile::tempdir().unwrap();
    for (name, values) in VALUES {
        for finding in findings(&rendered(folder.path(), values)) {
            found.entry(finding).or_default().insert(name.to_owned());
        }
    }
    assert_eq!(found, expected);
}

/// Makes a schema refuse fields that it does not know, as the API server's strict validation does.
fn strict(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    for key in ["allOf", "anyOf", "oneOf"] {
        fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(strict);
    }
    for key in ["items", "additionalProperties"] {
        fields.get_mut(key).into_iter().for_each(strict);
    }
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(strict);
        if !open && !fields.contains_key("additionalProperties") {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
    }
}

/// To kubeconform, the group of the core is its version.
fn write_schema(folder: &Path, group: &str, version: &str, kind: &str, schema: &Value) {
    let group = if group.is_empty() { version } else { group };
    fs::write(folder.join(format!("{group}_{version}_{kind}.json").to_lowercase()), schema.to_string()).unwrap();
}

/// Schemas of the API server's own kinds, as it publishes them.
fn write_built_in(folder: &Path) {
    let get = |path: &str| -> Value {
        let output = Plane::shared().kubectl(&["get", "--raw", path]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{path}: {output:?}"))
    };
    for (path, entry) in get("/openapi/v3")["paths"].as_object().unwrap() {
        if path.contains("idp-operator.dev") {
            continue;
        }
        let mut components = get(entry["serverRelativeURL"].as_str().unwrap())["components"].take();
        let Some(schemas) = components["schemas"].as_object_mut() else { continue };
        schemas.values_mut().for_each(strict);
        for (name, schema) in schemas.clone() {
            for kind in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let text = |key: &str| kind[key].as_str().unwrap();
                let whole = json!({ "$ref": format!("#/components/schemas/{name}"), "components": components });
                if schema["properties"]["metadata"].is_object() {
                    write_schema(folder, text("group"), text("version"), text("kind"), &whole);
                }
            }
        }
    }
}

/// Schemas of our kinds, of crds/.
fn write_ours(folder: &Path) {
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")).unwrap() {
        let crd: Value = serde_saphyr::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            strict(&mut schema);
            let properties = schema["properties"].as_object_mut().unwrap();
            properties.extend(Map::from_iter(
                [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")]
                    .map(|(name, type_)| (name.to_owned(), json!({ "type": type_ }))),
            ));
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (group, kind) = (text(&crd["spec"]["group"]), text(&crd["spec"]["names"]["kind"]));
            write_schema(folder, &group, &text(&version["name"]), &kind, &schema);
        }
    }
}

/// What kubeconform says of these files, by `file kind/name`: nothing, where it is valid.
fn kubeconform(schemas: &Path, files: &[PathBuf]) -> BTreeMap<String, String> {
    let mut kubeconform = program("kubeconform");
    let location = "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json";
    kubeconform.arg("-schema-location").arg(schemas.join(location));
    kubeconform.args(["-strict", "-verbose", "-output", "json", "-skip", &FOREIGN.join(",")]).args(files);
    let output = kubeconform.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let mut said = BTreeMap::new();
    for resource in report["resources"].as_array().unwrap() {
        let text = |key: &str| resource[key].as_str().unwrap();
        let file = Path::new(text("filename")).file_name().unwrap().to_str().unwrap();
        if text("kind").is_empty() && text("status") == "statusEmpty" {
            continue;
        }
        let message = match text("status") {
            "statusValid" => String::new(),
            "statusSkipped" if FOREIGN.contains(&text("kind")) => String::new(),
            status => format!("{status}: {}", text("msg")),
        };
        said.insert(format!("{file} {}/{}", text("kind"), text("name")), message);
    }
    said
}

fn schemas() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_built_in(folder.path());
    write_ours(folder.path());
    folder
}

fn wrong(said: BTreeMap<String, String>) -> BTreeMap<String, String> {
    said.into_iter().filter(|(_, message)| !message.is_empty()).collect()
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn what_the_chart_renders_fits_the_schemas_of_the_api_server() {
    let (schemas, folder) = (schemas(), tempfile::tempdir().unwrap());
    for (name, values) in VALUES {
        let said = kubeconform(schemas.path(), &[rendered(folder.path(), values)]);
        assert!(said.len() > 10, "{name}: {said:?}");
        assert_eq!(wrong(said), BTreeMap::new(), "{name}");
    }
    // That it can fail.
    let manifest = folder.path().join("wrong.yaml");
    let yaml = "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {port: [{port: 1}]}}";
    fs::write(&manifest, yaml).unwrap();
    let said = wrong(kubeconform(schemas.path(), &[manifest]));
    assert!(said["wrong.yaml Service/x"].contains("'port' not allowed"), "{said:?}");
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// Manifests of our kinds in Markdown, a file each. Those with `...` show a part.
fn manifests_of_docs(folder: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for page in docs.chain(["README.md", "charts/idp-operator/README.md"].map(|page| root.join(page))) {
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("yaml\n"));
        for (number, block) in blocks.enumerate() {
            if block.contains("apiVersion:") && block.contains("kind:") {
                let stem = page.file_stem().unwrap().to_str().unwrap();
                let file = folder.join(format!("{stem}-{number}.yaml"));
                fs::write(&file, block).unwrap();
                files.push(file);
            }
        }
    }
    files
}

#[test]
#[ignore = "needs what tests/interop/install installs: just interop"]
fn manifests_of_examples_and_docs_fit_our_schemas_and_of_the_broken_ones_these_do_not() {
    let (schemas, folder) = (schemas(), tempfile::tempdir().unwrap());
    let mut files = yaml_files("examples");
    let examples = files.len();
    files.extend(manifests_of_docs(folder.path()));
    assert!(examples > 5 && files.len() > examples, "{files:?}");
    assert_eq!(wrong(kubeconform(schemas.path(), &files)), BTreeMap::new());
    let refused: Vec<String> = wrong(kubeconform(schemas.path(), &yaml_files("examples/broken"))).into_keys().collect();
    // The others that are refused break a rule of CEL, which JSON Schema knows nothing of.
    assert_eq!(refused, ["identity-provider-hs256.yaml IdentityProvider/hs256"]);
}
