//! The Prometheus Operator's CRDs, as its Go module has them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use serde_json::Value;

use crate::support::{Plane, plane::succeed};

/// Folder of the CRDs of the version in `monitoring/go.mod`.
fn folder() -> PathBuf {
    const MODULE: &str = "github.com/prometheus-operator/prometheus-operator";
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", MODULE]).env("GOWORK", "off");
    download.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/chart/monitoring"));
    let answer: Value = serde_json::from_slice(&succeed(&mut download).stdout).unwrap();
    Path::new(answer["Dir"].as_str().unwrap()).join("example/prometheus-operator-crd")
}

/// Installs those that the chart has objects of, on the shared control plane.
pub fn install_crds() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let mut apply = Plane::shared().control_plane.kubectl();
        apply.args(["apply", "--server-side"]);
        for plural in ["servicemonitors", "podmonitors", "prometheusrules"] {
            apply.arg("--filename").arg(folder().join(format!("monitoring.coreos.com_{plural}.yaml")));
        }
        succeed(&mut apply);
        let mut wait = Plane::shared().control_plane.kubectl();
        wait.args(["wait", "--for=condition=Established", "--timeout=60s", "crd"]);
        wait.args(
            ["servicemonitors", "podmonitors", "prometheusrules"]
                .map(|plural| format!("{plural}.monitoring.coreos.com")),
        );
        succeed(&mut wait);
    });
}
