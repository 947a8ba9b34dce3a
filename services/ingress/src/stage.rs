//! The story of one push: is it authentic, what does it say, may it come now, store it, answer.
//!
//! The answer is given only when the stream (or, for what nobody understands, a dead letter) has confirmed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use bus::{Bus, BusError, Outgoing, Published, TraceContext};
use bytes::Bytes;
use channels::{Accounts, Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request, sniffed_type};
use data_encoding::HEXLOWER;
use domain::ids;
use files::{FileError, Files};
use proto_schemas::content::{ChannelKind, FileLocation, FileSource, ReplyAddress, StoredFile};
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{ConnectionId, ConversationId, MessageId};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::INBOX;
use registry::{Connection, EditPolicy, GroupPolicy, Registry};
use runtime::burial::{self, Remains};
use runtime::{GiveUp, clock};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::backlog::{Backlog, newest};
use crate::conversation::conversation_of;
use crate::error::{NOT_UNDERSTOOD, Refused};
use crate::gateway::Lease;
use crate::limits::Limiter;
use crate::metrics::IntakeMetrics;
use crate::recent::Recent;

/// What a push is checked against and stored with.
pub(crate) struct Intake {
    pub(crate) bus: Bus,
    pub(crate) files: Files,
    pub(crate) registry: Registry,
    pub(crate) accounts: Accounts,
    pub(crate) connections: Limiter<ConnectionId>,
    pub(crate) conversations: Limiter<ConversationId>,
    pub(crate) backlog: Backlog,
    /// The newest entry that this replica knows of, by its sequence. One that is not the newest any more costs a
    /// refused publish; the server compares.
    pub(crate) newest: Recent<u64>,
    pub(crate) metrics: IntakeMetrics,
}

/// A push as it arrived.
pub(crate) struct Push<'a> {
    /// The channel that its route belongs to.
    pub(crate) channel: ChannelKind,
    /// The connection, as the URL names it.
    pub(crate) connection: &'a str,
    /// Its route, for a dead letter.
    pub(crate) route: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    pub(crate) trace: TraceContext,
}

/// Something authentic, as it came in.
pub(crate) struct Arrival<'a> {
    /// Its route or what it is, for a dead letter.
    pub(crate) route: &'a str,
    pub(crate) body: &'a Bytes,
    pub(crate) trace: TraceContext,
    /// What has to be held still when it is stored; a push is always ours.
    pub(crate) lease: Option<&'a Lease>,
}

impl Arrival<'_> {
    /// Whether it comes again when it comes too soon. What a Gateway tells does not: it comes late and all at once after
    /// an outage, however slowly it was written.
    fn may_be_refused(&self) -> bool {
        self.lease.is_none()
    }

    /// Fails when somebody else may take it in by now.
    fn check(&self) -> Result<(), Refused> {
        match self.lease {
            Some(lease) if !lease.is_held() => Err(Refused::NotHeld),
            Some(_) | None => Ok(()),
        }
    }
}

/// What a push came to; all of it is durable.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A message, now in the inbox of its conversation.
    Message {
        id: MessageId,
        conversation: ConversationId,
        duplicate: bool,
        /// What the platform wants to hear.
        answer: Option<Value>,
    },
    /// The platform only asked whether we are there.
    Handshake { answer: Value },
    /// Nothing that is answered.
    Ignored,
    /// A dead letter: it is authentic, and nobody understands it.
    Buried,
}

impl Intake {
    /// Takes a push in.
    pub(crate) async fn take(&self, push: &Push<'_>) -> Result<Taken, Refused> {
        let connection = self
            .connection(push.channel, push.connection)
            .ok_or(Refused::UnknownConnection)?;
        let account = self.accounts.open(&connection)?;
        let request = Request {
            headers: push.headers,
            body: push.body,
            now_secs: clock::now().as_secs(),
        };
        let inbound = account.receive(&request);
        // What anybody could send must not use up what the connection may.
        if !matches!(inbound, Err(Refusal::Unauthorized(_))) {
            self.connections
                .take(&connection.id)
                .map_err(Refused::RateLimited)?;
        }
        let arrival = Arrival {
            route: push.route,
            body: push.body,
            trace: push.trace,
            lease: None,
        };
        self.admit(&connection, inbound, &arrival).await
    }

