//! `/api/v1/backtests`, `/api/v1/strategies`: test a strategy, look, take along.

use super::charts::Frame;
use crate::web::extract::{Body, Cursor, Path, Query, idempotency_key, located};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use mltrainer_app::charts::backtest::{self as charts, Kind};
use mltrainer_app::report;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::Page;
use mltrainer_types::backtest::{
    BacktestRequest, BacktestSummary, BacktestView, ReadyMade, StrategyCheck, StrategyCheckRequest,
};
use mltrainer_types::llm::SteeredBy;
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .routes(routes!(steering))
        .routes(routes!(file))
        .routes(routes!(whole))
        .routes(routes!(chart))
        .routes(routes!(strategies))
        .routes(routes!(check))
}

/// Back tests, newest first.
#[utoipa::path(get, path = "/api/v1/backtests", tag = "backtests", operation_id = "list_backtests", params(("cursor" = Option<String>, Query, description = "`next` of the page before")), responses((status = 200, body = Page<BacktestSummary>), (status = 422, body = Problem)))]
async fn list(
    State(services): State<Services>,
    Query(query): Query<Cursor>,
) -> Result<Json<Page<BacktestSummary>>, HttpError> {
    Ok(Json(services.backtests(query.cursor.as_deref()).await?))
}

/// Tests a strategy and keeps the result; only `symbols` is needed. With the header
/// `Idempotency-Key` the same request makes one back test only, however often it is sent.
#[utoipa::path(post, path = "/api/v1/backtests", tag = "backtests", operation_id = "create_backtest", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = BacktestRequest, responses((status = 201, body = BacktestView), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(request): Body<BacktestRequest>,
) -> Result<Response, HttpError> {
    let key = idempotency_key(&headers)?;
    let made = services.run_backtest(actor.0, request, key).await?;
    let location = format!("/api/v1/backtests/{}", made.id);
    Ok(located(StatusCode::CREATED, &location, made))
}

/// A back test with all that came out.
#[utoipa::path(get, path = "/api/v1/backtests/{id}", tag = "backtests", operation_id = "get_backtest", params(("id" = String, Path, description = "Id of the back test")), responses((status = 200, body = BacktestView), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<BacktestView>, HttpError> {
    Ok(Json(services.backtest(&id).await?))
}

/// Which language model steered the back test, if one did, and what it shows on days that the model may have known
/// and on those after them.
#[utoipa::path(get, path = "/api/v1/backtests/{id}/steering", tag = "backtests", operation_id = "backtest_steering", params(("id" = String, Path, description = "Id of the back test")), responses((status = 200, body = SteeredBy), (status = 404, body = Problem)))]
async fn steering(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<SteeredBy>, HttpError> {
    Ok(Json(services.steered_by("backtest", &id).await?))
}

/// A table of a back test as a file: `trades` (closed ones, then open ones), `fills` with their
/// explanations, or `equity` by day, with the ending `.csv` or `.parquet`.
#[utoipa::path(get, path = "/api/v1/backtests/{id}/{file}", tag = "backtests", operation_id = "backtest_file", params(("id" = String, Path, description = "Id of the back test"), ("file" = String, Path, description = "trades.csv, fills.csv, equity.csv, or one of them with .parquet")), responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = Problem)))]
async fn file(
    State(services): State<Services>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let bytes = services.backtest_file(&id, &file).await?;
    let kind = if file.ends_with(".csv") {
        "text/csv; charset=utf-8"
    } else {
        "application/vnd.apache.parquet"
    };
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{file}\""));
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            named.unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// A back test as one HTML file that needs nothing else.
#[utoipa::path(get, path = "/api/v1/backtests/{id}/report.html", tag = "backtests", operation_id = "backtest_report", params(("id" = String, Path, description = "Id of the back test")), responses((status = 200, content_type = "text/html", body = String), (status = 404, body = Problem)))]
async fn whole(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let view = services.backtest(&id).await?;
    let bars = services.backtest_bars(&view).await?;
    let drawn = tokio::task::spawn_blocking(move || report::html(&view, &bars)).await;
    let html =
        drawn.map_err(|e| ServiceError::Internal(format!("a report was not written: {e}")))?;
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy()),
    ];
    Ok((headers, html).into_response())
}

#[derive(Deserialize)]
struct Chosen {
    symbol: Option<String>,
    from: Option<chrono::NaiveDate>,
    to: Option<chrono::NaiveDate>,
    w: Option<u32>,
    h: Option<u32>,
}

/// A chart of a back test: `equity`, the `rolling` Sharpe ratio, or the `trades` on the prices of a
/// symbol.
#[utoipa::path(get, path = "/api/v1/backtests/{id}/charts/{kind}", tag = "backtests", operation_id = "chart_backtest", params(("id" = String, Path, description = "Id of the back test"), ("kind" = String, Path, description = "equity.svg, rolling.svg or trades.svg"), ("symbol" = Option<String>, Query, description = "Symbol of the trades; the first one when absent"), ("from" = Option<String>, Query, description = "First day"), ("to" = Option<String>, Query, description = "Last day"), ("w" = Option<u32>, Query, description = "Width"), ("h" = Option<u32>, Query, description = "Height")), responses((status = 200, content_type = "image/svg+xml", body = String), (status = 404, body = Problem)))]
async fn chart(
    State(services): State<Services>,
    Path((id, name)): Path<(String, String)>,
    Query(q): Query<Chosen>,
) -> Result<Response, HttpError> {
    let Some(kind) = Kind::parse(name.strip_suffix(".svg").unwrap_or(&name)) else {
        return Err(ServiceError::NotFound {
            what: "chart",
            id: name,
            suggestions: ["equity.svg", "rolling.svg", "trades.svg"]
                .map(str::to_owned)
                .into(),
        }
        .into());
    };
    services.backtest(&id).await?;
    let plot = charts::one(
        &services,
        &id,
        kind,
        q.symbol.as_deref().unwrap_or_default(),
    );
    let plot = plot.await.map_err(super::charts::refused)?;
    Frame::new(q.from, q.to, q.w, q.h).draw(plot).await
}

/// The ready-made strategies with their parameters.
#[utoipa::path(get, path = "/api/v1/strategies", tag = "backtests", operation_id = "list_strategies", responses((status = 200, body = Vec<ReadyMade>)))]
async fn strategies(State(services): State<Services>) -> Json<Vec<ReadyMade>> {
    Json(services.ready_made())
}

/// Reads a strategy without running it: what is wrong with field and place, or the strategy with
/// defaults filled in.
#[utoipa::path(post, path = "/api/v1/strategies/check", tag = "backtests", operation_id = "check_strategy", request_body = StrategyCheckRequest, responses((status = 200, body = StrategyCheck), (status = 422, body = Problem)))]
async fn check(
    State(services): State<Services>,
    Body(request): Body<StrategyCheckRequest>,
) -> Json<StrategyCheck> {
    Json(services.check_strategy(&request))
}

/// A report may use its own styles, that of the page and that of the charts, and nothing else.
fn policy() -> HeaderValue {
    let hash = |style: &str| {
        let digest = Sha256::digest(style);
        base64::engine::general_purpose::STANDARD.encode(digest)
    };
    let text = format!(
        "default-src 'none'; style-src 'sha256-{}' 'sha256-{}'; frame-ancestors 'none'",
        hash(report::style()),
        hash(mltrainer_app::charts::STYLE)
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
