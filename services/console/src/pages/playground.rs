//! The playground: talking to a bot through the real pipeline, and seeing each stage as it happens.

use std::future::ready;
use std::sync::Arc;

use maud::{Markup, html};
use operations::conversations::{self, Turns};
use operations::trace::{self, Trace};
use operations::{Condition, RecordError};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, MessageId};
use rand::RngExt;
use registry::{Bot, Connection, Snapshot};
use url::form_urlencoded;

use super::conversations::talk;
use super::layout::seal;
use super::page::{Page, Reply, Visit};
use super::timeline::timeline;
use super::{problem, watch};
use crate::playground::{MAX_TEXT_BYTES, Playground};
use crate::problem::Problem;
use crate::web::Desk;

const SECTION: &str = "/playground";
/// Turns that are shown of a chat; longer ones are begun anew.
const TURNS: usize = 100;

pub(super) fn pages() -> Vec<Page> {
    vec![
        Page::new("/playground", |desk, visit| {
            Box::pin(ready(Ok(choose(&desk, &visit))))
        }),
        Page::form("/playground", "connections.put", |desk, visit| {
            Box::pin(connect(desk, visit))
        }),
        Page::new("/playground/{id}", |_, visit| Box::pin(ready(begin(&visit)))),
        Page::new("/playground/{id}/{chat}", |desk, visit| {
            Box::pin(show(desk, visit))
        }),
        Page::form("/playground/{id}/{chat}", "playground.send", |desk, visit| {
            Box::pin(say(desk, visit))
        }),
        Page::new("/playground/{id}/{chat}/events", |desk, visit| {
            Box::pin(ready(watch::events(desk, &visit)))
        }),
    ]
}

/// The way in, if the console was given one.
fn playground(desk: &Desk) -> Result<&Playground, Problem> {
    desk.playground.as_ref().ok_or(Problem::NotFound(
        "the console has no playground: it was not told INGRESS_URL and CONSOLE_PLAYGROUND_SECRET",
    ))
}

fn choose(desk: &Desk, visit: &Visit) -> Reply {
    let playground = match playground(desk) {
        Ok(playground) => playground,
        Err(why) => return Reply::page(SECTION, "Playground", problem::told(&why)),
    };
    let snapshot = desk.registry.current();
    let (ways, without) = ways_in(playground, &snapshot);
    let body = html! {
        p { "Talk to a bot through the whole pipeline, as its users do, and see each stage as it happens." }
        @if snapshot.bots.is_empty() { p { "There is no bot yet. " a href="/bots" { "Make one" } "." } }
        @if !ways.is_empty() {
            ul { @for connection in ways {
                li { a href={ "/playground/" (connection.id) } { "Talk to " (connection.bot) } " through the connection " (connection.id) }
            } }
        }
        @if visit.is_operator() && !without.is_empty() { (connecting(&without, visit)) }
    };
    Reply::page(SECTION, "Playground", body)
}

/// The connections that take what we push, and the bots that have none, both in the order of their identifiers.
fn ways_in<'a>(playground: &Playground, snapshot: &'a Snapshot) -> (Vec<&'a Connection>, Vec<&'a Bot>) {
    let mut ways: Vec<_> = snapshot
        .connections
        .values()
        .map(AsRef::as_ref)
        .filter(|connection| playground.reaches(connection))
        .collect();
    ways.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let reached = |bot: &&Bot| ways.iter().any(|connection| connection.bot == bot.id);
    let mut without: Vec<_> = snapshot
        .bots
        .values()
        .map(AsRef::as_ref)
        .filter(|bot| !reached(bot))
        .collect();
    without.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    (ways, without)
}

fn connecting(without: &[&Bot], visit: &Visit) -> Markup {
    html! {
        h2 { "Bots without a connection to the playground" }
        form.narrow method="post" action="/playground" {
            (seal(&visit.session))
            label for="bot" { "Bot" }
            select #bot name="bot" aria-describedby="connect-hint" {
                @for bot in without { option value=(bot.id) { (bot.name) " (" (bot.id) ")" } }
            }
            p.small #connect-hint {
                "Makes a connection of the HTTP channel that the console may push to. What the bot answers there is kept in \
                 the transcript and sent nowhere."
            }
            button { "Connect it" }
        }
    }
}

async fn connect(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let nothing = || Problem::NotFound("there is no such bot");
    let bot = BotId::new(visit.field("bot")).map_err(|_| nothing())?;
    let id = format!("playground-{bot}");
    let record = playground(&desk)?.connection(&id, bot.as_str());
    let to = format!("/playground/{id}");
    match operations::put::<Connection>(&desk.bus, &desk.secrets, &id, record, Condition::Absent).await {
        Ok(written) => Ok(Reply::Elsewhere {
            to,
            written: Some(written),
        }),
        // Somebody else has made it meanwhile.
        Err(RecordError::Changed) => Ok(Reply::elsewhere(to)),
        Err(error) => Err(error.into()),
    }
}

/// A chat of its own, so that what was said before has no part in it.
fn begin(visit: &Visit) -> Result<Reply, Problem> {
    let id = connection_id(visit)?;
    let chat: u64 = rand::rng().random();
    Ok(Reply::elsewhere(format!("/playground/{id}/console-{chat:016x}")))
}