    /// Takes in what was read, if it is authentic.
    pub(crate) async fn admit(
        &self,
        connection: &Connection,
        inbound: Result<Inbound, Refusal>,
        arrival: &Arrival<'_>,
    ) -> Result<Taken, Refused> {
        match inbound {
            Ok(Inbound::Message(message)) => self.store(connection, message, false, arrival).await,
            Ok(Inbound::Reset(message)) => self.store(connection, message, true, arrival).await,
            Ok(Inbound::Handshake { answer }) => Ok(Taken::Handshake { answer }),
            Ok(Inbound::Trouble { kind }) => {
                tracing::warn!(kind, connection = %connection.id, "the platform tells of trouble with a connection");
                Ok(Taken::Ignored)
            }
            Ok(Inbound::Ignored { kind }) => {
                tracing::debug!(kind, connection = %connection.id, "nothing that is answered");
                Ok(Taken::Ignored)
            }
            Err(Refusal::Unauthorized(reason)) => Err(Refused::Unauthorized(reason)),
            Err(Refusal::BadBody(reason)) => Err(Refused::BadBody(reason)),
            Err(Refusal::NotUnderstood(reason)) => {
                let give_up = GiveUp::permanent(NOT_UNDERSTOOD, reason);
                self.bury(connection, arrival, &give_up).await?;
                Ok(Taken::Buried)
            }
        }
    }

    /// The connection that the URL names, if it is one of the route's channel.
    pub(crate) fn connection(&self, channel: ChannelKind, id: &str) -> Option<Arc<Connection>> {
        let id = ConnectionId::new(id).ok()?;
        let found = self.registry.connection(&id);
        found.filter(|connection| connection.channel.kind() == channel)
    }

    /// Appends a message to the inbox of its conversation. The same message again changes nothing.
    async fn store(
        &self,
        connection: &Connection,
        message: InboundMessage,
        is_reset: bool,
        arrival: &Arrival<'_>,
    ) -> Result<Taken, Refused> {
        if message.is_edit && connection.edits == EditPolicy::Ignore {
            return Ok(Taken::Ignored);
        }
        let conversation = conversation_of(connection, &message);
        let subject = subjects::inbox(&conversation);
        let is_ours = match (message.addressed, connection.groups) {
            (Addressed::Surely, GroupPolicy::Addressed) | (_, GroupPolicy::Always) => true,
            (Addressed::Perhaps, GroupPolicy::Addressed) => match &message.album {
                Some(album) => self.ends_with(&subject, album).await?,
                None => self.has_begun(&conversation, &subject).await?,
            },
            (Addressed::No, GroupPolicy::Addressed) => false,
        };
        if !is_ours {
            return Ok(Taken::Ignored);
        }
        if arrival.may_be_refused() {
            self.conversations
                .take(&conversation)
                .map_err(Refused::RateLimited)?;
        }
        let id = ids::message_id(&conversation, &message.dedup_key);
        let answer = message.answer;
        // Whoever waits for too many answers may still end the waiting.
        if !is_reset {
            self.backlog.take(&self.bus, &conversation).await?;
        }
        let received = Received {
            message_id: id.clone(),
            conversation: conversation.clone(),
            bot: connection.bot.clone(),
            connection: connection.id.clone(),
            channel: connection.channel.kind(),
            address: ReplyAddress {
                chat_id: message.chat_id,
                thread_id: message.thread_id,
                message_id: message.message_id,
                interaction: message.interaction,
            },
            user: message.user,
            text: message.text,
            files: self.store_inline(message.files).await?,
            album: message.album,
            replay_of: None,
            accepted_at: clock::now(),
        };
        let entry = if is_reset {
            InboxEntry::Reset(received)
        } else {
            InboxEntry::Received(received)
        };
        let outgoing = Outgoing::new(subject.clone(), &entry, id.as_str(), arrival.trace)?;
        let published = self.append(&conversation, &subject, outgoing, arrival).await?;
        let duplicate = published == Published::Duplicate;
        self.metrics.last_success.is_now();
        tracing::debug!(message = %id, %conversation, duplicate, "took a message");
        Ok(Taken::Message {
            id,
            conversation,
            duplicate,
            answer,
        })
    }

