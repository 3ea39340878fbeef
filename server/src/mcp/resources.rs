//! What can be read over MCP: the catalogue, trials, and the way of a result back to its sources.

use mltrainer_services::{ServiceError, Services};
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde::Serialize;
use serde_json::json;

/// What every address begins with.
const SCHEME: &str = "mltrainer://";

/// All of them are JSON.
const JSON: &str = "application/json";

/// The catalogue and the trials, and each of the newest trials with its lineage.
pub(super) async fn list(services: &Services) -> Result<Vec<Resource>, ErrorData> {
    let resource = |path: &str, title: String, does: &str| {
        Resource::new(format!("{SCHEME}{path}"), path)
            .with_title(title)
            .with_description(does)
            .with_mime_type(JSON)
    };
    let mut all = vec![
        resource(
            "catalogue",
            "The catalogue".to_owned(),
            "Every model, indicator, pattern and search with its id, family and tasks",
        ),
        resource(
            "trials",
            "Trials".to_owned(),
            "The newest trials with state and verdict",
        ),
    ];
    for t in services.trials(None).await.map_err(error)?.items {
        let title = format!(
            "Trial of {} on {}, {}",
            t.target.as_str(),
            t.symbols.join(", "),
            t.state.as_str()
        );
        all.push(resource(
            &format!("trials/{}", t.id),
            title.clone(),
            "State, leaderboard and verdict",
        ));
        all.push(resource(
            &format!("lineage/{}", t.id),
            format!("{title}: lineage"),
            "From the result back to its sources",
        ));
    }
    Ok(all)
}

/// The shapes of addresses.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |path: &str, title: &str, does: &str| {
        ResourceTemplate::new(format!("{SCHEME}{path}"), path)
            .with_title(title)
            .with_description(does)
            .with_mime_type(JSON)
    };
    vec![
        template(
            "catalogue/{id}",
            "A catalogue entry",
            "What it is, its parameters, outputs, source and evidence",
        ),
        template(
            "trials/{id}",
            "A trial",
            "Specification, state, leaderboard, verdict, lineage",
        ),
        template(
            "lineage/{id}",
            "Lineage",
            "The way of a trial, a back test or a data set back to its sources",
        ),
    ]
}

/// What stands at an address.
pub(super) async fn read(services: &Services, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let unknown = || {
        ErrorData::resource_not_found(
            format!(
                "there is no \"{uri}\"; addresses are mltrainer://catalogue, mltrainer://trials and those of the templates"
            ),
            Some(json!({ "uri": uri })),
        )
    };
    let path = uri.strip_prefix(SCHEME).ok_or_else(unknown)?;
    let path = decoded(path).ok_or_else(unknown)?;
    let (kind, id) = match path.split_once('/') {
        Some((kind, id)) => (kind, Some(id)),
        None => (path.as_str(), None),
    };
    let text = match (kind, id) {
        ("catalogue", None) => written(&short(services)),
        ("catalogue", Some(id)) => written(&services.catalogue_entry(id).map_err(error)?),
        ("trials", None) => written(&services.trials(None).await.map_err(error)?),
        ("trials", Some(id)) => written(&services.trial(id).await.map_err(error)?),
        ("lineage", Some(id)) => lineage(services, id).await.map_err(error)?,
        _ => return Err(unknown()),
    };
    let contents = ResourceContents::text(text.map_err(error)?, uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]))
}

/// The catalogue without parameters, outputs and evidence: those stand with each entry.
fn short(services: &Services) -> serde_json::Value {
    let all = services.catalogue().iter().map(|e| {
        json!({
            "id": e.id, "kind": e.kind, "family": e.family, "title": e.title, "tasks": e.tasks,
            "uri": format!("{SCHEME}catalogue/{}", e.id),
        })
    });
    all.collect()
}

async fn lineage(
    services: &Services,
    id: &str,
) -> Result<Result<String, ServiceError>, ServiceError> {
    Ok(if id.starts_with("t-") {
        written(&services.trial(id).await?.lineage)
    } else if id.starts_with("b-") {
        written(&services.backtest(id).await?.lineage)
    } else {
        let set = services.dataset(id).await?;
        written(&json!({ "dataset": set.summary, "lineage": set.lineage }))
    })
}

fn written<T: Serialize>(value: &T) -> Result<String, ServiceError> {
    serde_json::to_string(value)
        .map_err(|e| ServiceError::Internal(format!("a resource was not written: {e}")))
}

fn error(e: ServiceError) -> ErrorData {
    match &e {
        ServiceError::NotFound { .. } => ErrorData::resource_not_found(e.to_string(), None),
        ServiceError::Invalid { .. } => ErrorData::invalid_params(e.to_string(), None),
        ServiceError::Internal(cause) => {
            tracing::error!(%cause, "internal fault");
            ErrorData::internal_error(e.problem().detail, None)
        }
        _ => ErrorData::internal_error(e.to_string(), None),
    }
}

/// An address with its `%3A` and the like as signs; `None` when that is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (code, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn an_address_is_read_with_and_without_percent_signs() {
        assert_eq!(
            decoded("lineage/bundled:AAPL").unwrap(),
            "lineage/bundled:AAPL"
        );
        assert_eq!(
            decoded("lineage/bundled%3AAAPL").unwrap(),
            "lineage/bundled:AAPL"
        );
        assert_eq!(decoded("a%2"), None);
        assert_eq!(decoded("a%ff"), None);
        assert_eq!(decoded("a%zz"), None);
    }
}
