//! MCP, over the official SDK: the actions as tools, catalogue, trials and lineage as resources, the
//! five workflows as prompts. [`http`] serves it at `/mcp`, `mltrainer mcp` over standard input and output.
//!
//! What: a tool call is the typed action of that id, done by `Services::perform` with the trust of
//! whoever asks: of the token over HTTP, of `--trust` over standard input and output.
//! Data: a result is the `ActionOutcome` as structured content, and as text for models that read that
//! only; what an action began is waited for, with progress where the client asks for it.
//! Fails when: the action fails or is refused: a tool error of one sentence. An unknown tool, resource or
//! prompt is an error of the protocol.

pub(crate) mod http;
mod prompts;
mod resources;

use crate::action::action;
use crate::outcome;
use mltrainer_services::{
    AgentNote, Authority, ServiceError, Services, Stage, SteeredAction, VERSION,
};
use mltrainer_types::assistant::{ActionInfo, AssistantAction};
use mltrainer_types::chat::ActionOutcome;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ProgressToken, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a call without progress waits for what it began: clients give up after a minute.
const PATIENCE: Duration = Duration::from_secs(45);

/// A client that is told of progress is told at least so often.
const TICK: Duration = Duration::from_secs(10);

/// What a client's model is told first.
const INSTRUCTIONS: &str = "mlTrainer runs honest trials of forecasting models on real market data: every forecast is out of sample, every result has its lineage, and \"no edge found\" is a common and useful answer. Tools are its typed actions; their answers cite stored results, so quote numbers from them and from nowhere else. What takes long answers with a job after 45 seconds: read mltrainer://trials/{id} until its state is final, or call the tool with a progress token to wait. Past results promise nothing.";

/// Who asks, and what is known of the language model that it is.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// With which trust.
    pub(crate) who: Authority,
    /// Kept with the runs that it begins.
    pub(crate) model: SteeredAction,
}

/// The MCP server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Mcp {
    services: Services,
    /// Who asks, where no token says it.
    local: Option<Client>,
    tools: Arc<Vec<Tool>>,
}

impl Mcp {
    /// Over standard input and output everybody is this one; over HTTP the request says who asks.
    pub(crate) fn new(services: Services, local: Option<Client>) -> Self {
        let tools = services.actions().into_iter().map(tool).collect();
        Self {
            services,
            local,
            tools: Arc::new(tools),
        }
    }

    /// Who asks.
    fn client(&self, context: &RequestContext<RoleServer>) -> Result<Client, ErrorData> {
        let parts = context.extensions.get::<axum::http::request::Parts>();
        let shown = parts.and_then(|p| p.extensions.get::<Client>());
        shown
            .or(self.local.as_ref())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("nobody is known to ask", None))
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let client = self.client(&context)?;
        let params = request.arguments.map_or(Value::Null, Value::Object);
        let action = match action(&request.name, params) {
            Ok(action) => action,
            // Of a name that was never offered.
            Err(e @ ServiceError::NotFound { .. }) => {
                return Err(ErrorData::invalid_params(e.to_string(), None));
            }
            Err(e) => return Ok(failed(&e)),
        };
        let progress = context.meta.get_progress_token();
        let progress = progress.map(|token| Told::new(token, context.peer.clone()));
        let done = tokio::select! {
            done = self.perform(client, &action, progress) => done,
            () = context.ct.cancelled() => Err(ServiceError::Unavailable(
                "the call was cancelled; what it had begun goes on".to_owned(),
            )),
        };
        Ok(match done {
            Ok(outcome) => succeeded(&outcome),
            Err(e) => failed(&e),
        })
    }

    /// Does an action: to the end where progress is told, else for as long as clients are patient.
    async fn perform(
        &self,
        client: Client,
        action: &AssistantAction,
        progress: Option<Told>,
    ) -> Result<ActionOutcome, ServiceError> {
        let Client { who, model } = client;
        let who = &who;
        let mut stage = Stage {
            // What the action begins is made under it, and known by it as steered.
            key: Some(format!("mcp/{}", uuid::Uuid::now_v7())),
            wait: true,
            model: Some(model),
            ..Stage::alone()
        };
        if let Some(progress) = progress {
            let (notes, heard) = mpsc::unbounded_channel();
            stage.notes = Some(notes);
            let work = self.services.perform(who, action, &stage);
            return tokio::select! {
                done = work => done,
                never = progress.tell(heard) => match never {},
            };
        }
        let hurry = stage.hurry.clone();
        let patience = async {
            tokio::time::sleep(PATIENCE).await;
            hurry.cancel();
            std::future::pending().await
        };
        tokio::select! {
            done = self.services.perform(who, action, &stage) => done,
            never = patience => match never {},
        }
    }
}

