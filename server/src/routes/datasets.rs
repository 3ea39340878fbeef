//! `/api/v1/datasets`, `/api/data-quality`: data sets, their bars and quality, looking at files and
//! uploads.

use crate::web::extract::{Form, Path, Query};
use crate::web::guard::{Actor, REQUEST_ID};
use crate::web::{AppState, HttpError, UPLOAD, pages};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use leptos::prelude::provide_context;
use mltrainer_app::error::PageError;
use mltrainer_app::pages::data::{Answer, Uploaded};
use mltrainer_services::{Adjustment, Import, Mapping, ServiceError, Services, UserFile};
use mltrainer_types::data::{
    Bar, DatasetDetail, DatasetQuality, DatasetSummary, FilePreview, ImportOutcome,
};
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(bars))
        .routes(routes!(quality))
        .routes(routes!(one_quality))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(import))
                .routes(routes!(preview))
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

/// A span of days, or what was known at the end of one.
#[derive(Deserialize)]
struct Cut {
    start: Option<chrono::NaiveDate>,
    end: Option<chrono::NaiveDate>,
    as_of: Option<chrono::NaiveDate>,
    adjust: Option<String>,
}

/// The bars of a data set; with `as_of`, as they stood at the end of that day, adjusted for the splits
/// known by then, with `adjust=total` for dividends too, or with `adjust=raw` as traded.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/bars", tag = "data", operation_id = "get_bars", params(("id" = String, Path, description = "Id, for example bundled:AAPL"), ("start" = Option<String>, Query, description = "First day"), ("end" = Option<String>, Query, description = "Last day"), ("as_of" = Option<String>, Query, description = "Day at whose end the bars are read"), ("adjust" = Option<String>, Query, description = "splits (the default), total (dividends too) or raw; needs as_of")), responses((status = 200, body = Vec<Bar>), (status = 404, body = Problem)))]
async fn bars(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(cut): Query<Cut>,
) -> Result<Json<Vec<Bar>>, HttpError> {
    let adjustment = match cut.adjust.as_deref() {
        None | Some("splits") => Adjustment::Splits,
        Some("raw") => Adjustment::Raw,
        Some("total") => Adjustment::Total,
        Some(other) => {
            let reason = format!("\"{other}\" is unknown; there are splits, total and raw");
            return Err(ServiceError::invalid("adjust", reason).into());
        }
    };
    let Some(day) = cut.as_of else {
        if cut.adjust.is_some() {
            return Err(ServiceError::invalid("as_of", "adjust needs as_of, a day").into());
        }
        return Ok(Json(services.bars(&id, cut.start, cut.end).await?));
    };
    let mut bars = services.bars_as_of(&id, day, adjustment).await?;
    bars.retain(|b| cut.start.is_none_or(|s| s <= b.date) && cut.end.is_none_or(|e| b.date <= e));
    Ok(Json(bars))
}

/// Score, findings, age and agreement with other sources of every data set.
#[utoipa::path(get, path = "/api/data-quality", tag = "data", operation_id = "data_quality", responses((status = 200, body = Vec<DatasetQuality>)))]
async fn quality(State(services): State<Services>) -> Result<Json<Vec<DatasetQuality>>, HttpError> {
    Ok(Json(services.data_quality().await?))
}

