//! The story of one fetch: try each file in turn, come again while some may still be had and the budget
//! lasts, then say what became of all of them.
//!
//! A fetch may be handled twice: what an earlier delivery stored is not fetched again, and the outcome is
//! published under the same identity.

mod earlier;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Entry, Outgoing, Revision, Work};
use channels::{Account, Accounts, DownloadError, Downloaded, is_stray_page, sniffed_type};
use domain::retry::{self, Budget, NextStep};
use files::Files;
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

use self::earlier::Earlier;
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

/// Stores files.
pub(crate) struct Fetcher {
    pub(crate) bus: Bus,
    pub(crate) files: Files,
    pub(crate) registry: Registry,
    pub(crate) accounts: Accounts,
    pub(crate) client: Client,
    pub(crate) max_file_bytes: u64,
    pub(crate) metrics: FetchMetrics,
}

/// One file of a fetch.
struct Wanted<'a> {
    direction: Direction,
    /// Its place in the fetch.
    index: usize,
    /// What it is to be called.
    name: String,
    /// What an earlier delivery has stored.
    earlier: &'a Earlier,
}

/// What became of a file for good: it is stored, or it cannot be had for a reason.
type Settled = Result<StoredFile, String>;

/// The message that files came with.
struct Origin<'a> {
    message: &'a MessageId,
    conversation: &'a ConversationId,
    album: Option<&'a String>,
}

