//! The chart on the real API server.

mod render;
mod rights;
mod strategy_catalog;
mod upgrade;

use std::{io::Write as _, process::Stdio};

use control_plane::ControlPlane;
use serde_json::Value;

use crate::support::{
    Plane,
    operator::Start,
    plane::{chart, succeed},
};

/// What `helm template` makes of the chart.
pub struct Release {
    namespace: String,
    yaml: Vec<u8>,
    pub objects: Vec<Value>,
}

impl Release {
    /// Renders the chart with these values, as `--set` takes them.
    pub fn render(plane: &Plane, name: &str, namespace: &str, values: &[&str]) -> Self {
        let mut helm = plane.control_plane.helm();
        helm.args(["template", name]).arg(chart()).args(["--namespace", namespace, "--kube-version", "1.36.0"]);
        for value in values {
            helm.args(["--set", value]);
        }
        let yaml = succeed(&mut helm).stdout;
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

    /// Applies everything.
    pub fn apply(&self, plane: &Plane) {
        let (ok, _, errors) = self.kubectl(&plane.control_plane, &["apply", "--server-side", "--filename", "-"]);
        assert!(ok, "{errors}");
    }

    /// Runs kubectl with all manifests as its input: whether it succeeded, what it printed, what it complained of.
    pub fn kubectl(&self, control_plane: &ControlPlane, args: &[&str]) -> (bool, String, String) {
        let mut kubectl = control_plane.kubectl();
        kubectl.args(args);
        kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&self.yaml).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// How the container would start, under this ServiceAccount. Only the admin address is another, for no two
    /// processes of one machine can have the same.
    pub async fn start(&self, plane: &Plane, service_account: &str) -> Start {
        let account = plane.control_plane.service_account_kubeconfig(&self.namespace, service_account);
        let mut args = self.args();
        assert_eq!(args.remove(0), "run");
        assert_eq!(args.remove(0), "--admin-address=0.0.0.0:8080");
        args.into_iter().fold(Start::new(account.await.unwrap()), Start::arg)
    }
}
