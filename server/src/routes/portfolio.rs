//! `/api/v1/portfolio`: transactions, holdings, weights, plans, risk. No order is sent anywhere.

use crate::web::extract::{Body, Cursor, Query, idempotency_key};
use crate::web::guard::Actor;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::NaiveDate;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::Page;
use mltrainer_types::portfolio::{
    CostBasis, Holdings, HoldingsRequest, OptimiseRequest, Optimised, Plan, PlanRequest,
    PortfolioRisk, RiskRequest, Transaction, TransactionRequest, WhatIf, WhatIfRequest, sectors,
    weights,
};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(short))
        .routes(routes!(holdings))
        .routes(routes!(transactions, add))
        .routes(routes!(optimise))
        .routes(routes!(what_if))
        .routes(routes!(plan))
        .routes(routes!(risk))
}

/// The query of the holdings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    as_of: Option<NaiveDate>,
    #[serde(default)]
    basis: CostBasis,
    benchmark: Option<String>,
    #[serde(default)]
    sectors: String,
    #[serde(default)]
    benchmark_weights: String,
    source: Option<String>,
}

fn read<T>(field: &str, result: Result<T, String>) -> Result<T, ServiceError> {
    result.map_err(|e| ServiceError::invalid(field, e))
}

impl Held {
    fn request(self) -> Result<HoldingsRequest, ServiceError> {
        Ok(HoldingsRequest {
            as_of: self.as_of,
            basis: self.basis,
            benchmark: self.benchmark.filter(|b| !b.is_empty()),
            sectors: read("sectors", sectors(&self.sectors))?,
            benchmark_weights: read("benchmark_weights", weights(&self.benchmark_weights))?,
            source: self.source.filter(|s| !s.is_empty()),
        })
    }
}

/// What is held: cost, value at the last known close, profit, time-weighted return, attribution. Money is decimal
/// text.
#[utoipa::path(get, path = "/api/v1/portfolio", tag = "portfolio", operation_id = "get_portfolio", params(("as_of" = Option<String>, Query, description = "Day of the valuation; the last close when absent"), ("basis" = Option<CostBasis>, Query, description = "fifo or average"), ("benchmark" = Option<String>, Query, description = "Symbol to compare with"), ("sectors" = Option<String>, Query, description = "SYMBOL:SECTOR with commas: attribution is by sector"), ("benchmark_weights" = Option<String>, Query, description = "SYMBOL:WEIGHT with commas"), ("source" = Option<String>, Query, description = "Approved origin of prices")), responses((status = 200, body = Holdings), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn holdings(
    State(services): State<Services>,
    Query(query): Query<Held>,
) -> Result<Json<Holdings>, HttpError> {
    Ok(Json(services.holdings(&query.request()?).await?))
}

/// The short form of `GET /api/v1/portfolio`.
#[utoipa::path(get, path = "/api/portfolio", tag = "portfolio", operation_id = "portfolio", responses((status = 200, body = Holdings), (status = 422, body = Problem)))]
async fn short(services: State<Services>, query: Query<Held>) -> Result<Json<Holdings>, HttpError> {
    holdings(services, query).await
}

/// Recorded transactions, newest first.
#[utoipa::path(get, path = "/api/v1/portfolio/transactions", tag = "portfolio", operation_id = "list_transactions", params(("cursor" = Option<String>, Query, description = "`next` of the page before")), responses((status = 200, body = Page<Transaction>), (status = 422, body = Problem)))]
async fn transactions(
    State(services): State<Services>,
    Query(query): Query<Cursor>,
) -> Result<Json<Page<Transaction>>, HttpError> {
    Ok(Json(services.transactions(query.cursor.as_deref()).await?))
}

/// Records a transaction for good; a reversal takes one back. With the header `Idempotency-Key` the same request
/// records one only, however often it is sent.
#[utoipa::path(post, path = "/api/v1/portfolio/transactions", tag = "portfolio", operation_id = "add_transaction", params(("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's")), request_body = TransactionRequest, responses((status = 201, body = Transaction), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn add(
    State(services): State<Services>,
    actor: Actor,
    headers: HeaderMap,
    Body(request): Body<TransactionRequest>,
) -> Result<(StatusCode, Json<Transaction>), HttpError> {
    let key = idempotency_key(&headers)?;
    let made = services.add_transaction(actor.0, request, key).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Weights by a method under constraints, the frontier, and what weights from the first part of the days did on the
/// rest after costs, beside equal weights. `{}` takes the bundled shares. Constraints that conflict are named.
#[utoipa::path(post, path = "/api/v1/portfolio/optimise", tag = "portfolio", operation_id = "optimise_portfolio", request_body = OptimiseRequest, responses((status = 200, body = Optimised), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn optimise(
    State(services): State<Services>,
    Body(request): Body<OptimiseRequest>,
) -> Result<Json<Optimised>, HttpError> {
    Ok(Json(services.optimise(&request).await?))
}

/// Risk before and after a change of weights, over the same days.
#[utoipa::path(post, path = "/api/v1/portfolio/what-if", tag = "portfolio", operation_id = "what_if", request_body = WhatIfRequest, responses((status = 200, body = WhatIf), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn what_if(
    State(services): State<Services>,
    Body(request): Body<WhatIfRequest>,
) -> Result<Json<WhatIf>, HttpError> {
    Ok(Json(services.what_if(&request).await?))
}

/// Trades from what is held to weights, spread over days, in whole shares and with their costs. They are words: no
/// order is sent.
#[utoipa::path(post, path = "/api/v1/portfolio/plan", tag = "portfolio", operation_id = "plan_portfolio", request_body = PlanRequest, responses((status = 200, body = Plan), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn plan(
    State(services): State<Services>,
    Body(request): Body<PlanRequest>,
) -> Result<Json<Plan>, HttpError> {
    Ok(Json(services.plan(&request).await?))
}

/// The query of the risk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Risky {
    #[serde(default)]
    weights: String,
    source: Option<String>,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    confidence: Option<f64>,
    horizon: Option<u32>,
    market: Option<String>,
    crises: Option<String>,
}

/// Value at risk, expected shortfall, betas, concentration and crises replayed, of the holdings or of `weights`.
#[utoipa::path(get, path = "/api/v1/portfolio/risk", tag = "portfolio", operation_id = "portfolio_risk", params(("weights" = Option<String>, Query, description = "SYMBOL:WEIGHT with commas; those of the holdings when absent"), ("source" = Option<String>, Query, description = "Approved origin of prices"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day"), ("confidence" = Option<f64>, Query, description = "Above 0 and below 1; 0.95 when absent"), ("horizon" = Option<u32>, Query, description = "Days that the loss is over; 1 when absent"), ("market" = Option<String>, Query, description = "Symbol for betas"), ("crises" = Option<String>, Query, description = "Of one's own: NAME:FIRST,LAST, several with semicolons")), responses((status = 200, body = PortfolioRisk), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn risk(
    State(services): State<Services>,
    Query(q): Query<Risky>,
) -> Result<Json<PortfolioRisk>, HttpError> {
    let request = RiskRequest {
        weights: read("weights", weights(&q.weights))?,
        source: q.source,
        start: q.start,
        end: q.end,
        confidence: q.confidence,
        horizon: q.horizon,
        market: q.market,
        crises: q.crises,
    };
    Ok(Json(services.portfolio_risk(&request).await?))
}
