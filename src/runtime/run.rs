//! `idp-operator run`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use kube::{Client, Config};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{
    admin,
    catalogue::CatalogueFile,
    flags::{RunFlags, TenantClaims},
    leader::Leader,
    telemetry,
};
use crate::{
    cluster::{
        api_client, connector::Connector, events::Events, fence::Fence, fetcher::Fetcher, gate::Gate, key::Request,
        metrics::Metrics,
    },
    controllers::{
        context::{Context, Examples, Failures, Outputs, Unreadable},
        pipeline, run,
        strategy_instance::catalogue::CatalogueInForce,
        world::World,
    },
    domain::{address::AddressPolicy, catalogue::Catalogue, claims::NamespaceClaims},
};

/// Bound on a drain: the longest reconcile and a little. One that has to tell of a failure besides is cut off, which is
/// as safe as a crash.
const DRAIN: Duration = Duration::from_secs(pipeline::DEADLINE.as_secs() + 5);

/// Why the program ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A flag is wrong.
    #[error("{0}")]
    Flag(String),
    /// There is no way to an API server.
    #[error("found neither a ServiceAccount nor a kubeconfig to reach an API server with")]
    Config(#[source] kube::config::InferConfigError),
    /// The client can't be set up.
    #[error("could not set up the client of the API server")]
    Client(#[source] kube::Error),
    /// The admin server can't listen.
    #[error("could not serve on --admin-address {0}")]
    Admin(SocketAddr, #[source] std::io::Error),
    /// Signals can't be caught.
    #[error("could not catch signals")]
    Signal(#[source] std::io::Error),
    /// Another process leads now.
    #[error("lost the lease: it could not be renewed in time, or somebody else took it")]
    LeaseLost,
    /// A watch or the admin server ended, which they never do by themselves.
    #[error("a part of the program ended unexpectedly")]
    PartEnded,
}

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// When it ends for another cause.
pub async fn run(flags: RunFlags) -> Result<(), RunError> {
    telemetry::init(flags.log_format, &flags.log_level).map_err(RunError::Flag)?;
    // First of all: as process 1 of a container, a signal that is not caught does nothing.
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signal)?;
    let (file, catalogue) = match flags.strategy_catalog {
        None => (None, Catalogue::default()),
        Some(path) => {
            CatalogueFile::open(path).map(|(file, catalogue)| (Some(file), catalogue)).map_err(RunError::Flag)?
        }
    };
    let config = Config::infer().await.map_err(RunError::Config)?;
    let namespace = flags.leader_election_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let policy = AddressPolicy { allow: flags.allow_cidr, deny: flags.deny_cidr };
    let connector = Connector::new(policy, api_server(&config));
    let metrics = Metrics::default();
    let election = if flags.leader_elect { Some(Election::new(&config, namespace, &metrics)?) } else { None };
    let fence = election.as_ref().map(|election| election.fence.clone());
    let client = api_client::client(config, metrics.clone(), fence).map_err(RunError::Client)?;
    let claims = match flags.tenant_claims {
        TenantClaims::Off => NamespaceClaims::NotRequired,
        TenantClaims::Required => NamespaceClaims::required(),
    };
    let ctx = context(client, metrics, connector, World::new(claims), catalogue);
    let gate = Gate::new(run::watches(&ctx));
    let listener =
        TcpListener::bind(flags.admin_address).await.map_err(|error| RunError::Admin(flags.admin_address, error))?;
    let admin_address = listener.local_addr().unwrap_or(flags.admin_address);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %admin_address, "started");

    let stop = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(listener, ctx.clone(), gate.clone(), stop.clone().cancelled_owned()));
    let mut namespaces = flags.watch_namespace;
    namespaces.sort();
    namespaces.dedup();
    let mut watches = run::watch(&ctx, &namespaces, &gate);
    if let Some(file) = file {
        watches.spawn(file.follow(ctx.clone()));
    }

    let mut leader = None;
    let result = {
        let work = work(&ctx, &gate, election, &mut leader, flags.concurrency, stop.clone());
        tokio::pin!(work);
        let result = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            error = &mut work => Err(error),
            _ = watches.join_next() => Err(RunError::PartEnded),
            _ = admin => Err(RunError::PartEnded),
        };
        tracing::info!("stopping: reconciles under way are finished, no new ones start");
        stop.cancel();
        if result.is_ok() {
            tokio::select! {
                _ = work => {}
                () = tokio::time::sleep(DRAIN) => tracing::warn!("reconciles under way did not finish in time"),
                _ = terminate.recv() => tracing::warn!("told again to stop: reconciles under way are cut off"),
                _ = interrupt.recv() => tracing::warn!("told again to stop: reconciles under way are cut off"),
            }
        }
        result
    };
    if let Some(leader) = leader {
        leader.release().await;
    }
    tracing::info!("stopped");
    result
}