/// Score, findings, age and agreement with other sources of one data set.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/quality", tag = "data", operation_id = "dataset_quality", params(("id" = String, Path, description = "Id, for example bundled:AAPL")), responses((status = 200, body = DatasetQuality), (status = 404, body = Problem)))]
async fn one_quality(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<DatasetQuality>, HttpError> {
    Ok(Json(services.dataset_quality(&id).await?))
}

/// What is found in a CSV, Parquet or Arrow file, to be looked at before an import: multipart with the
/// parts `file`, or `staged` as a look before answered, and `map` with corrections such as
/// `date=Datum,close=Schluss,decimal=comma`.
#[utoipa::path(post, path = "/api/v1/datasets/preview", tag = "data", operation_id = "preview_dataset", request_body(content = String, content_type = "multipart/form-data"), responses((status = 200, body = FilePreview), (status = 422, body = Problem)))]
async fn preview(
    State(state): State<AppState>,
    _actor: Actor,
    form: Form,
) -> Result<Json<FilePreview>, HttpError> {
    let upload = Upload::of(&state.services, form)?;
    let (file, mapping) = (upload.file()?, upload.mapping);
    Ok(Json(state.services.look_at_file(file, mapping).await?))
}

/// Takes a CSV, Parquet or Arrow file of bars through the gate: multipart with the parts `file` (or
/// `staged` as a look before answered), `symbol`, `origin` (user_provided when absent) and `map` with
/// corrections such as `date=Datum,close=Schluss`. A refusal holds the findings as `quality`.
#[utoipa::path(post, path = "/api/v1/datasets", tag = "data", operation_id = "import_dataset", request_body(content = String, content_type = "multipart/form-data"), responses((status = 201, body = ImportOutcome), (status = 422, body = Problem)))]
async fn import(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    form: Result<Form, HttpError>,
) -> Result<Response, HttpError> {
    let upload = form.and_then(|form| Upload::of(&state.services, form));
    // A form that the browser sent by itself is answered with the page it stands on.
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accept.is_some_and(|a| a.contains("text/html")) {
        let answer = match upload {
            Ok(upload) => on_page(&state.services, actor, upload).await,
            Err(e) => Err(e),
        };
        let status = match &answer {
            Ok(Answer::Imported(o)) if o.refusal.is_none() => StatusCode::CREATED,
            Ok(Answer::Looked(_, None)) => StatusCode::OK,
            Ok(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Err(e) => e.status(),
        };
        let id = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
        let uploaded = Uploaded(answer.map_err(|e| PageError {
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
    let outcome = take(&state.services, actor, upload?).await?;
    if let Some(refusal) = outcome.refusal {
        let quality = serde_json::to_value(&outcome.quality).unwrap_or_default();
        let rule = refusal.rule.clone();
        return Err(HttpError::from(ServiceError::Refused(refusal))
            .with("quality", quality)
            .with("rule", rule.into()));
    }
    Ok((StatusCode::CREATED, Json(outcome)).into_response())
}

/// The form of the page has two buttons: one looks, one imports. A file that cannot be imported as
/// it stands is shown with what was found, so that it can be corrected.
async fn on_page(services: &Services, actor: Actor, upload: Upload) -> Result<Answer, HttpError> {
    let look = upload.look;
    let (file, mapping) = (upload.file()?, upload.mapping.clone());
    let symbol = upload.symbol.clone().unwrap_or_default();
    if look {
        let preview = services.look_at_file(file, mapping).await?;
        return Ok(Answer::Looked(Box::new((preview, symbol)), None));
    }
    match take(services, actor, upload).await {
        Ok(outcome) => Ok(Answer::Imported(Box::new(outcome))),
        Err(e) => match services.look_at_file(file, mapping).await {
            Ok(preview) => Ok(Answer::Looked(Box::new((preview, symbol)), Some(e.into()))),
            Err(_) => Err(e),
        },
    }
}

/// The parts of a form with a file.
struct Upload {
    file: Option<UserFile>,
    symbol: Option<String>,
    origin: Option<String>,
    mapping: Mapping,
    look: bool,
}

impl Upload {
    fn of(services: &Services, form: Form) -> Result<Self, HttpError> {
        let mut upload = Self {
            file: None,
            symbol: None,
            origin: None,
            mapping: Mapping::default(),
            look: false,
        };
        let wrong = |e: String| ServiceError::invalid("map", e);
        let mut staged = None;
        for part in form.0 {
            // A field of the form by itself: `map_close` is the column that holds the close.
            if let Some(key) = part.name.strip_prefix("map_") {
                let (key, value) = (key.to_owned(), part.text()?);
                let set = upload.mapping.set(&key, value.trim());
                set.map_err(|e| wrong(e.to_string()))?;
                continue;
            }
            match part.name.as_str() {
                "file" | "data" => {
                    let name = part.file_name.clone().unwrap_or_default();
                    // A browser sends a part without a name for a file that was not chosen.
                    if !(name.is_empty() && part.bytes.is_empty()) {
                        let bytes = Arc::new(part.bytes);
                        upload.file = Some(UserFile { name, bytes });
                    }
                }
                "staged" => staged = Some(part.text()?).filter(|s| !s.is_empty()),
                "symbol" => upload.symbol = Some(part.text()?),
                "origin" => upload.origin = Some(part.text()?),
                "step" => upload.look = part.text()? == "look",
                "map" => {
                    let text = part.text()?;
                    let mapping = Mapping::parse(&text).map_err(|e| wrong(e.to_string()))?;
                    upload.mapping = mapping;
                }
                other => {
                    return Err(ServiceError::invalid(
                        other,
                        "unknown part; there are file, staged, symbol, origin and map",
                    )
                    .into());
                }
            }
        }
        if let (None, Some(staged)) = (&upload.file, staged) {
            upload.file = Some(services.staged_file(&staged)?);
        }
        Ok(upload)
    }

    fn file(&self) -> Result<UserFile, ServiceError> {
        let missing =
            || ServiceError::invalid("file", "missing: send a CSV, Parquet or Arrow file");
        self.file.clone().ok_or_else(missing)
    }
}

async fn take(
    services: &Services,
    actor: Actor,
    upload: Upload,
) -> Result<ImportOutcome, HttpError> {
    let file = upload.file()?;
    let symbol = upload.symbol.filter(|s| !s.trim().is_empty());
    let symbol = symbol
        .ok_or_else(|| ServiceError::invalid("symbol", "missing: name the symbol of the bars"))?;
    let origin = upload.origin.filter(|o| !o.is_empty());
    let import = Import {
        file,
        symbol,
        origin: origin.unwrap_or_else(|| "user_provided".to_owned()),
        mapping: upload.mapping,
    };
    Ok(services.import_file(actor.0, import).await?)
}
