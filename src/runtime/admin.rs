//! `/livez`, `/readyz` and `/metrics`.

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::Mutex};

use super::{exposition::Format, scrape};
use crate::{cluster::gate::Gate, controllers::context::Context};

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

async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let format = Format::of(&accept);
    let alone = admin.scrape.clone().lock_owned().await;
    // Thousands of objects are looked at: nothing else waits for that.
    let text = tokio::task::spawn_blocking(move || {
        let _alone = alone;
        scrape::look(&admin.ctx);
        admin.ctx.metrics.to_text()
    });
    match text.await {
        Ok(Ok(text)) => ([(CONTENT_TYPE, format.content_type())], format.render(text)).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
