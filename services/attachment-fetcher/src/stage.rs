//! The story of one fetch: try each file in turn, come again while some may still be had and the budget
//! lasts, then say what became of all of them.
//!
//! A fetch may be handled twice: what an earlier delivery stored is not fetched again, and the outcome is
//! published under the same identity.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Entry, ObjectError, Outgoing, Revision, Work};
use bytes::Bytes;
use channels::{Account, Accounts, DownloadError, Downloaded, is_stray_page, sniffed_type};
use domain::retry::{self, Budget, NextStep};
use outbound::Client;
use proto_schemas::content::{Attachment, FileLocation, FileSource, IncomingFile, StoredFile};
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{ConnectionId, ConversationId, MessageId, TurnId};
use proto_schemas::inbox::{Attached, InboxEntry};
use proto_schemas::progress::{FilesProgress, OutgoingFile};
use proto_schemas::subjects;
use proto_schemas::topology::{INBOX, PROGRESS};
use proto_schemas::wire::DecodeError;
use registry::Registry;
use runtime::stage::{self, GiveUp, Job, Left, Outcome, Settles, Stage};
use runtime::{clock, random};

use crate::download::{name_of, reply_file};
use crate::metrics::{Direction, FetchMetrics, FetchResult};

/// How long a file is tried. The user waits meanwhile, so it is short; a restart of the other side fits in.
const BUDGET: Budget = Budget {
    attempts: 5,
    max_age: Duration::from_secs(120),
};
/// How long a fetch waits for an operator to mend its connection. After that the conversation goes on without
/// the files.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Brings files into the object store.
pub(crate) struct Fetcher {
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) accounts: Accounts,
    pub(crate) client: Client,
    pub(crate) max_file_bytes: u64,
    pub(crate) metrics: FetchMetrics,
}

/// Where one file is to be stored, and under which name.
struct Wanted {
    direction: Direction,
    key: String,
    name: String,
}

/// What became of a file for good: it is stored, or it cannot be had for a reason.
type Settled = Result<StoredFile, String>;

/// What one try came to.
enum Tried {
    Settled(Settled),
    Later { after: Duration, cause: String },
}

impl Stage for Fetcher {
    type Input = Fetch;

    fn decode(&self, work: &Work) -> Result<Option<Fetch>, DecodeError> {
        stage::decode(work)
    }

    async fn handle(&self, fetch: &Fetch, job: &Job) -> Outcome {
        let ended = match fetch {
            Fetch::In {
                message_id,
                conversation,
                connection,
                files,
            } => {
                self.bring_in(message_id, conversation, connection, files, job)
                    .await
            }
            Fetch::Out {
                turn,
                conversation,
                files,
            } => self.bring_out(turn, conversation, files, job).await,
        };
        ended.unwrap_or_else(Outcome::from)
    }

    /// The dead letter is confirmed: the conversation goes on without a user's files.
    async fn given_up(&self, fetch: &Fetch, give_up: &GiveUp, job: &Job) -> Outcome {
        let Fetch::In {
            message_id,
            conversation,
            files,
            ..
        } = fetch
        else {
            return Outcome::Done;
        };
        let unavailable = files
            .iter()
            .map(|file| incoming(Err(give_up.class.to_owned()), file));
        match self
            .attach(message_id, conversation, unavailable.collect(), job)
            .await
        {
            Ok(()) => Outcome::Done,
            Err(error) => error.into(),
        }
    }
}

impl Settles for Fetcher {
    async fn is_settled(&self, fetch: &Fetch, _left: Left) -> Result<bool, BusError> {
        match fetch {
            Fetch::In {
                message_id,
                conversation,
                ..
            } => self.is_attached(message_id, conversation).await,
            Fetch::Out { turn, .. } => {
                let key = subjects::files_progress(turn);
                let said: Option<Revision<FilesProgress>> = self.bus.get(&PROGRESS, &key).await?;
                Ok(said.is_some())
            }
        }
    }
}

impl Fetcher {
    /// Whether the inbox says what became of a message's files.
    async fn is_attached(
        &self,
        message: &MessageId,
        conversation: &ConversationId,
    ) -> Result<bool, BusError> {
        let mut found = false;
        let visit = |entry: Entry| {
            found |= matches!(entry.decode(), Ok(InboxEntry::Attached(attached)) if attached.message_id == *message);
        };
        self.bus
            .each(INBOX.name, &subjects::inbox(conversation), 1, visit)
            .await?;
        Ok(found)
    }

