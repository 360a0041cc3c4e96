//! A control plane that keeps an audit log, and what it says.

use std::{fs, path::PathBuf};

use control_plane::{ControlPlane, report};
use serde_json::Value;

use super::grants::{Grant, resource_name};
use crate::support::Plane;

/// Answers to lists of these are kept to see in which form contents were sent. It may hold secrets: it never leaves the
/// temporary folder.
const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    userGroups: ["system:serviceaccounts"]
    verbs: [list]
    resources: [{ group: "", resources: [secrets, configmaps, namespaces] }]
  - level: Metadata
"#;

/// A control plane with an audit log.
pub struct Audited {
    pub plane: Plane,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub user: String,
    pub namespace: Option<String>,
    /// As in a [`Grant`]; of what is no resource, the path.
    pub resource: String,
    pub verb: String,
    pub name: Option<String>,
    pub code: u64,
    /// Why it was allowed.
    pub reason: String,
    /// Kind of the answer, where it was kept.
    pub answer: Option<String>,
}

impl Audited {
    /// Starts it, without anything installed.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (policy, log) = (dir.path().join("policy.yaml"), dir.path().join("audit.log"));
        fs::write(&policy, POLICY).unwrap();
        let builder = ControlPlane::builder()
            .api_server_arg(format!("--audit-policy-file={}", policy.display()))
            .api_server_arg(format!("--audit-log-path={}", log.display()));
        let control_plane = builder.start().unwrap_or_else(|error| panic!("{}", report(&error)));
        let operator_kubeconfig = control_plane.admin_kubeconfig().to_owned();
        Self { plane: Plane { control_plane, operator_kubeconfig }, log, _dir: dir }
    }

    /// All calls so far. The API server writes a line before it answers.
    pub fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(&self.log).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| Call::read(&serde_json::from_str(line).unwrap())).collect()
    }
}

impl Call {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(subresource) => format!("{}/{subresource}", text(&object["resource"])),
            None => text(&object["resource"]),
        };
        let resource = if object["resource"].is_string() {
            resource_name(object["apiGroup"].as_str().unwrap_or_default(), &resource)
        } else {
            text(&event["requestURI"])
        };
        let user = event.get("impersonatedUser").unwrap_or(&event["user"]);
        Self {
            user: text(&user["username"]),
            namespace: object["namespace"].as_str().map(str::to_owned),
            resource,
            verb: text(&event["verb"]),
            name: object["name"].as_str().map(str::to_owned),
            code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            reason: text(&event["annotations"]["authorization.k8s.io/reason"]),
            answer: event["responseObject"]["kind"].as_str().map(str::to_owned),
        }
    }

    /// Whether this grant allows it, and was what allowed it.
    pub fn is_by(&self, grant: &Grant) -> bool {
        self.resource == grant.resource
            && self.verb == grant.verb
            && (grant.namespace.is_none() || self.namespace == grant.namespace)
            && (grant.name.is_none() || self.name == grant.name)
            && self.reason == grant.by
    }
}