    /// Whether the bot takes part in a conversation: something in it was meant for it, and is kept still.
    async fn has_begun(&self, conversation: &ConversationId, subject: &str) -> Result<bool, BusError> {
        Ok(self.newest_of(conversation, subject).await? > 0)
    }

    /// Whether the last thing that was said in a conversation belongs to an album.
    async fn ends_with(&self, subject: &str, album: &str) -> Result<bool, BusError> {
        let newest = self.bus.last(INBOX.name, subject).await?;
        let entry = newest.and_then(|newest| newest.decode::<InboxEntry>().ok());
        let of_album = entry.and_then(|entry| match entry {
            InboxEntry::Received(received) => received.album,
            InboxEntry::Attached(attached) => attached.album,
            InboxEntry::Reset(_) => None,
        });
        Ok(of_album.as_deref() == Some(album))
    }

    /// The newest entry of a conversation, as far as this replica knows; 0 when there is none.
    async fn newest_of(&self, conversation: &ConversationId, subject: &str) -> Result<u64, BusError> {
        if let Some(known) = self.newest.get(conversation) {
            return Ok(known);
        }
        let found = newest(&self.bus, subject).await?;
        if found > 0 {
            // Somebody may have appended meanwhile.
            let newer = |known: Option<u64>| known.map_or(found, |known| known.max(found));
            self.newest.update(conversation, newer);
        }
        Ok(found)
    }

    /// Appends an entry. Each names the one before it: who reads it knows without a look whether others wait.
    async fn append(
        &self,
        conversation: &ConversationId,
        subject: &str,
        entry: Outgoing,
        arrival: &Arrival<'_>,
    ) -> Result<Published, Refused> {
        let mut last = self.newest_of(conversation, subject).await?;
        loop {
            arrival.check()?;
            match self.bus.publish(entry.clone().after(last)).await {
                Ok(published) => {
                    if let Published::Accepted { sequence } = published {
                        self.newest.set(conversation, sequence);
                    }
                    return Ok(published);
                }
                // Another message of the conversation was quicker, perhaps at another replica, so there are not
                // many rounds.
                Err(BusError::Conflict) => last = newest(&self.bus, subject).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stores files that came inside the push. Those that are elsewhere stay there for attachment-fetcher.
    async fn store_inline(&self, files: Vec<InboundFile>) -> Result<Vec<FileSource>, FileError> {
        let mut sources = Vec::with_capacity(files.len());
        for file in files {
            sources.push(match file {
                InboundFile::Source(source) => source,
                InboundFile::Inline {
                    name,
                    mime_type,
                    bytes,
                } => {
                    let mime_type = sniffed_type(&bytes, mime_type.as_deref());
                    stored_source(self.files.store(name, mime_type, &bytes).await?)
                }
            });
        }
        Ok(sources)
    }

    /// Keeps what is authentic and not understood: a refusal would make the platform send it for ever, and
    /// hold back what comes after it (`channels.md`, section 0.2).
    pub(crate) async fn bury(
        &self,
        connection: &Connection,
        arrival: &Arrival<'_>,
        give_up: &GiveUp,
    ) -> Result<(), Refused> {
        let hash = HEXLOWER.encode(&Sha256::digest(arrival.body));
        let remains = Remains {
            identity: format!("{}:{hash}", connection.id),
            stream: None,
            subject: arrival.route.to_owned(),
            // A replay needs none, and one of them is the platform's secret.
            headers: BTreeMap::new(),
            payload: arrival.body.clone(),
        };
        arrival.check()?;
        let written = burial::bury(&self.bus, Stage::Ingress, remains, give_up, arrival.trace).await?;
        if written != Published::Duplicate {
            self.metrics.buried.count(give_up.class);
        }
        Ok(())
    }

    /// Lets go of limits that nobody is near and of accounts that are no more.
    pub(crate) fn forget_unused(&self) {
        self.connections.forget_idle();
        self.conversations.forget_idle();
        self.backlog.forget_idle();
        self.newest.forget_idle();
        let snapshot = self.registry.current();
        self.accounts.retain(|id| snapshot.connections.contains_key(id));
    }
}

fn stored_source(file: StoredFile) -> FileSource {
    FileSource {
        name: file.name.clone(),
        mime_type: Some(file.mime_type.clone()),
        bytes: Some(file.bytes),
        location: FileLocation::Stored(file),
    }
}