    /// Fetches a user's files and appends what became of them to the inbox.
    async fn bring_in(
        &self,
        message: &MessageId,
        conversation: &ConversationId,
        connection: &ConnectionId,
        files: &[FileSource],
        job: &Job,
    ) -> Result<Outcome, BusError> {
        let account = match self.account(connection) {
            Err(cause) if age(job) < CONNECTION_PATIENCE => return Ok(Outcome::retry(cause)),
            found => found,
        };
        let next = next_step(job);
        let mut tried = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let place = format!("{conversation}/{message}/{index}");
            tried.push(self.try_incoming(file, &place, &account, next, job).await?);
        }
        let settled = match settled(tried) {
            Ok(settled) => settled,
            Err(later) => return Ok(later),
        };
        let files = settled
            .into_iter()
            .zip(files)
            .map(|(settled, file)| incoming(settled, file));
        self.attach(message, conversation, files.collect(), job).await?;
        Ok(Outcome::Done)
    }

    /// Appends what became of a message's files to the inbox.
    async fn attach(
        &self,
        message: &MessageId,
        conversation: &ConversationId,
        files: Vec<IncomingFile>,
        job: &Job,
    ) -> Result<(), BusError> {
        let message_id = message.clone();
        let entry = InboxEntry::Attached(Attached { message_id, files });
        let (subject, identity) = (subjects::inbox(conversation), format!("attached:{message}"));
        self.bus
            .publish(Outgoing::new(subject, &entry, &identity, job.trace)?)
            .await?;
        Ok(())
    }

    async fn try_incoming(
        &self,
        file: &FileSource,
        place: &str,
        account: &Result<Arc<Account>, String>,
        next: NextStep,
        job: &Job,
    ) -> Result<Tried, BusError> {
        let name = channels::sanitise_name(&file.name);
        let wanted = Wanted::new(Direction::In, place, name);
        match (&file.location, account) {
            (FileLocation::Stored(stored), _) => Ok(Tried::Settled(Ok(stored.clone()))),
            (FileLocation::Platform { .. } | FileLocation::Url { .. }, Ok(account)) => {
                let download =
                    account.download(&self.client, file, self.max_file_bytes, clock::now().0 / 1000);
                self.bring(&wanted, download, next, job).await
            }
            (FileLocation::Platform { .. } | FileLocation::Url { .. }, Err(cause)) => {
                Ok(self.give_up(&wanted, "no_connection", cause.clone()))
            }
        }
    }

    /// Fetches a reply's files and leaves what became of them where egress looks.
    async fn bring_out(
        &self,
        turn: &TurnId,
        conversation: &ConversationId,
        files: &[Attachment],
        job: &Job,
    ) -> Result<Outcome, BusError> {
        let next = next_step(job);
        let mut tried = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let place = format!("{conversation}/{turn}/{index}");
            let wanted = Wanted::new(Direction::Out, &place, name_of(file));
            let download = reply_file(&self.client, file, self.max_file_bytes);
            tried.push(self.bring(&wanted, download, next, job).await?);
        }
        let settled = match settled(tried) {
            Ok(settled) => settled,
            Err(later) => return Ok(later),
        };
        let files = settled
            .into_iter()
            .zip(files)
            .map(|(settled, file)| outgoing(settled, file));
        let progress = FilesProgress {
            files: files.collect(),
        };
        // A repeated fetch, as of a replay, has to write again: hence the delivery in the identity.
        let identity = format!("files:{turn}:{}:{}", job.sequence, job.delivered);
        self.bus
            .put(
                &PROGRESS,
                &subjects::files_progress(turn),
                &progress,
                &identity,
                job.trace,
            )
            .await?;
        Ok(Outcome::Done)
    }

    fn account(&self, id: &ConnectionId) -> Result<Arc<Account>, String> {
        let connection = self
            .registry
            .connection(id)
            .ok_or("the connection is not configured")?;
        self.accounts.open(&connection).map_err(|error| {
            tracing::error!(connection = %id, %error, "a connection cannot be used");
            "the connection cannot be used".to_owned()
        })
    }

    /// Tries one file, unless an earlier delivery has stored it.
    async fn bring(
        &self,
        wanted: &Wanted,
        download: impl Future<Output = Result<Downloaded, DownloadError>>,
        next: NextStep,
        job: &Job,
    ) -> Result<Tried, BusError> {
        if job.is_redelivery()
            && let Some(stored) = self.find(wanted).await?
        {
            self.metrics.fetched(wanted.direction, FetchResult::Reused);
            return Ok(Tried::Settled(Ok(stored)));
        }
        match download.await {
            Ok(file) => {
                let mime_type = sniffed_type(&file.bytes, file.mime_type.as_deref());
                if is_stray_page(&mime_type, &wanted.name, file.mime_type.as_deref()) {
                    let reason = "a web page came in its place".to_owned();
                    return Ok(self.give_up(wanted, "html_instead_of_file", reason));
                }
                Ok(Tried::Settled(Ok(self
                    .store(wanted, &file.bytes, mime_type)
                    .await?)))
            }
            Err(DownloadError::Permanent { class, detail }) => Ok(self.give_up(wanted, class, detail)),
            Err(DownloadError::Transient { class, detail }) => match next {
                NextStep::GiveUp => Ok(self.give_up(wanted, class, detail)),
                NextStep::RetryAfter(after) => {
                    self.metrics.fetched(wanted.direction, FetchResult::Retried);
                    Ok(Tried::Later {
                        after,
                        cause: format!("{class}: {detail}"),
                    })
                }
            },
        }
    }

    async fn store(&self, wanted: &Wanted, bytes: &Bytes, mime_type: String) -> Result<StoredFile, BusError> {
        self.bus.store_file(&wanted.key, &mime_type, bytes).await?;
        let stored = wanted.stored(mime_type, bytes.len());
        self.metrics.stored(wanted.direction, stored.bytes);
        Ok(stored)
    }

    async fn find(&self, wanted: &Wanted) -> Result<Option<StoredFile>, BusError> {
        let most = usize::try_from(self.max_file_bytes).unwrap_or(usize::MAX);
        match self.bus.file(&wanted.key, most).await {
            Ok(file) => Ok(Some(wanted.stored(file.mime_type, file.bytes.len()))),
            Err(ObjectError::Missing { .. } | ObjectError::TooLarge { .. } | ObjectError::Incomplete) => {
                Ok(None)
            }
            Err(ObjectError::Bus(error)) => Err(error),
        }
    }

    fn give_up(&self, wanted: &Wanted, class: &'static str, reason: String) -> Tried {
        let direction = wanted.direction.as_str();
        tracing::warn!(direction, class, reason, key = wanted.key, "a file cannot be had");
        self.metrics.fetched(wanted.direction, FetchResult::Unavailable);
        Tried::Settled(Err(reason))
    }
}

