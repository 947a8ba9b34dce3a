//! `chatbot forget`: removes what is stored of a conversation, or of all conversations of a user.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::Bus;
use clap::Args;
use domain::ids;
use operations::forget::{self, Removed, Store};
use proto_schemas::ids::{ConnectionId, ConversationId};

use crate::Failure;
use crate::output::say;
use crate::server::{Server, Trouble};

/// Which conversations, and whether they are removed.
#[derive(Args)]
pub(crate) struct Options {
    /// A conversation by its identifier; may be given several times.
    #[arg(long, required_unless_present = "connection")]
    conversation: Vec<String>,
    /// The connection of a chat or a user.
    #[arg(long, conflicts_with = "conversation")]
    connection: Option<String>,
    /// The conversation of this chat, by the platform's identifier.
    #[arg(long, requires = "connection", allow_hyphen_values = true)]
    chat: Option<String>,
    /// The conversation of this thread of the chat.
    #[arg(long, requires = "chat", allow_hyphen_values = true)]
    thread: Option<String>,
    /// Every conversation in which this user has written, by the platform's identifier, with all that others said
    /// there. With --chat, the conversation of this user where each user of a group has one.
    #[arg(long, requires = "connection", allow_hyphen_values = true)]
    user: Option<String>,
    /// Removes it. Without this it is only shown what is stored.
    #[arg(long)]
    yes: bool,
    /// For so long replies and files that are under way may come to their end by themselves.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    patience: Duration,
}

impl Options {
    async fn conversations(&self, bus: &Bus) -> Result<BTreeSet<ConversationId>, Failure> {
        let Some(connection) = &self.connection else {
            let named = self.conversation.iter().map(ConversationId::new);
            return named.collect::<Result<_, _>>().map_err(Failure::new);
        };
        let connection = ConnectionId::new(connection).map_err(Failure::new)?;
        let user = self.user.as_deref();
        match (&self.chat, user) {
            (Some(chat), user) => {
                let id = ids::conversation_id(&connection, chat, self.thread.as_deref(), user);
                Ok(BTreeSet::from([id]))
            }
            (None, Some(user)) => {
                say!("looking for the conversations of {user} in all that is stored");
                forget::of_user(bus, &connection, user)
                    .await
                    .map_err(Failure::new)
            }
            (None, None) => Err(Failure::new("say which: --chat or --user of the connection")),
        }
    }
}

/// Shows what is stored, and removes it if that is wanted.
pub(crate) async fn forget(options: &Options, bus: &Bus) -> Result<(), Failure> {
    let conversations = options.conversations(bus).await?;
    for conversation in &conversations {
        say!("{conversation}");
    }
    let kept = forget::kept(bus, &conversations).await.map_err(Failure::new)?;
    let Some(kept) = kept else {
        say!("nothing is stored");
        return Ok(());
    };
    if options.yes {
        let removed = Box::pin(forget::forget(bus, &conversations, options.patience)).await;
        return report(&removed.map_err(Failure::new)?);
    }
    say!("stored:");
    list(&kept.entries, kept.files);
    say!("nothing is removed without --yes");
    Ok(())
}

/// Has a console remove what is stored of conversations, one after the other.
pub(crate) async fn over_server(options: &Options, server: &Server) -> Result<(), Failure> {
    if options.connection.is_some() || !options.yes {
        return Err(Failure::new(
            "a console removes conversations by their identifier and shows nothing before: with --server, give \
             --conversation and --yes",
        ));
    }
    let mut failed = 0;
    for id in &options.conversation {
        let id = ConversationId::new(id).map_err(Failure::new)?;
        say!("{id}");
        match server.delete::<Removed>(&format!("/v1/conversations/{id}")).await {
            Ok(removed) => failed += usize::from(report(&removed).is_err()),
            Err(Trouble::Refused(refusal)) if refusal.code == "not_found" => say!("nothing is stored"),
            Err(trouble) => return Err(trouble.into()),
        }
    }
    if failed > 0 {
        return Err(Failure(format!(
            "of {failed} conversations replies or fetches were still under way; run the same again in some minutes"
        )));
    }
    Ok(())
}

fn list(amounts: &BTreeMap<Store, usize>, files: usize) {
    for (store, amount) in amounts {
        say!("{amount:>8}  {}", store.entries());
    }
    say!("{files:>8}  files");
}

fn report(removed: &Removed) -> Result<(), Failure> {
    say!("removed:");
    list(&removed.entries, removed.files.len());
    if !removed.shared.is_empty() {
        say!(
            "{:>8}  files stay: others refer to them, too",
            removed.shared.len()
        );
    }
    if !removed.elsewhere.is_empty() {
        say!(
            "these files are not in the broker; if they are in S3, remove them there, or leave them to its rule:"
        );
        for key in &removed.elsewhere {
            say!("  {key}");
        }
    }
    if removed.interrupted > 0 {
        return Err(Failure(format!(
            "{} replies or fetches were still under way; run the same again in some minutes, for what they leave behind",
            removed.interrupted
        )));
    }
    Ok(())
}