/// What one try came to.
enum Tried {
    Settled(Settled),
    Later { after: Option<Duration>, cause: String },
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
                album,
            } => {
                let origin = Origin {
                    message: message_id,
                    conversation,
                    album: album.as_ref(),
                };
                self.bring_in(&origin, connection, files, job).await
            }
            Fetch::Out { turn, files, .. } => self.bring_out(turn, files, job).await,
        };
        ended.unwrap_or_else(Outcome::from)
    }

    /// The dead letter is confirmed: the conversation goes on without a user's files.
    async fn given_up(&self, fetch: &Fetch, give_up: &GiveUp, job: &Job) -> Outcome {
        let Fetch::In {
            message_id,
            conversation,
            files,
            album,
            ..
        } = fetch
        else {
            return Outcome::Done;
        };
        let origin = Origin {
            message: message_id,
            conversation,
            album: album.as_ref(),
        };
        let unavailable = files
            .iter()
            .map(|file| incoming(Err(give_up.class.to_owned()), file));
        match self.attach(&origin, unavailable.collect(), job).await {
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
        origin: &Origin<'_>,
        connection: &ConnectionId,
        files: &[FileSource],
        job: &Job,
    ) -> Result<Outcome, BusError> {
        let account = match self.account(connection) {
            Err(cause) if age(job) < CONNECTION_PATIENCE => return Ok(Outcome::retry(cause)),
            found => found,
        };
        let next = next_step(job);
        let earlier = Earlier::look_up(&self.bus, subjects::fetch_in_progress(origin.message), job).await?;
        let mut tried = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let wanted = Wanted {
                direction: Direction::In,
                index,
                name: channels::sanitise_name(&file.name),
                earlier: &earlier,
            };
            tried.push(self.try_incoming(file, &wanted, &account, next).await);
        }
        earlier.keep(&self.bus, stored(&tried), job).await?;
        let settled = match settled(tried) {
            Ok(settled) => settled,
            Err(later) => return Ok(later),
        };
        let files = settled
            .into_iter()
            .zip(files)
            .map(|(settled, file)| incoming(settled, file));
        self.attach(origin, files.collect(), job).await?;
        Ok(Outcome::Done)
    }

    /// Appends what became of a message's files to the inbox.
    async fn attach(&self, origin: &Origin<'_>, files: Vec<IncomingFile>, job: &Job) -> Result<(), BusError> {
        let entry = InboxEntry::Attached(Attached {
            message_id: origin.message.clone(),
            files,
            album: origin.album.cloned(),
        });
        let subject = subjects::inbox(origin.conversation);
        let identity = format!("attached:{}", origin.message);
        self.bus
            .publish(Outgoing::new(subject, &entry, &identity, job.trace)?)
            .await?;
        Ok(())
    }

    async fn try_incoming(
        &self,
        file: &FileSource,
        wanted: &Wanted<'_>,
        account: &Result<Arc<Account>, String>,
        next: NextStep,
    ) -> Tried {
        match (&file.location, account) {
            (FileLocation::Stored(stored), _) => Tried::Settled(Ok(stored.clone())),
            (FileLocation::Platform { .. } | FileLocation::Url { .. }, Ok(account)) => {
                let download =
                    account.download(&self.client, file, self.max_file_bytes, clock::now().as_secs());
                self.bring(wanted, download, next).await
            }
            (FileLocation::Platform { .. } | FileLocation::Url { .. }, Err(cause)) => {
                self.give_up(wanted, "no_connection", cause.clone())
            }
        }
    }

    /// Fetches a reply's files and leaves what became of them where egress looks.
    async fn bring_out(&self, turn: &TurnId, files: &[Attachment], job: &Job) -> Result<Outcome, BusError> {
        let next = next_step(job);
        let earlier = Earlier::look_up(&self.bus, subjects::fetch_out_progress(turn), job).await?;
        let mut tried = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let wanted = Wanted {
                direction: Direction::Out,
                index,
                name: name_of(file),
                earlier: &earlier,
            };
            let download = reply_file(&self.client, file, self.max_file_bytes);
            tried.push(self.bring(&wanted, download, next).await);
        }
        earlier.keep(&self.bus, stored(&tried), job).await?;
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
        wanted: &Wanted<'_>,
        download: impl Future<Output = Result<Downloaded, DownloadError>>,
        next: NextStep,
    ) -> Tried {
        if let Some(stored) = wanted.earlier.file(wanted.index) {
            self.metrics.fetched(wanted.direction, FetchResult::Reused);
            return Tried::Settled(Ok(stored.clone()));
        }
        match download.await {
            Ok(file) => {
                let mime_type = sniffed_type(&file.bytes, file.mime_type.as_deref());
                if is_stray_page(&mime_type, &wanted.name, file.mime_type.as_deref()) {
                    let reason = "a web page came in its place".to_owned();
                    return self.give_up(wanted, "html_instead_of_file", reason);
                }
                let stored = self.files.store(wanted.name.clone(), mime_type, &file.bytes);
                match stored.await {
                    Ok(stored) => {
                        self.metrics.stored(wanted.direction, stored.bytes);
                        Tried::Settled(Ok(stored))
                    }
                    // The store's fault and not the file's: it comes again for as long as that takes.
                    Err(error) => self.later(wanted, None, error.to_string()),
                }
            }
            Err(DownloadError::Permanent { class, detail }) => self.give_up(wanted, class, detail),
            Err(DownloadError::Transient { class, detail }) => match next {
                NextStep::GiveUp => self.give_up(wanted, class, detail),
                NextStep::RetryAfter(after) => self.later(wanted, Some(after), format!("{class}: {detail}")),
            },
        }
    }

    fn later(&self, wanted: &Wanted<'_>, after: Option<Duration>, cause: String) -> Tried {
        self.metrics.fetched(wanted.direction, FetchResult::Retried);
        Tried::Later { after, cause }
    }

    fn give_up(&self, wanted: &Wanted<'_>, class: &'static str, reason: String) -> Tried {
        let (direction, name) = (wanted.direction.as_str(), &wanted.name);
        tracing::warn!(direction, class, reason, name, "a file cannot be had");
        self.metrics.fetched(wanted.direction, FetchResult::Unavailable);
        Tried::Settled(Err(reason))
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

/// The files that are stored, in order.
fn stored(tried: &[Tried]) -> Vec<Option<StoredFile>> {
    let stored = tried.iter().map(|tried| match tried {
        Tried::Settled(Ok(file)) => Some(file.clone()),
        Tried::Settled(Err(_)) | Tried::Later { .. } => None,
    });
    stored.collect()
}

/// The outcomes of all files, or the outcome of a fetch that has to come again because of one of them.
fn settled(tried: Vec<Tried>) -> Result<Vec<Settled>, Outcome> {
    let settled = tried.into_iter().map(|tried| match tried {
        Tried::Settled(settled) => Ok(settled),
        Tried::Later { after, cause } => Err(Outcome::Retry { after, cause }),
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