/// Progress of a call, on its way to the client.
struct Told {
    token: ProgressToken,
    peer: Peer<RoleServer>,
}

impl Told {
    fn new(token: ProgressToken, peer: Peer<RoleServer>) -> Self {
        Self { token, peer }
    }

    /// Tells what agents say, and every few seconds that the work goes on; does not end by itself.
    async fn tell(self, mut heard: mpsc::UnboundedReceiver<AgentNote>) -> Infallible {
        let mut said = 0_u32;
        loop {
            let note = tokio::time::timeout(TICK, heard.recv()).await;
            let message = match note {
                Ok(Some(note)) => format!("{}: {}", note.agent, note.said.text()),
                // Nobody speaks any more.
                Ok(None) => std::future::pending().await,
                Err(_) => "at work".to_owned(),
            };
            said += 1;
            let param = ProgressNotificationParam::new(self.token.clone(), f64::from(said));
            // A client that went away ends the call by itself.
            let _ = self.peer.notify_progress(param.with_message(message)).await;
        }
    }
}

/// An action as a tool.
fn tool(info: ActionInfo) -> Tool {
    let schema = match info.schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    let mut text = format!("{} Needs trust {} of 10.", info.does, info.required_trust);
    if let Some(example) = info.examples.first() {
        text.push_str(&format!(" For example: \"{example}\""));
    }
    let hints = ToolAnnotations::with_title(info.title.clone())
        .read_only(!info.changes)
        .destructive(info.changes)
        .idempotent(!info.changes);
    Tool::new(info.id, text, Arc::new(schema))
        .with_title(info.title)
        .with_annotations(hints)
}

fn succeeded(outcome: &ActionOutcome) -> CallToolResult {
    let text = ContentBlock::text(outcome::text(outcome));
    let mut result = CallToolResult::success(vec![text]);
    result.structured_content = serde_json::to_value(outcome).ok();
    result
}

/// One sentence; the text of an internal fault stays in the log.
fn failed(e: &ServiceError) -> CallToolResult {
    if let ServiceError::Internal(cause) = e {
        tracing::error!(%cause, "internal fault");
    }
    let problem = e.problem();
    let mut result = CallToolResult::error(vec![ContentBlock::text(problem.detail.clone())]);
    result.structured_content = serde_json::to_value(problem).ok();
    result
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("mltrainer", VERSION).with_title("mlTrainer"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|t| t.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, context).await.map(Into::into)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.client(&context)?;
        let all = resources::list(&self.services).await?;
        Ok(ListResourcesResult::with_all_items(all))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            resources::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.client(&context)?;
        let read = resources::read(&self.services, &request.uri).await?;
        Ok(read.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(prompts::get(&request.name, &arguments)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::assistant::infos;

    #[test]
    fn every_action_is_a_tool_with_its_schema_and_hints() {
        for info in infos() {
            let made = tool(info.clone());
            assert_eq!(made.name, info.id);
            assert_eq!(Value::Object((*made.input_schema).clone()), info.schema);
            assert_eq!(made.input_schema["type"], "object", "{}", info.id);
            let hints = made.annotations.unwrap();
            assert_eq!(hints.read_only_hint, Some(!info.changes), "{}", info.id);
            assert_eq!(hints.destructive_hint, Some(info.changes), "{}", info.id);
        }
    }

    #[test]
    fn an_internal_fault_is_not_told() {
        let result = failed(&ServiceError::Internal("no such table: secret".to_owned()));
        let text = serde_json::to_string(&result).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(result.is_error, Some(true));
    }
}
