//! The chart on the real API server.

mod admission;
mod audit;
mod bad_values;
mod missing;
mod monitoring;
mod notes;
mod render;
mod rights;
mod rights_page;
mod strategy_catalog;
mod switches;
mod values;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use control_plane::ControlPlane;
use serde_json::Value;

use crate::support::{
    Plane,
    operator::Start,
    plane::{chart, succeed},
};

/// `helm template` of the chart, for a cluster that it supports.
pub fn template(plane: &Plane, name: &str, namespace: &str) -> Command {
    let mut helm = plane.control_plane.helm();
    helm.args(["template", name]).arg(chart()).args(["--namespace", namespace, "--kube-version", "1.36.0"]);
    helm
}

/// Runs a command with this as its input, and keeps what it writes.
pub fn with_input(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What `helm template` makes of the chart.
pub struct Release {
    namespace: String,
    yaml: Vec<u8>,
    pub objects: Vec<Value>,
}

impl Release {
    /// Renders the chart with these values, as `--set` takes them.
    pub fn render(plane: &Plane, name: &str, namespace: &str, values: &[&str]) -> Self {
        let mut helm = template(plane, name, namespace);
        for value in values {
            helm.args(["--set", value]);
        }
        Self::of(namespace, succeed(&mut helm).stdout)
    }

    /// Renders the chart with these values, as a file has them.
    pub fn render_values(plane: &Plane, name: &str, namespace: &str, values: &Value) -> Self {
        let mut helm = template(plane, name, namespace);
        let output = with_input(helm.args(["--values", "-"]), values.to_string().as_bytes());
        assert!(output.status.success(), "{values}: {}", String::from_utf8_lossy(&output.stderr));
        Self::of(namespace, output.stdout)
    }

    /// Installs the chart by Helm into a new namespace, and reads what Helm installed.
    pub fn install(plane: &Plane, name: &str, namespace: &str, values: &[&str]) -> Self {
        let mut helm = plane.control_plane.helm();
        helm.args(["install", name]).arg(chart()).args(["--namespace", namespace, "--create-namespace"]);
        for value in values {
            helm.args(["--set", value]);
        }
        succeed(&mut helm);
        let mut helm = plane.control_plane.helm();
        Self::of(namespace, succeed(helm.args(["get", "manifest", name, "--namespace", namespace])).stdout)
    }

    fn of(namespace: &str, yaml: Vec<u8>) -> Self {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(yaml.clone()).unwrap()).unwrap();
        let objects = documents.into_iter().filter(|document| !document.is_null()).collect();
        Self { namespace: namespace.to_owned(), yaml, objects }
    }

    /// The only object of this kind.
    pub fn object(&self, kind: &str) -> &Value {
        let mut found = self.objects.iter().filter(|object| object["kind"] == kind);
        let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(found.next().is_none(), "several {kind}s");
        object
    }

    /// The container's arguments.
    pub fn args(&self) -> Vec<String> {
        let args = &self.object("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
        serde_json::from_value(args.clone()).unwrap()
    }

    /// The container's environment, as a pod of this name gets it.
    fn env(&self, pod: &str) -> Vec<(String, String)> {
        let env = &self.object("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"];
        let value = |variable: &Value| match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            None => variable["value"].as_str().unwrap().to_owned(),
            Some("metadata.name") => pod.to_owned(),
            Some(other) => panic!("{other}"),
        };
        let env = env.as_array().into_iter().flatten();
        env.map(|variable| (variable["name"].as_str().unwrap().to_owned(), value(variable))).collect()
    }

    /// The same release with its objects changed.
    pub fn changed(&self, change: impl FnMut(&mut Value)) -> Self {
        let mut objects = self.objects.clone();
        objects.iter_mut().for_each(change);
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        Self { namespace: self.namespace.clone(), yaml: documents.join("\n---\n").into_bytes(), objects }
    }

    /// Applies everything.
    pub fn apply(&self, plane: &Plane) {
        let (ok, _, errors) = self.kubectl(&plane.control_plane, &["apply", "--server-side", "--filename", "-"]);
        assert!(ok, "{errors}");
    }

    /// Runs kubectl with all manifests as its input: whether it succeeded, what it printed, what it complained of.
    pub fn kubectl(&self, control_plane: &ControlPlane, args: &[&str]) -> (bool, String, String) {
        let output = with_input(control_plane.kubectl().args(args), &self.yaml);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// How the container would start, under this `ServiceAccount`. Only the admin address is another, for no two
    /// processes of one machine can have the same.
    pub async fn start(&self, plane: &Plane, service_account: &str) -> Start {
        let account = plane.control_plane.service_account_kubeconfig(&self.namespace, service_account);
        let mut args = self.args();
        assert_eq!(args.remove(0), "run");
        assert_eq!(args.remove(0), "--admin-address=0.0.0.0:8080");
        let start = args.into_iter().fold(Start::new(account.await.unwrap()), Start::arg);
        self.env(service_account).into_iter().fold(start, |start, (name, value)| start.env(&name, value))
    }
}
