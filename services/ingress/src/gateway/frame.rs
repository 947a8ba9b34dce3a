//! What the Gateway says, as far as we read it (`channels.md`, section 4.1.1).

use std::borrow::Cow;

use proto_schemas::gateway::GatewaySession;
use serde::Deserialize;

/// One thing that the Gateway says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A session has begun.
    Ready(GatewaySession),
    /// A session goes on, and all that was missed has been told.
    Resumed { sequence: u64 },
    /// Somebody wrote something.
    Message { sequence: u64 },
    /// An event that nothing follows from.
    Other { sequence: u64 },
    /// The Gateway wants us to connect again.
    Reconnect,
    /// The session is not taken.
    InvalidSession { may_resume: bool },
    /// The protocol's own talk.
    Talk,
}

/// It is not as the protocol says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

const DISPATCH: u8 = 0;
const RECONNECT: u8 = 7;
const INVALID_SESSION: u8 = 9;

#[derive(Deserialize)]
struct Head<'a> {
    op: u8,
    s: Option<u64>,
    #[serde(borrow)]
    t: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Body<T> {
    d: T,
}

#[derive(Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: String,
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

impl Frame {
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let head: Head<'_> = parse(text)?;
        match head.op {
            DISPATCH => event(text, head.t.as_deref(), head.s.ok_or(Unreadable)?),
            RECONNECT => Ok(Self::Reconnect),
            INVALID_SESSION => parse(text).map(|Body { d }| Self::InvalidSession { may_resume: d }),
            _ => Ok(Self::Talk),
        }
    }
}

fn event(text: &str, name: Option<&str>, sequence: u64) -> Result<Frame, Unreadable> {
    Ok(match name {
        Some("READY") => {
            let Body::<Ready> { d } = parse(text)?;
            Frame::Ready(GatewaySession {
                id: d.session_id,
                resume_url: d.resume_gateway_url,
                sequence,
                bot_user: d.user.id,
            })
        }
        Some("RESUMED") => Frame::Resumed { sequence },
        Some("MESSAGE_CREATE") => Frame::Message { sequence },
        Some(_) | None => Frame::Other { sequence },
    })
}

/// Why it cannot be parsed is not said: the text of the error may hold what people wrote.
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_told_from_what_does_not() {
        let ready = r#"{"op":0,"s":1,"t":"READY","d":{"v":10,"session_id":"a","resume_gateway_url":"wss://b","user":{"id":"7"}}}"#;
        let session = GatewaySession {
            id: "a".to_owned(),
            resume_url: "wss://b".to_owned(),
            sequence: 1,
            bot_user: "7".to_owned(),
        };
        for (text, frame) in [
            (ready, Ok(Frame::Ready(session))),
            (
                r#"{"op":0,"s":4,"t":"RESUMED","d":{}}"#,
                Ok(Frame::Resumed { sequence: 4 }),
            ),
            (
                r#"{"op":0,"s":5,"t":"MESSAGE_CREATE","d":{}}"#,
                Ok(Frame::Message { sequence: 5 }),
            ),
            (
                r#"{"op":0,"s":6,"t":"MESSAGE_UPDATE","d":{}}"#,
                Ok(Frame::Other { sequence: 6 }),
            ),
            (r#"{"op":7,"d":null}"#, Ok(Frame::Reconnect)),
            (
                r#"{"op":9,"d":false}"#,
                Ok(Frame::InvalidSession { may_resume: false }),
            ),
            (r#"{"op":11,"s":null,"t":null,"d":null}"#, Ok(Frame::Talk)),
            (r#"{"op":0,"t":"MESSAGE_CREATE","d":{}}"#, Err(Unreadable)),
            (r#"{"op":0,"s":1,"t":"READY","d":{}}"#, Err(Unreadable)),
            ("", Err(Unreadable)),
        ] {
            assert_eq!(Frame::read(text), frame, "{text}");
        }
    }
}
