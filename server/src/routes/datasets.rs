//! `/api/v1/datasets`, `/api/data-quality`: data sets, their bars and quality, uploads.

use crate::web::extract::{Form, Path, Query};
use crate::web::guard::{Actor, REQUEST_ID};
use crate::web::{AppState, HttpError, UPLOAD, pages};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use leptos::prelude::provide_context;
use mltrainer_app::error::PageError;
use mltrainer_app::pages::data::Uploaded;
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::data::{Bar, DatasetDetail, DatasetQuality, DatasetSummary, ImportOutcome};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(bars))
        .routes(routes!(quality))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(import))
                .layer(DefaultBodyLimit::max(UPLOAD)),
        )
}

/// All data sets.
#[utoipa::path(get, path = "/api/v1/datasets", tag = "data", operation_id = "list_datasets", responses((status = 200, body = Vec<DatasetSummary>)))]
async fn list(State(services): State<Services>) -> Result<Json<Vec<DatasetSummary>>, HttpError> {
    Ok(Json(services.datasets().await?))
}

/// One data set with its quality and lineage.
#[utoipa::path(get, path = "/api/v1/datasets/{id}", tag = "data", operation_id = "get_dataset", params(("id" = String, Path, description = "Id, for example bundled:AAPL")), responses((status = 200, body = DatasetDetail), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<DatasetDetail>, HttpError> {
    Ok(Json(services.dataset(&id).await?))
}

/// A span of days, both inclusive.
#[derive(Deserialize)]
pub(super) struct Span {
    pub(super) start: Option<chrono::NaiveDate>,
    pub(super) end: Option<chrono::NaiveDate>,
}

/// The bars of a data set.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/bars", tag = "data", operation_id = "get_bars", params(("id" = String, Path, description = "Id, for example bundled:AAPL"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day")), responses((status = 200, body = Vec<Bar>), (status = 404, body = Problem)))]
async fn bars(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(span): Query<Span>,
) -> Result<Json<Vec<Bar>>, HttpError> {
    Ok(Json(services.bars(&id, span.start, span.end).await?))
}

/// Score and findings of every data set.
#[utoipa::path(get, path = "/api/data-quality", tag = "data", operation_id = "data_quality", responses((status = 200, body = Vec<DatasetQuality>)))]
async fn quality(State(services): State<Services>) -> Result<Json<Vec<DatasetQuality>>, HttpError> {
    Ok(Json(services.data_quality().await?))
}

/// Takes a CSV file of daily bars through the gate: multipart with the parts `file`, `symbol` and
/// `origin` (user_provided when absent). A refusal holds the findings as `quality`.
#[utoipa::path(post, path = "/api/v1/datasets", tag = "data", operation_id = "import_dataset", request_body(content = String, content_type = "multipart/form-data"), responses((status = 201, body = ImportOutcome), (status = 422, body = Problem)))]
async fn import(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    form: Result<Form, HttpError>,
) -> Result<Response, HttpError> {
    let outcome = match form {
        Ok(form) => take(&state.services, actor, form).await,
        Err(e) => Err(e),
    };
    // A form that the browser sent by itself is answered with the page it stands on.
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accept.is_some_and(|a| a.contains("text/html")) {
        let status = match &outcome {
            Ok(o) if o.refusal.is_none() => StatusCode::CREATED,
            Ok(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Err(e) => e.status(),
        };
        let id = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
        let uploaded = Uploaded(outcome.map_err(|e| PageError {
            request_id: id.map(str::to_owned),
            ..e.into()
        }));
        let page = pages::render(&state, &headers, "/data", move || {
            provide_context(uploaded.clone());
        });
        let mut page = page.await;
        *page.status_mut() = status;
        return Ok(page);
    }
    let outcome = outcome?;
    if let Some(refusal) = outcome.refusal {
        let quality = serde_json::to_value(&outcome.quality).unwrap_or_default();
        let rule = refusal.rule.clone();
        return Err(HttpError::from(ServiceError::Refused(refusal))
            .with("quality", quality)
            .with("rule", rule.into()));
    }
    Ok((StatusCode::CREATED, Json(outcome)).into_response())
}

async fn take(services: &Services, actor: Actor, form: Form) -> Result<ImportOutcome, HttpError> {
    let (mut file, mut symbol, mut origin) = (None, None, None);
    for part in form.0 {
        match part.name.as_str() {
            "file" | "data" => {
                let name = part.file_name.clone().unwrap_or_default();
                file = Some((name, part.bytes));
            }
            "symbol" => symbol = Some(part.text()?),
            "origin" => origin = Some(part.text()?),
            other => {
                return Err(ServiceError::invalid(
                    other,
                    "unknown part; there are file, symbol and origin",
                )
                .into());
            }
        }
    }
    let missing =
        |field: &str, what: &str| ServiceError::invalid(field, format!("missing: {what}"));
    let (name, bytes) = file.ok_or_else(|| missing("file", "send a CSV file"))?;
    let symbol = symbol.ok_or_else(|| missing("symbol", "name the symbol of the bars"))?;
    let origin = origin.filter(|o| !o.is_empty());
    let origin = origin.as_deref().unwrap_or("user_provided");
    Ok(services
        .import_csv(actor.0, &symbol, origin, &name, bytes)
        .await?)
}