impl Wanted {
    /// The key ends in the name, which is what a download is called.
    fn new(direction: Direction, place: &str, name: String) -> Self {
        let key = format!("{place}/{name}");
        Self { direction, key, name }
    }

    fn stored(&self, mime_type: String, bytes: usize) -> StoredFile {
        StoredFile {
            key: self.key.clone(),
            name: self.name.clone(),
            mime_type,
            bytes: bytes as u64,
        }
    }
}

fn age(job: &Job) -> Duration {
    clock::now().since(job.stored_at)
}

/// What follows for files that fail this time but may be had later.
fn next_step(job: &Job) -> NextStep {
    let delivered = u32::try_from(job.delivered).unwrap_or(u32::MAX);
    retry::next_step(&BUDGET, delivered, age(job), None, random::fraction())
}

/// The outcomes of all files, or the outcome of a fetch that has to come again because of one of them.
fn settled(tried: Vec<Tried>) -> Result<Vec<Settled>, Outcome> {
    let settled = tried.into_iter().map(|tried| match tried {
        Tried::Settled(settled) => Ok(settled),
        Tried::Later { after, cause } => Err(Outcome::retry_after(after, cause)),
    });
    settled.collect()
}

fn incoming(settled: Settled, source: &FileSource) -> IncomingFile {
    match settled {
        Ok(file) => IncomingFile::Stored(file),
        Err(reason) => IncomingFile::Unavailable {
            name: source.name.clone(),
            reason,
        },
    }
}

fn outgoing(settled: Settled, attachment: &Attachment) -> OutgoingFile {
    match settled {
        Ok(file) => OutgoingFile::Stored(file),
        Err(reason) => OutgoingFile::Unavailable {
            attachment: attachment.clone(),
            reason,
        },
    }
}
