//! The queues, in memory and, if there is a folder, one file a queue.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use winterbaume_sqs::backend::{SendMessageOutput, SqsBackend};
use winterbaume_sqs::state::{QueueState, SqsError, SqsState};
use winterbaume_sqs::types::{Message, MessageAttribute, MessageMoveTask, Queue};
use winterbaume_sqs::views::{QueueStateView, SqsStateView};

use crate::drawer::Drawer;
use crate::{ACCOUNT_ID, REGION};

/// All queues.
#[derive(Debug)]
pub(crate) struct Queues {
    endpoint: String,
    state: Mutex<SqsState>,
    files: Drawer,
}

/// A queue with its messages, as a file has it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredQueue {
    queue: QueueStateView,
    messages: Vec<StoredMessage>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredMessage {
    message_id: String,
    body: String,
    body_md5: String,
    receipt_handles: Vec<String>,
    sender_id: String,
    sent_ms: i64,
    first_received_ms: Option<i64>,
    receive_count: u32,
    visible_ms: i64,
    attributes: Vec<StoredAttribute>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAttribute {
    name: String,
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<Vec<u8>>,
}

impl From<&Message> for StoredMessage {
    fn from(message: &Message) -> Self {
        let attributes = message.message_attributes.iter().map(|(name, attribute)| StoredAttribute {
            name: name.clone(),
            data_type: attribute.data_type.clone(),
            string_value: attribute.string_value.clone(),
            binary_value: attribute.binary_value.clone(),
        });
        Self {
            message_id: message.message_id.clone(),
            body: message.body.clone(),
            body_md5: message.body_md5.clone(),
            receipt_handles: message.all_receipt_handles.clone(),
            sender_id: message.sender_id.clone(),
            sent_ms: message.sent_timestamp,
            first_received_ms: message.approximate_first_receive_timestamp,
            receive_count: message.approximate_receive_count,
            visible_ms: message.visible_at,
            attributes: attributes.collect(),
        }
    }
}

impl From<StoredMessage> for Message {
    fn from(stored: StoredMessage) -> Self {
        let attributes = stored.attributes.into_iter().map(|attribute| {
            let StoredAttribute { name, data_type, string_value, binary_value } = attribute;
            (name, MessageAttribute { data_type, string_value, binary_value })
        });
        Self {
            message_id: stored.message_id,
            body: stored.body,
            body_md5: stored.body_md5,
            receipt_handle: stored.receipt_handles.last().cloned(),
            all_receipt_handles: stored.receipt_handles,
            sender_id: stored.sender_id,
            sent_timestamp: stored.sent_ms,
            approximate_first_receive_timestamp: stored.first_received_ms,
            approximate_receive_count: stored.receive_count,
            visible_at: stored.visible_ms,
            message_attributes: attributes.collect(),
        }
    }
}

impl Queues {
    /// Reads what the folder holds, if there is one. Queue URLs point to `endpoint`, whatever it was before.
    pub(crate) fn open(folder: Option<&Path>, endpoint: &str) -> anyhow::Result<Self> {
        let files = Drawer::below(folder, "queues")?;
        let mut state = SqsState::default();
        for StoredQueue { queue, messages } in files.load::<StoredQueue>()? {
            let mut queue = QueueState::from(queue);
            queue.messages = messages.into_iter().map(Message::from).collect();
            queue.queue.url = url(endpoint, &queue.queue.name);
            state.queues.insert(queue.queue.name.clone(), queue);
        }
        Ok(Self { endpoint: endpoint.to_owned(), state: Mutex::new(state), files })
    }

    fn state(&self) -> MutexGuard<'_, SqsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, state: &SqsState, name: &str) {
        match state.queues.get(name) {
            Some(queue) => {
                let messages = queue.messages.iter().map(StoredMessage::from).collect();
                self.files.put(name, &StoredQueue { queue: QueueStateView::from(queue), messages });
            }
            None => self.files.remove(name),
        }
    }

    /// Changes a queue and stores it.
    fn change<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut SqsState) -> Result<T, SqsError>,
    ) -> Ready<Result<T, SqsError>>
    where
        T: Send + 'static,
    {
        let mut state = self.state();
        let changed = change(&mut state);
        if changed.is_ok() {
            self.store(&state, name);
        }
        ready(changed)
    }

    /// Whether there is such a queue.
    pub(crate) fn exists(&self, arn: &str) -> bool {
        name_of(arn).is_some_and(|name| self.state().queues.contains_key(name))
    }

    /// Sends as a service of AWS does; to a queue that is gone nothing is sent.
    pub(crate) fn send(&self, arn: &str, body: &str) {
        let Some(name) = name_of(arn) else { return };
        let mut state = self.state();
        if state.send_message(name, body, None, HashMap::new(), None, None).is_ok() {
            self.store(&state, name);
        }
    }
}

