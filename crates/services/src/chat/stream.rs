//! A conversation as it goes on: stored messages in order, each once, and between them what is being
//! written.

use super::Talk;
use crate::hub::Sent;
use crate::port::PortError;
use crate::{ServiceError, Services};
use futures::{Stream, StreamExt as _};
use mltrainer_types::chat::{ChatDelta, ChatMessage};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// What a listener hears.
#[derive(Debug, Clone)]
pub enum ChatSent {
    /// A stored message.
    Message(Arc<Sent<ChatMessage>>),
    /// A piece of a message that is being written.
    Delta(ChatDelta),
}

/// A conversation as it goes on; it does not end by itself.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatSent, PortError>> + Send + 'static>>;

impl Services {
    /// Messages after number `after`, stored and to come, and what is being written.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Invalid`] for a number below 0.
    pub async fn follow_conversation(
        &self,
        id: &str,
        after: i64,
    ) -> Result<ChatStream, ServiceError> {
        crate::trials::check_after(after)?;
        let conversation = self.conversation(id).await?;
        let talk: &Talk = &self.inner.talk;
        let last = conversation.last_message;
        let feed = Arc::new(talk.store.clone());
        let stored = talk.hub.follow(feed, id, after.min(last), last);
        let (so_far, drafts) = talk.writing_in(&conversation.id).listen();
        let so_far = futures::stream::iter(so_far.map(|delta| Ok(ChatSent::Delta(delta))));
        let drafts = futures::stream::unfold(drafts, |mut drafts| async move {
            loop {
                match drafts.recv().await {
                    Ok(delta) => return Some((Ok(ChatSent::Delta(delta)), drafts)),
                    // The whole message follows.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        let stored = stored.map(|sent| sent.map(ChatSent::Message));
        let closing = talk.closing.clone();
        let both = futures::stream::select(stored, so_far.chain(drafts));
        Ok(Box::pin(both.take_until(async move {
            closing.cancelled().await;
        })))
    }
}
