//! What the demo does, step by step.

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use control_plane::ControlPlane;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Error,
    cluster::Cluster,
    identities,
    keys::Scene,
    manifests::{self, BROKEN, GOOD, Manifest},
    objects::{self, Object},
    operator::{self, Operator},
    provider::Provider,
    rotation,
    screen::Screen,
    verdicts::{self, Applied},
};

const RELEASE: &str = "idp-operator";
const SYSTEM: &str = "idp-system";
const NAMESPACE: &str = "demo";

/// Bound on the wait for the reconciles after a restart.
const LIMIT: Duration = Duration::from_secs(30);
/// How long after them a write would have been seen.
const QUIET: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(200);

/// From the installation to the end.
pub async fn tour(plane: &ControlPlane, screen: &Screen, keep: bool) -> Result<(), Error> {
    let log = plane.dir().join("operator.log");
    let result = steps(plane, screen, &log, keep).await;
    let tail = operator::tail(&log);
    if result.is_err() && !tail.is_empty() {
        screen.heading("The operator's last log lines");
        screen.output(&tail);
    }
    result
}

async fn steps(plane: &ControlPlane, screen: &Screen, log: &Path, keep: bool) -> Result<(), Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
    let mut cluster = Cluster { plane, screen, root };
    install(&cluster)?;
    let mut operator = run_operator(&cluster, log).await?;
    let provider = run_provider(&mut cluster).await?;
    let applied = apply(&cluster, &provider)?;
    let client = plane.client().await?;
    judge(screen, &client, &applied).await?;
    cluster.screen.output(&cluster.kubectl(&["get", "-n", NAMESPACE, "idp"])?);
    let scene = Scene { cluster: &cluster, client: &client, namespace: NAMESPACE, provider: &provider };
    scene.examples("example-failed")?;
    scene.rotate().await?;
    scene.outage().await?;
    rotation::show(&cluster, &client, NAMESPACE).await?;
    identities::missing_link(&cluster, NAMESPACE)?;
    identities::strategies(&cluster, NAMESPACE)?;
    let objects = verdicts::settled(&client, NAMESPACE, &applied).await?;
    restart(screen, &client, &mut operator, &objects).await?;
    if keep {
        stay(&cluster, &mut operator, log).await?;
    }
    screen.heading("The end");
    operator.stop()?;
    drop(provider);
    screen.text("Everything came out as expected. The processes stop now, and their files are removed.");
    if !keep {
        screen.text("To try things yourself: cargo demo --keep");
    }
    Ok(())
}

fn install(cluster: &Cluster<'_>) -> Result<(), Error> {
    cluster.screen.heading("The operator, installed with Helm");
    cluster.helm(&["install", RELEASE, "charts/idp-operator", "-n", SYSTEM, "--create-namespace"])?;
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    cluster.screen.text(
        "The chart brought the CRDs, a ServiceAccount, its roles and a Deployment. There is no kubelet here, so the \
         Deployment's pod never starts. The operator runs as a process of this machine instead, with the token of the \
         chart's ServiceAccount: it may do what the chart's roles allow, and no more.",
    );
    Ok(())
}

async fn run_operator(cluster: &Cluster<'_>, log: &Path) -> Result<Operator, Error> {
    let kubeconfig = cluster.plane.service_account_kubeconfig(SYSTEM, RELEASE).await?;
    cluster.screen.command(&format!("idp-operator run {}", operator::FLAGS));
    let operator = Operator::start(&kubeconfig, log).await?;
    cluster.screen.text("It is ready.");
    Ok(operator)
}

/// Starts the identity provider that the manifests name, and corrects them if it is elsewhere.
async fn run_provider(cluster: &mut Cluster<'_>) -> Result<Provider, Error> {
    let screen = cluster.screen;
    screen.heading("An identity provider");
    let provider = Provider::start().await?;
    screen.text(&format!(
        "It serves its public keys (RSA, P-256 and Ed25519, made just now) at http://{}/keys; and others at \
         https://{}/keys, with a certificate of its own authority. Both are on loopback, which the operator calls for \
         keys only because it was allowed to above.",
        provider.address, provider.https
    ));
    if provider.moved() {
        screen.text(
            "A port where the examples expect it is taken: what is applied below is a copy that names another port.",
        );
        let copy = cluster.plane.dir().join("manifests");
        manifests::copy(&cluster.root, &copy, &provider)?;
        cluster.root = copy;
    }
    Ok(provider)
}

