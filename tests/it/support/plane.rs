//! The shared control plane, with the chart installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use control_plane::{ControlPlane, report};

/// Namespace of the chart's release.
pub const SYSTEM: &str = "idp-system";

static SHARED: LazyLock<Plane> = LazyLock::new(Plane::start);

/// A control plane with the chart installed.
pub struct Plane {
    pub control_plane: ControlPlane,
    /// Kubeconfig of the chart's ServiceAccount.
    pub operator_kubeconfig: PathBuf,
}

impl Plane {
    /// The one that most tests share.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// One of its own, for tests of what a whole cluster has.
    pub fn start() -> Self {
        let plane = Self::start_without_crds();
        plane.install_crds();
        plane
    }

    /// One where the chart is installed but for the CRDs.
    pub fn start_without_crds() -> Self {
        let control_plane = ControlPlane::start().unwrap_or_else(|error| panic!("{}", report(&error)));
        install(&control_plane, false);
        let operator_kubeconfig = in_own_runtime(control_plane.service_account_kubeconfig(SYSTEM, "idp-operator"))
            .unwrap_or_else(|error| panic!("{}", report(&error)));
        Self { control_plane, operator_kubeconfig }
    }

    /// Installs the CRDs by the chart.
    pub fn install_crds(&self) {
        install(&self.control_plane, true);
        let mut wait = self.control_plane.kubectl();
        wait.args(["wait", "--for=condition=Established", "--timeout=60s", "crd"]);
        wait.args(
            ["identityproviders", "tenantjwtsecrets", "useridpauthenticators", "strategyinstances"]
                .map(|plural| format!("{plural}.idp-operator.dev")),
        );
        succeed(&mut wait);
    }

    /// Runs kubectl and returns what it printed, without minding whether it succeeded.
    pub fn kubectl(&self, args: &[&str]) -> Output {
        self.control_plane.kubectl().args(args).output().unwrap()
    }
}

/// Folder of the chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/idp-operator")
}

/// Runs a command that must succeed.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn install(control_plane: &ControlPlane, crds: bool) {
    let mut helm = control_plane.helm();
    helm.args(["upgrade", "--install", "idp-operator"]).arg(chart());
    helm.args(["--namespace", SYSTEM, "--create-namespace", "--set", &format!("crds.install={crds}")]);
    succeed(&mut helm);
}

/// A static is made in whatever test comes first: not in its runtime.
fn in_own_runtime<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future))
            .join()
            .unwrap()
    })
}
