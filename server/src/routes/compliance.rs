//! `/api/compliance`: policy and audit chain.

use crate::web::extract::Query;
use crate::web::{AppState, HttpError};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use mltrainer_services::Services;
use mltrainer_types::Page;
use mltrainer_types::audit::{AuditFilter, AuditRecord, AuditVerification};
use mltrainer_types::policy::PolicyView;
use mltrainer_types::problem::Problem;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(policy))
        .routes(routes!(audit))
        .routes(routes!(verify))
}

/// The twelve rules and the approved origins.
#[utoipa::path(get, path = "/api/compliance/policy", tag = "compliance", operation_id = "get_policy", responses((status = 200, body = PolicyView)))]
async fn policy(State(services): State<Services>) -> Json<PolicyView> {
    Json(services.policy())
}

#[derive(Deserialize)]
struct Search {
    cursor: Option<String>,
    limit: Option<u32>,
    actor: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    decision: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// Audit records, newest first.
#[utoipa::path(get, path = "/api/compliance/audit", tag = "compliance", operation_id = "list_audit", params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "Records on the page, at most 1000"), ("actor" = Option<String>, Query, description = "Only this actor"), ("action" = Option<String>, Query, description = "Only actions that begin with this text"), ("subject" = Option<String>, Query, description = "Only this subject"), ("decision" = Option<String>, Query, description = "allowed or refused"), ("since" = Option<String>, Query, description = "At or after this time"), ("until" = Option<String>, Query, description = "Before this time")), responses((status = 200, body = Page<AuditRecord>), (status = 422, body = Problem)))]
async fn audit(
    State(services): State<Services>,
    Query(search): Query<Search>,
) -> Result<Json<Page<AuditRecord>>, HttpError> {
    let filter = AuditFilter {
        actor: search.actor,
        action: search.action,
        subject: search.subject,
        decision: search.decision,
        since: search.since,
        until: search.until,
    };
    let limit = search.limit.unwrap_or(0);
    Ok(Json(
        services
            .audit(filter, search.cursor.as_deref(), limit)
            .await?,
    ))
}

/// Checks every record and signature of the audit chain.
#[utoipa::path(get, path = "/api/compliance/audit/verify", tag = "compliance", operation_id = "verify_audit", responses((status = 200, body = AuditVerification)))]
async fn verify(State(services): State<Services>) -> Result<Json<AuditVerification>, HttpError> {
    Ok(Json(services.verify_audit().await?))
}