fn connection_id(visit: &Visit) -> Result<ConnectionId, Problem> {
    ConnectionId::new(visit.name("id")).map_err(|_| no_connection())
}

fn no_connection() -> Problem {
    Problem::NotFound("there is no such connection, or it takes nothing from the playground")
}

/// A chat, as its address names it.
struct Chat {
    connection: ConnectionId,
    bot: BotId,
    name: String,
}

async fn chat(desk: &Desk, visit: &Visit) -> Result<Chat, Problem> {
    let id = connection_id(visit)?;
    // As it is stored: of one that was just made the registry may not have heard yet.
    let connection = match operations::show::<Connection>(&desk.bus, id.as_str()).await {
        Ok(stored) => stored.record.ok_or_else(no_connection)?,
        Err(RecordError::Unknown) => return Err(no_connection()),
        Err(error) => return Err(error.into()),
    };
    if !playground(desk)?.reaches(&connection) {
        return Err(no_connection());
    }
    let name = visit.name("chat");
    let is_ours = name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_ours {
        return Err(Problem::NotFound("the address names no chat"));
    }
    Ok(Chat {
        connection: id,
        bot: connection.bot,
        name: name.to_owned(),
    })
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let chat = chat(&desk, &visit).await?;
    let title = format!("Talking to {}", chat.bot);
    let body = page(&desk, &visit, &chat, "").await?;
    Ok(Reply::page(SECTION, title, body))
}

async fn page(desk: &Desk, visit: &Visit, chat: &Chat, draft: &str) -> Result<Markup, Problem> {
    let message = message(visit)?;
    let trace = match &message {
        Some(message) => trace::of(&desk.bus, message).await?,
        None => None,
    };
    let turns = match &trace {
        Some(trace) => Some(said(desk, &trace.conversation).await?),
        None => None,
    };
    let is_finished = trace.as_ref().is_some_and(|trace| trace.is_finished);
    let events = message.as_ref().filter(|_| !is_finished);
    let events = events.map(|message| events_of(chat, message));
    Ok(html! {
        div #live data-events=[events] aria-live="polite" {
            @match (&trace, &turns) {
                (Some(trace), Some(turns)) => (live(trace, turns)),
                // A replica of the broker may not have it yet.
                (Some(_) | None, _) if message.is_some() => p { "The message is looked for." },
                (Some(_) | None, _) => p { "Say something: it goes through ingress like a user's message." },
            }
        }
        @if visit.is_operator() { (saying(visit, chat, draft)) }
        p { a href={ "/playground/" (chat.connection) } { "Begin a new chat" } }
    })
}

/// The message that the address says was pushed last, if it does.
fn message(visit: &Visit) -> Result<Option<MessageId>, Problem> {
    let Some(asked) = visit.asked("message") else {
        return Ok(None);
    };
    let message = MessageId::new(asked)
        .ok()
        .filter(|id| id.conversation().is_some());
    let message = message.ok_or(Problem::NotFound("the address names no message"))?;
    Ok(Some(message))
}

async fn said(desk: &Desk, conversation: &ConversationId) -> Result<Turns, Problem> {
    Ok(conversations::turns(&desk.bus, conversation, 0, TURNS).await?)
}

fn live(trace: &Trace, turns: &Turns) -> Markup {
    html! {
        ol.talk aria-label="What was said" {
            @for turn in &turns.items { (talk(turn)) }
            @if !is_told(trace, turns) { li.user { (trace.question) } }
        }
        @if turns.next_cursor.is_some() { p { "Only the first turns of this chat are shown." } }
        h2 { "The last message" }
        (timeline(trace))
    }
}

/// Whether the last message is among the turns, which are read after its story.
fn is_told(trace: &Trace, turns: &Turns) -> bool {
    turns
        .items
        .iter()
        .any(|turn| turn.answers.contains(&trace.message))
}

fn events_of(chat: &Chat, message: &MessageId) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("message", message.as_str())
        .finish();
    format!("/playground/{}/{}/events?{query}", chat.connection, chat.name)
}

fn saying(visit: &Visit, chat: &Chat, draft: &str) -> Markup {
    let here = format!("/playground/{}/{}", chat.connection, chat.name);
    // What was said stays in sight when the next message is refused.
    let action = match visit.asked("message") {
        Some(message) => format!("{here}?message={message}"),
        None => here,
    };
    html! {
        form method="post" action=(action) {
            (seal(&visit.session))
            label for="text" { "Message" }
            textarea.said #text name="text" required maxlength=(MAX_TEXT_BYTES) data-enter autofocus { (draft) }
            div.actions { button { "Send" } }
        }
    }
}

async fn say(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let chat = chat(&desk, &visit).await?;
    let text = &visit.text("text");
    let pushed = if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES {
        let why = format!("a message has 1 to {MAX_TEXT_BYTES} bytes");
        Err(Problem::Unusable(why))
    } else {
        playground(&desk)?.push(&chat.connection, &chat.name, text).await
    };
    match pushed {
        Ok(message) => {
            let to = format!("/playground/{}/{}?message={message}", chat.connection, chat.name);
            Ok(Reply::elsewhere(to))
        }
        Err(why) => {
            let body = html! { (problem::told(&why)) (page(&desk, &visit, &chat, text).await?) };
            Ok(Reply::Again {
                title: format!("Talking to {}", chat.bot),
                section: SECTION,
                body,
                why,
            })
        }
    }
}
