//! `/livez`, `/readyz` and `/metrics`.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    api::{
        IdentityProvider, StrategyInstance, TenantJwtSecret, UserIdpAuthenticator,
        status::{HasCore as _, condition},
    },
    cluster::{
        gate::Gate,
        metrics::{NameLabels, ObjectLabels},
        sync::lock,
    },
    controllers::{context::Context, kinds::Managed},
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Admin {
    ctx: Arc<Context>,
    gate: Gate,
    /// One scrape at a time: each counts anew.
    scrape: Arc<Mutex<()>>,
}

/// Serves until `stop` is done.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    ctx: Arc<Context>,
    gate: Gate,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { ctx, gate, scrape: Arc::default() });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let waiting = admin.gate.waiting();
    if waiting.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for\n{}\n", waiting.join("\n"))).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let _alone = lock(&admin.scrape);
    count::<IdentityProvider>(&admin.ctx);
    count::<TenantJwtSecret>(&admin.ctx);
    count::<UserIdpAuthenticator>(&admin.ctx);
    count::<StrategyInstance>(&admin.ctx);
    foresee_rotations(&admin.ctx);
    match admin.ctx.metrics.to_text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Counts objects by `Ready` when asked: a scrape is rare, and a count kept up by hand could drift.
fn count<K: Managed>(ctx: &Context) {
    let mut counts = [("True", 0i64), ("False", 0), ("Unknown", 0)];
    for object in K::objects(&ctx.world).store().state() {
        let ready = object.status().and_then(|status| status.core().condition(condition::READY));
        let status = ready.map_or("Unknown", |ready| ready.status.as_str());
        if let Some((_, count)) = counts.iter_mut().find(|(label, _)| *label == status) {
            *count += 1;
        }
    }
    for (ready, count) in counts {
        ctx.metrics.objects.get_or_create(&ObjectLabels { kind: K::KIND.as_str(), ready }).set(count);
    }
}

/// Tells when secrets rotate, as their status has it; nothing of those that are gone.
fn foresee_rotations(ctx: &Context) {
    let metric = &ctx.metrics.secret_next_rotation;
    metric.clear();
    for object in TenantJwtSecret::objects(&ctx.world).store().state() {
        if let Some(next) = object.status.as_ref().and_then(|status| status.next_rotation_time.as_ref()) {
            let key = object.key();
            let labels = NameLabels { namespace: key.namespace.to_string(), name: key.name.to_string() };
            metric.get_or_create(&labels).set(next.0.as_second());
        }
    }
}