fn apply(cluster: &Cluster<'_>, provider: &Provider) -> Result<Vec<Applied>, Error> {
    let screen = cluster.screen;
    let all = manifests::read(&cluster.root)?;
    let (good, broken): (Vec<Manifest>, Vec<Manifest>) =
        all.into_iter().partition(|manifest| manifest.path.parent() == Some(Path::new(GOOD)));
    let mut applied = Vec::new();

    screen.heading(&format!("{GOOD}/: each kind as it is meant to be"));
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    trust(cluster, provider)?;
    for manifest in good {
        applied.push(apply_one(cluster, manifest)?);
    }
    screen.heading(&format!("{BROKEN}/: each is wrong on purpose"));
    for manifest in broken {
        applied.push(apply_one(cluster, manifest)?);
    }
    Ok(applied)
}

/// Gives the operator the certificate of the provider's authority, which only the provider has.
fn trust(cluster: &Cluster<'_>, provider: &Provider) -> Result<(), Error> {
    let path = cluster.plane.dir().join("ca.crt");
    fs::write(&path, &provider.authority)?;
    let from = format!("--from-file={}", path.display());
    cluster.kubectl(&["create", "-n", NAMESPACE, "configmap", "corporate-ca", &from]).map(drop)
}

fn apply_one(cluster: &Cluster<'_>, manifest: Manifest) -> Result<Applied, Error> {
    let path = manifest.path.display().to_string();
    let outcome = cluster.try_kubectl(&["apply", "-n", NAMESPACE, "-f", &path])?;
    cluster.screen.output(&outcome.stdout);
    if let Some(refusal) = &outcome.failure {
        cluster.screen.indented(4, refusal);
    }
    Ok(Applied {
        manifest,
        ids: outcome.stdout.lines().filter_map(objects::named_in).collect(),
        refused: outcome.failure.is_some(),
    })
}

async fn judge(screen: &Screen, client: &Client, applied: &[Applied]) -> Result<(), Error> {
    screen.heading("What came of them");
    let objects = verdicts::settled(client, NAMESPACE, applied).await?;
    verdicts::show(screen, applied, &objects);
    let unexpected = verdicts::unexpected(applied, &objects);
    if unexpected.is_empty() { Ok(()) } else { Err(unexpected.join("\n").into()) }
}

/// Restarts the operator: it must look at every object and find nothing to write.
async fn restart(screen: &Screen, client: &Client, operator: &mut Operator, before: &[Object]) -> Result<(), Error> {
    screen.heading("The operator, restarted");
    operator.restart().await?;
    let start = Instant::now();
    while operator.reconciles()? < u64::try_from(before.len())? {
        operator.must_run()?;
        if start.elapsed() > LIMIT {
            return Err(format!("the restarted operator has not looked at every object after {LIMIT:?}").into());
        }
        tokio::time::sleep(POLL).await;
    }
    tokio::time::sleep(QUIET).await;
    let after = objects::list(client, NAMESPACE).await?;
    let written = verdicts::written(before, &after);
    if !written.is_empty() {
        return Err(
            format!("the restarted operator wrote to {}, though nothing had changed", written.join(", ")).into()
        );
    }
    screen.text("It looked at every object again, and wrote nothing: no object's resourceVersion changed.");
    Ok(())
}

/// Stays until Ctrl-C or SIGTERM.
async fn stay(cluster: &Cluster<'_>, operator: &mut Operator, log: &Path) -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let screen = cluster.screen;
    screen.heading("Yours, until Ctrl-C. In another terminal:");
    screen.line("");
    screen.line(&format!("export KUBECONFIG='{}'", cluster.plane.admin_kubeconfig().display()));
    let kubectl = cluster.plane.kubectl();
    if let (false, Some(folder)) = (is_in_path("kubectl"), Path::new(kubectl.get_program()).parent()) {
        screen.line(&format!("export PATH=\"$PATH:{}\"", folder.display()));
    }
    screen.line(&format!(
        "kubectl get identity -A
kubectl get uia,si -n {NAMESPACE} -o wide
kubectl explain idp.spec
kubectl wait -n {NAMESPACE} --for=condition=Ready idp/login
kubectl describe -n {NAMESPACE} idp/example-failed
kubectl describe -n {NAMESPACE} tjs/seed-value
kubectl delete -n {NAMESPACE} secret/acme-jwt        # the operator makes a new one
curl -s http://{}/metrics
tail -f '{}'",
        operator.admin(),
        log.display()
    ));
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => operator.must_run()?,
        }
    }
}

fn is_in_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