fn name_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:aws:sqs:")?.rsplit(':').next()
}

fn url(endpoint: &str, name: &str) -> String {
    format!("{endpoint}/{ACCOUNT_ID}/{name}")
}

type Ready<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn ready<T: Send + 'static>(value: T) -> Ready<T> {
    Box::pin(std::future::ready(value))
}

/// There is one account and one region.
impl SqsBackend for Queues {
    fn create_queue(
        &self,
        _: String,
        _: String,
        name: String,
        attributes: HashMap<String, String>,
        tags: Option<HashMap<String, String>>,
    ) -> Ready<Result<Queue, SqsError>> {
        self.change(&name, |state| {
            state.create_queue(&name, REGION, ACCOUNT_ID, &attributes, tags.as_ref())?;
            let queue = state.queues.get_mut(&name).ok_or(SqsError::NonExistentQueue)?;
            queue.queue.url = url(&self.endpoint, &name);
            Ok(queue.queue.clone())
        })
    }

    fn delete_queue(&self, _: String, _: String, name: String) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.delete_queue(&name))
    }

    fn get_queue_url(&self, _: String, _: String, name: String) -> Ready<Result<String, SqsError>> {
        ready(self.state().get_queue_url(&name).map(str::to_owned))
    }

    fn get_queue_attributes(
        &self,
        _: String,
        _: String,
        name: String,
    ) -> Ready<Result<HashMap<String, String>, SqsError>> {
        let state = self.state();
        let attributes = state.get_queue_attributes(&name).map(|mut attributes| {
            // A message that was received once and is visible again counts, which winterbaume forgets.
            let visible =
                state.queues.get(&name).map_or(0, |queue| queue.messages.iter().filter(|it| it.is_visible()).count());
            attributes.insert("ApproximateNumberOfMessages".to_owned(), visible.to_string());
            attributes
        });
        ready(attributes)
    }

    fn set_queue_attributes(
        &self,
        _: String,
        _: String,
        name: String,
        attributes: HashMap<String, String>,
    ) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.set_queue_attributes(&name, &attributes))
    }

    fn list_queues(&self, _: String, _: String, prefix: Option<String>) -> Ready<Result<Vec<Queue>, SqsError>> {
        let mut queues: Vec<_> = self.state().list_queues(prefix.as_deref()).into_iter().cloned().collect();
        queues.sort_by(|a, b| a.name.cmp(&b.name));
        ready(Ok(queues))
    }

    fn send_message(
        &self,
        _: String,
        _: String,
        name: String,
        body: String,
        delay_seconds: Option<u32>,
        attributes: HashMap<String, MessageAttribute>,
        group: Option<String>,
        deduplication: Option<String>,
    ) -> Ready<Result<SendMessageOutput, SqsError>> {
        self.change(&name, |state| {
            state
                .send_message(&name, &body, delay_seconds, attributes, group.as_deref(), deduplication.as_deref())
                .map(|sent| SendMessageOutput { message_id: sent.message_id, body_md5: sent.body_md5 })
        })
    }

    fn receive_messages(
        &self,
        _: String,
        _: String,
        name: String,
        max: usize,
        visibility_timeout: Option<u32>,
    ) -> Ready<Result<Vec<Message>, SqsError>> {
        let mut state = self.state();
        let dead_letters = state.queues.get(&name).and_then(|queue| queue.dead_letter_target_arn.clone());
        let dead_letters = dead_letters.as_deref().and_then(name_of).map(str::to_owned);
        // Without its dead-letter queue, winterbaume would drop the messages that ought to go there.
        let lost = dead_letters.as_ref().is_some_and(|target| !state.queues.contains_key(target));
        let policy = if lost { state.queues.get_mut(&name).and_then(|it| it.redrive_policy.take()) } else { None };
        let dead_before = dead_letters.as_ref().map(|target| message_count(&state, target));
        let received = state.receive_message(&name, max, visibility_timeout);
        if let (Some(policy), Some(queue)) = (policy, state.queues.get_mut(&name)) {
            queue.redrive_policy = Some(policy);
        }
        let moved = dead_letters.as_ref().map(|target| message_count(&state, target)) != dead_before;
        if let (true, Some(target)) = (moved, &dead_letters) {
            self.store(&state, target);
        }
        if moved || received.as_ref().is_ok_and(|messages| !messages.is_empty()) {
            self.store(&state, &name);
        }
        ready(received)
    }

    fn delete_message(&self, _: String, _: String, name: String, handle: String) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.delete_message(&name, &handle))
    }

    fn purge_queue(&self, _: String, _: String, name: String) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.purge_queue(&name))
    }

    fn change_message_visibility(
        &self,
        _: String,
        _: String,
        name: String,
        handle: String,
        timeout: u32,
    ) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.change_message_visibility(&name, &handle, timeout))
    }

    fn change_message_visibility_batch(
        &self,
        _: String,
        _: String,
        name: String,
        entries: Vec<(String, String, u32)>,
    ) -> Ready<Result<Vec<String>, SqsError>> {
        self.change(&name, |state| state.change_message_visibility_batch(&name, &entries))
    }

    fn list_queue_tags(&self, _: String, _: String, name: String) -> Ready<Result<HashMap<String, String>, SqsError>> {
        ready(self.state().list_queue_tags(&name))
    }

    fn tag_queue(
        &self,
        _: String,
        _: String,
        name: String,
        tags: HashMap<String, String>,
    ) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.tag_queue(&name, &tags))
    }

    fn untag_queue(&self, _: String, _: String, name: String, keys: Vec<String>) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.untag_queue(&name, &keys))
    }

    fn add_permission(
        &self,
        _: String,
        _: String,
        name: String,
        label: String,
        accounts: Vec<String>,
        actions: Vec<String>,
    ) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.add_permission(&name, &label, accounts, actions))
    }

    fn remove_permission(&self, _: String, _: String, name: String, label: String) -> Ready<Result<(), SqsError>> {
        self.change(&name, |state| state.remove_permission(&name, &label))
    }

    fn list_dead_letter_source_queues(
        &self,
        _: String,
        _: String,
        name: String,
    ) -> Ready<Result<Vec<String>, SqsError>> {
        ready(self.state().list_dead_letter_source_queues(&name))
    }

    fn start_message_move_task(
        &self,
        _: String,
        _: String,
        source: String,
        destination: Option<String>,
        per_second: Option<i32>,
    ) -> Ready<Result<String, SqsError>> {
        ready(self.state().start_message_move_task(&source, destination.as_deref(), per_second))
    }

    fn cancel_message_move_task(&self, _: String, _: String, handle: String) -> Ready<Result<i64, SqsError>> {
        ready(self.state().cancel_message_move_task(&handle))
    }

    fn list_message_move_tasks(
        &self,
        _: String,
        _: String,
        source: String,
    ) -> Ready<Result<Vec<MessageMoveTask>, SqsError>> {
        ready(Ok(self.state().list_message_move_tasks(&source).into_iter().cloned().collect()))
    }

    fn scopes_with_state(&self) -> Vec<(String, String)> {
        vec![(ACCOUNT_ID.to_owned(), REGION.to_owned())]
    }

    fn snapshot(&self, _: String, _: String) -> Ready<SqsStateView> {
        ready(SqsStateView::from(&*self.state()))
    }

    fn restore(&self, _: String, _: String, view: SqsStateView) -> Ready<Result<(), winterbaume_sqs::StateViewError>> {
        *self.state() = SqsState::from(view);
        ready(Ok(()))
    }

    fn merge(&self, _: String, _: String, view: SqsStateView) -> Ready<Result<(), winterbaume_sqs::StateViewError>> {
        self.state().queues.extend(SqsState::from(view).queues);
        ready(Ok(()))
    }
}

fn message_count(state: &SqsState, name: &str) -> usize {
    state.queues.get(name).map_or(0, |queue| queue.messages.len())
}
