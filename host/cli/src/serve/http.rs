//! `/metrics`, `/healthz` and `/readyz` over HTTP/1.1.
//!
//! Healthy: the process answers. Ready: listeners are bound, a policy is active, and the
//! service is not stopping. A next hop that is away does not make it unready: taking the
//! service out would not bring the next hop back, and what comes meanwhile is deferred. It is
//! named in the body, as is what is degraded.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use waxseal_service::listen::Socket;

use crate::serve::Running;

/// What handlers see.
#[derive(Clone)]
struct Served {
    running: Arc<Running>,
    metrics: PrometheusHandle,
}

/// Serves the socket, also while the service stops.
pub(crate) async fn serve(socket: Socket, running: Arc<Running>, metrics: PrometheusHandle) {
    let router = Router::new()
        .route("/metrics", get(measured))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Served { running, metrics });
    let served = match socket {
        Socket::Tcp(listener) => axum::serve(listener, router).await,
        Socket::Unix(listener) => axum::serve(listener, router).await,
    };
    if let Err(error) = served {
        tracing::error!(%error, "http");
    }
}

async fn measured(State(served): State<Served>) -> impl IntoResponse {
    served.running.measure();
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], served.metrics.render())
}

async fn ready(State(served): State<Served>) -> impl IntoResponse {
    let status = served.running.status();
    let code = match status.state.as_str() {
        "running" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "ready": code == StatusCode::OK,
        "state": status.state,
        "generation": status.active.id,
        "degraded": status.degraded,
        "next-hops": status.next_hops,
    });
    let kind = "application/json";
    (code, [(header::CONTENT_TYPE, kind)], format!("{body}\n"))
}
