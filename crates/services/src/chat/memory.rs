//! The memory: messages by their words, weight and age.

use crate::port::MemoryQuery;
use crate::{ServiceError, Services};
use chrono::{Days, NaiveDate, NaiveTime};
use mltrainer_types::ConversationId;
use mltrainer_types::chat::MemoryHit;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemorySearch {
    /// Words, 1 to 500 characters.
    pub query: String,
    /// First day.
    pub since: Option<NaiveDate>,
    /// Last day.
    pub until: Option<NaiveDate>,
    /// Only this conversation.
    pub conversation: Option<String>,
    /// Only messages on all of these topics.
    pub topics: Vec<String>,
    /// At most so many, 1 to 100; 20 for 0.
    pub limit: u32,
}

impl Services {
    /// Messages that hold the words, best first.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a query that is empty or too long, or more than 100 hits.
    pub async fn search_memory(
        &self,
        search: &MemorySearch,
    ) -> Result<Vec<MemoryHit>, ServiceError> {
        let words = search.query.trim();
        if words.is_empty() || words.chars().count() > 500 {
            return Err(ServiceError::invalid(
                "query",
                "write 1 to 500 characters to search for",
            ));
        }
        if search.limit > 100 {
            return Err(ServiceError::invalid(
                "limit",
                format!("{} is above 100", search.limit),
            ));
        }
        let begin = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Ok(self
            .inner
            .talk
            .store
            .remember(&MemoryQuery {
                words: words.to_owned(),
                since: search.since.map(begin),
                until: search
                    .until
                    .and_then(|day| day.checked_add_days(Days::new(1)))
                    .map(begin),
                conversation: search.conversation.clone().map(ConversationId),
                topics: search.topics.iter().map(|t| t.to_lowercase()).collect(),
                now: self.inner.clock.now(),
                limit: if search.limit == 0 { 20 } else { search.limit },
            })
            .await?)
    }
}
