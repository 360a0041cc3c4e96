//! The program's metrics, with bounded labels: no user ids, no URLs.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use super::signs_of_life::SignsOfLife;

/// Labels of [`Metrics::reconciles`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReconcileLabels {
    /// Kind of the object.
    pub kind: &'static str,
    /// `ok`, `error` or `raced`.
    pub result: &'static str,
}

/// A kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// Kind of the object.
    pub kind: String,
}

/// Labels of [`Metrics::objects`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ObjectLabels {
    /// Kind of the objects.
    pub kind: &'static str,
    /// Their `Ready`: `True`, `False` or `Unknown`.
    pub ready: &'static str,
}

/// Labels of [`Metrics::api_requests`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ApiRequestLabels {
    /// Verb as RBAC names it.
    pub verb: &'static str,
    /// Resource as RBAC names it, e.g. `secrets` or `identityproviders/status`.
    pub kind: String,
    /// HTTP status code, or `none` where there was no answer.
    pub code: String,
}

/// Labels of [`Metrics::keys_fetches`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FetchLabels {
    /// `ok`, or the reason in the status.
    pub result: &'static str,
}

/// An object by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NameLabels {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Every metric. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    /// Reconciles that ended.
    pub reconciles: Family<ReconcileLabels, Counter>,
    /// How long they took.
    pub reconcile_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// Objects by `Ready`.
    pub objects: Family<ObjectLabels, Gauge>,
    /// Since when the object has not been Ready that has not been for longest.
    pub not_ready_since: Family<KindLabels, Gauge>,
    /// Requests to the API server.
    pub api_requests: Family<ApiRequestLabels, Counter>,
    /// Fetches of keys.
    pub keys_fetches: Family<FetchLabels, Counter>,
    /// When an identity provider's keys were last seen to be good.
    pub keys_verified: Family<NameLabels, Gauge>,
    /// When they are too old to be trusted, if no good ones are seen until then.
    pub keys_stale: Family<NameLabels, Gauge>,
    /// When a tenant's next value becomes current, of those for which that can be foreseen.
    pub secret_next_rotation: Family<NameLabels, Gauge>,
    /// Whether this process runs the controllers.
    pub leader: Gauge,
    /// When the API server was last heard on each watch: what [`Metrics::watch_last_event`] is told from.
    pub signs_of_life: SignsOfLife,
    /// When the API server was last heard on the watch of a kind.
    pub watch_last_event: Family<KindLabels, Gauge>,
    /// Objects that can't be read.
    pub unreadable_objects: Family<KindLabels, Gauge>,
    /// At most one: see [`Metrics::strategy_catalog_is_good`].
    strategy_catalog: Family<[(&'static str, &'static str); 0], Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("idp_operator");
        let reconciles = Family::default();
        registry.register("reconciles", "Reconciles that ended", reconciles.clone());
        let reconcile_duration: Family<_, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0]));
        registry.register_with_unit(
            "reconcile_duration",
            "Duration of reconciles",
            Unit::Seconds,
            reconcile_duration.clone(),
        );
        let objects = Family::default();
        registry.register("objects", "Objects by kind and by the status of their condition Ready", objects.clone());
        let not_ready_since = Family::default();
        registry.register_with_unit(
            "objects_not_ready_since_timestamp",
            "Since when that object is not Ready which has not been for longest, as Unix time; suspended ones aside",
            Unit::Seconds,
            not_ready_since.clone(),
        );
        let api_requests = Family::default();
        registry.register("api_requests", "Requests to the API server", api_requests.clone());
        let keys_fetches = Family::default();
        registry.register("keys_fetches", "Fetches of key sets that ended", keys_fetches.clone());
        let keys_verified = Family::default();
        registry.register_with_unit(
            "keys_verified_timestamp",
            "When an identity provider's keys were last seen to be good, as Unix time",
            Unit::Seconds,
            keys_verified.clone(),
        );
        let keys_stale = Family::default();
        registry.register_with_unit(
            "keys_stale_timestamp",
            "When an identity provider's keys are withdrawn unless good ones are seen again, or were withdrawn, as Unix time",
            Unit::Seconds,
            keys_stale.clone(),
        );
        let secret_next_rotation = Family::default();
        registry.register_with_unit(
            "secret_next_rotation_timestamp",
            "When a tenant's next value becomes current, as Unix time",
            Unit::Seconds,
            secret_next_rotation.clone(),
        );
        let leader = Gauge::default();
        registry.register("leader", "1 where this process runs the controllers", leader.clone());
        let watch_last_event = Family::default();
        registry.register_with_unit(
            "watch_last_event_timestamp",
            "When the API server was last heard on the watch of a kind, as Unix time",
            Unit::Seconds,
            watch_last_event.clone(),
        );
        let unreadable_objects = Family::default();
        registry.register("unreadable_objects", "Objects that can't be read", unreadable_objects.clone());
        let strategy_catalog = Family::default();
        registry.register(
            "strategy_catalog_last_reload_successful",
            "1 where the file of --strategy-catalog, as it was last read, is in force; 0 where an earlier one is",
            strategy_catalog.clone(),
        );
        let start = Gauge::<i64>::default();
        start.set(jiff::Timestamp::now().as_second());
        registry.register_with_unit("start_timestamp", "When this process started, as Unix time", Unit::Seconds, start);
        registry.register("build", "This build", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            registry: std::sync::Arc::new(registry),
            reconciles,
            reconcile_duration,
            objects,
            not_ready_since,
            api_requests,
            keys_fetches,
            keys_verified,
            keys_stale,
            secret_next_rotation,
            leader,
            signs_of_life: SignsOfLife::default(),
            watch_last_event,
            unreadable_objects,
            strategy_catalog,
        }
    }
}

impl Metrics {
    /// Whether the catalogue's file is in force as it is. There is no such metric before it is asked for.
    #[must_use]
    pub fn strategy_catalog_is_good(&self) -> Gauge {
        self.strategy_catalog.get_or_create_owned(&[])
    }

    /// All metrics as OpenMetrics text.
    ///
    /// # Errors
    /// When a value can't be written as text.
    pub fn to_text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
