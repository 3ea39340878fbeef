//! `/api/v1/models`, `/api/v1/features`: the catalogue, and running its entries.

use crate::cli::{assignment, parameters};
use crate::web::extract::{Body, Form, Path, media_type};
use crate::web::{AppState, HttpError, UPLOAD};
use axum::Json;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use mltrainer_services::run::{File, RunFiles};
use mltrainer_services::{ServiceError, Services};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::feature::FeatureSpec;
use mltrainer_types::problem::Problem;
use mltrainer_types::run::{RunRequest, RunResult};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(features))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(run))
                .layer(DefaultBodyLimit::max(UPLOAD)),
        )
}

/// Every entry of the catalogue, presets included.
#[utoipa::path(get, path = "/api/v1/models", tag = "models", operation_id = "list_models", responses((status = 200, body = Vec<CatalogueEntry>)))]
async fn list(State(services): State<Services>) -> Json<Vec<CatalogueEntry>> {
    Json(services.catalogue().to_vec())
}

/// One entry with formula, parameters and evidence.
#[utoipa::path(get, path = "/api/v1/models/{id}", tag = "models", operation_id = "get_model", params(("id" = String, Path, description = "Id of the entry")), responses((status = 200, body = CatalogueEntry), (status = 404, body = Problem)))]
async fn one(
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<CatalogueEntry>, HttpError> {
    Ok(Json(services.catalogue_entry(&id)?))
}

/// Every feature.
#[utoipa::path(get, path = "/api/v1/features", tag = "models", operation_id = "list_features", responses((status = 200, body = Vec<FeatureSpec>)))]
async fn features(State(services): State<Services>) -> Json<Vec<FeatureSpec>> {
    Json(services.features())
}

/// Runs an entry on a data set (JSON) or on uploaded CSV files (multipart with the parts `train`,
/// `test`, `data`, `target`, `column`, `horizon`, `task`, `weights`, `explain`, `repeats`, `interval`,
/// `interval_method`, `calibration`, `folds`, `model` (a saved model) and any number of `set`, each
/// KEY=VALUE).
#[utoipa::path(post, path = "/api/v1/models/{id}/run", tag = "models", operation_id = "run_model", params(("id" = String, Path, description = "Id of the entry")), request_body(content = RunRequest, description = "Or multipart/form-data with files"), responses((status = 200, body = RunResult), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn run(
    State(services): State<Services>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<RunResult>, HttpError> {
    services.catalogue_entry(&id)?;
    if media_type(&request) == "multipart/form-data" {
        let form = Form::from_request(request, &()).await?;
        return Ok(Json(services.run_files(&id, from_form(form)?).await?));
    }
    let Body(request) = Body::<RunRequest>::from_request(request, &()).await?;
    Ok(Json(services.run(&id, request).await?))
}

fn from_form(form: Form) -> Result<RunFiles, HttpError> {
    let mut run = RunFiles::default();
    let mut set = Vec::new();
    let columns = |text: String| -> Vec<String> {
        let names = text.split(',').map(|c| c.trim().to_owned());
        names.filter(|c| !c.is_empty()).collect()
    };
    for part in form.0 {
        let name = part.name.clone();
        let invalid = |detail: String| HttpError::from(ServiceError::invalid(name.clone(), detail));
        match part.name.as_str() {
            "train" | "test" | "data" | "model" => {
                let file = Some(File {
                    name: part
                        .file_name
                        .unwrap_or_else(|| format!("{}.csv", part.name)),
                    bytes: part.bytes,
                });
                match part.name.as_str() {
                    "train" => run.train = file,
                    "test" => run.test = file,
                    "model" => run.model = file,
                    _ => run.data = file,
                }
            }
            "target" => run.target.extend(columns(part.text()?)),
            "column" => run.column.extend(columns(part.text()?)),
            "task" => run.task = Some(part.text()?),
            "weights" => run.weights = Some(part.text()?),
            "explain" => run.more.explain.extend(columns(part.text()?)),
            "interval_method" => run.more.interval_method = Some(part.text()?),
            "interval" => {
                for level in columns(part.text()?) {
                    let level = level.parse();
                    let level = level.map_err(|_| invalid("a level is a number".to_owned()))?;
                    run.more.interval.push(level);
                }
            }
            "calibration" => {
                let share = part.text()?.trim().parse();
                run.more.calibration =
                    Some(share.map_err(|_| invalid("a share is a number".to_owned()))?);
            }
            "horizon" | "repeats" | "folds" => {
                let field = part.name.clone();
                let text = part.text()?;
                let n: Result<u32, _> = text.trim().parse();
                let n = n.map_err(|_| invalid(format!("\"{text}\" is no whole number")))?;
                match field.as_str() {
                    "horizon" => run.horizon = Some(n),
                    "repeats" => run.more.repeats = Some(n),
                    _ => run.more.folds = Some(n),
                }
            }
            "set" => set.push(assignment(&part.text()?).map_err(invalid)?),
            _ => {
                return Err(invalid(
                    "unknown part; there are train, test, data, target, column, horizon, task, weights, explain, repeats, interval, interval_method, calibration, folds, model, set"
                        .to_owned(),
                ));
            }
        }
    }
    run.params = parameters(set).map_err(|e| HttpError::from(ServiceError::invalid("set", e)))?;
    Ok(run)
}
