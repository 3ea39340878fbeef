//! A typed action out of an id and parameters, as routes, command line and MCP are given them.

use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_services::ServiceError;
use mltrainer_types::assistant::{ACTIONS, AssistantAction, spec};
use serde_json::Value;

/// The action; `null` stands for no parameters.
///
/// # Errors
/// [`ServiceError::NotFound`] for an unknown id with the nearest ones; [`ServiceError::Invalid`] for parameters
/// that are no object, have an unknown name or a value of the wrong kind.
pub(crate) fn action(id: &str, params: Value) -> Result<AssistantAction, ServiceError> {
    if spec(id).is_none() {
        return Err(ServiceError::NotFound {
            what: "action",
            id: id.to_owned(),
            suggestions: nearest(id, ACTIONS.iter().map(|a| a.id)),
        });
    }
    if !params.is_object() && !params.is_null() {
        return Err(ServiceError::invalid(
            "params",
            "the parameters are a JSON object, for example {\"symbols\": [\"AAPL\"]}",
        ));
    }
    AssistantAction::from_parts(id, params).map_err(|said| {
        let named = ["missing field `", "unknown field `"]
            .iter()
            .find_map(|p| said.split_once(p)?.1.split('`').next());
        let field = named.unwrap_or("params").to_owned();
        ServiceError::invalid(field, said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_action_is_read_and_what_is_wrong_is_named() {
        let read = action("set_goal", json!({"text": "beat the market"})).unwrap();
        assert_eq!(read.id(), "set_goal");
        assert_eq!(action("help", Value::Null).unwrap().id(), "help");
        let unknown = action("set_goall", json!({})).unwrap_err();
        assert!(unknown.to_string().contains("set_goal"), "{unknown}");
        for (params, field) in [
            (json!({"txt": "x"}), "txt"),
            (json!({"text": 3}), "params"),
            (json!([1]), "params"),
        ] {
            let error = action("set_goal", params.clone()).unwrap_err();
            assert!(
                matches!(&error, ServiceError::Invalid { field: f, .. } if f == field),
                "{params}: {error:?}"
            );
        }
    }
}