/// The election to be won before any work.
struct Election {
    /// One that no fence is in the way of: without the lease it lets nothing pass, the lease's own writes neither.
    client: Client,
    namespace: String,
    fence: Fence,
}

impl Election {
    fn new(config: &Config, namespace: String, metrics: &Metrics) -> Result<Self, RunError> {
        let client = api_client::client(config.clone(), metrics.clone(), None).map_err(RunError::Client)?;
        Ok(Self { client, namespace, fence: Leader::fence() })
    }
}

/// Runs the controllers once every watch has listed and this process leads. Ends when told to stop, or the lease is
/// lost. `leader` is the share in the election, once there is one. Who can't read the API does not stand for election: it would keep those from work who can.
async fn work(
    ctx: &Arc<Context>,
    gate: &Gate,
    election: Option<Election>,
    leader: &mut Option<Leader>,
    concurrency: u16,
    stop: CancellationToken,
) -> RunError {
    tokio::select! {
        () = gate.opened() => {}
        () = stop.cancelled() => return RunError::PartEnded,
    }
    let lost = match election {
        None => None,
        Some(Election { client, namespace, fence }) => {
            let leader = leader.insert(Leader::join(client, &namespace, fence));
            tokio::select! {
                elected = leader.elected() => if !elected { return RunError::LeaseLost },
                () = stop.cancelled() => return RunError::PartEnded,
            }
            Some(leader.lost())
        }
    };
    tracing::info!("every watch has listed: reconciling");
    ctx.metrics.leader.set(1);
    let controllers = run::control(ctx.clone(), concurrency, stop.clone());
    match lost {
        None => controllers.await,
        Some(lost) => tokio::select! {
            () = controllers => {}
            () = lost => return RunError::LeaseLost,
        },
    }
    RunError::PartEnded
}

fn context(client: Client, metrics: Metrics, connector: Connector, world: World, catalogue: Catalogue) -> Arc<Context> {
    let world = Arc::new(world);
    let waker = world.clone();
    let wake = Arc::new(move |key| {
        waker.wake(&Request { kind: crate::cluster::key::Kind::IdentityProvider, key });
    });
    Arc::new(Context {
        fetcher: Fetcher::new(connector, wake, metrics.clone()),
        events: Events::new(client.clone()),
        client,
        world,
        metrics,
        outputs: Outputs::default(),
        examples: Examples::default(),
        catalogue: CatalogueInForce::new(catalogue),
        failures: Failures::default(),
        unreadable: Unreadable::default(),
        clock: jiff::Timestamp::now,
    })
}

/// Hosts and ports by which the API server is known.
fn api_server(config: &Config) -> Vec<(String, u16)> {
    let url = &config.cluster_url;
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    let named = url.host().map(|host| (host.trim_matches(['[', ']']).to_owned(), port));
    let service = std::env::var("KUBERNETES_SERVICE_HOST").ok().map(|host| {
        let port = std::env::var("KUBERNETES_SERVICE_PORT").ok().and_then(|port| port.parse().ok());
        (host.trim_matches(['[', ']']).to_owned(), port.unwrap_or(443))
    });
    named.into_iter().chain(service).collect()
}
