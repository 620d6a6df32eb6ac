use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use crate::access::{Guard, Token, Verdict};
use crate::assets::{ASSETS, LOCKED};
use crate::overview::{Overview, RaisedAlert};
use crate::watch::Watch;

/// Alerts returned when no limit is asked for.
const ALERTS_DEFAULT: usize = 100;
/// Most alerts returned at once: some 2 MB of JSON.
const ALERTS_MAX: usize = 1_000;
/// No question of ours has a body; what a client sends all the same must be small enough to throw away.
const BODY_BYTES_MAX: u64 = 16 * 1024;
/// Longest path and query.
const URI_BYTES_MAX: usize = 2_048;
/// Media type of the metrics. Source: OpenMetrics 1.0, "Overall Structure".
const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// On every answer: scripts, styles and data come from this server alone, no site may frame or read it, nothing stays
/// in a cache.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) guard: Arc<Guard>,
}

/// All routes behind their guards.
pub(crate) fn router(desk: Desk) -> Router {
    let mut routes = Router::new()
        .route("/api/overview", get(overview))
        .route("/api/alerts", get(alerts))
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready));
    for asset in &ASSETS {
        routes = routes.route(asset.path, get(async || ([(header::CONTENT_TYPE, asset.media_type)], asset.text)));
    }
    routes
        .fallback(async || refusal(StatusCode::NOT_FOUND, "no such page; see / and /api/overview"))
        .method_not_allowed_fallback(async || {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "this server is only read from: use GET")
        })
        .layer(middleware::from_fn_with_state(desk.clone(), admit))
        .layer(middleware::map_response(secure))
        .with_state(desk)
}

async fn overview(State(desk): State<Desk>) -> Json<Overview> {
    Json(desk.watch.overview())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertsQuery {
    limit: Option<usize>,
}

/// The answer of `/api/alerts`.
#[derive(serde::Serialize)]
struct Alerts {
    alerts: Vec<RaisedAlert>,
}

async fn alerts(State(desk): State<Desk>, query: Result<Query<AlertsQuery>, QueryRejection>) -> Response {
    let limit = match query {
        Ok(Query(query)) => query.limit.unwrap_or(ALERTS_DEFAULT),
        Err(rejection) => return refusal(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    if !(1..=ALERTS_MAX).contains(&limit) {
        return refusal(StatusCode::BAD_REQUEST, &format!("`limit` is {limit}, but must lie in 1..={ALERTS_MAX}"));
    }
    Json(Alerts { alerts: desk.watch.alerts(limit) }).into_response()
}

async fn metrics(State(desk): State<Desk>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPENMETRICS_TYPE)], desk.watch.metrics())
}

async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "live" }))
}

/// Says why only to those who hold the token.
async fn ready(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    match desk.watch.ready() {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(reason) => {
            let reason = desk.guard.is_authorised(&headers).then_some(reason);
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "waiting", "reason": reason }))).into_response()
        }
    }
}

/// An error as JSON: one sentence that says what to do.
fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// Lets a request through, or answers it itself.
async fn admit(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    if let Some(refused) = too_large(&request) {
        return refused;
    }
    let uri = request.uri();
    match desk.guard.judge(uri.path(), uri.query(), request.headers()) {
        Verdict::Allowed => next.run(request).await,
        Verdict::Remember => remember(&desk.guard),
        Verdict::WrongHost => {
            refusal(StatusCode::MISDIRECTED_REQUEST, "ask for this server as localhost, 127.0.0.1 or [::1]")
        }
        Verdict::Unauthorised => unauthorised(request.method(), uri.path()),
    }
}

fn too_large(request: &Request) -> Option<Response> {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return Some(refusal(StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let headers = request.headers();
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if headers.contains_key(header::TRANSFER_ENCODING) || announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        // The connection closes: whatever follows would be taken for the next request.
        let mut refused = refusal(StatusCode::PAYLOAD_TOO_LARGE, "this server takes no body");
        refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Some(refused);
    }
    None
}

fn remember(guard: &Guard) -> Response {
    let cookie = guard.token.as_ref().map(Token::cookie).unwrap_or_default();
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)]).into_response()
}

fn unauthorised(method: &Method, path: &str) -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"lapwing\"")];
    if *method == Method::GET && path == "/" {
        return (StatusCode::UNAUTHORIZED, challenge, axum::response::Html(LOCKED)).into_response();
    }
    let answer = refusal(
        StatusCode::UNAUTHORIZED,
        "send the token as `Authorization: Bearer …`, or open the page by its link with `?token=…`",
    );
    (challenge, answer).into_response()
}

async fn secure(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
