//! Dead letters: confirmed before the work leaves its stream.

use std::collections::BTreeMap;

use bus::{Bus, BusError, Outgoing, Published, TraceContext, Work};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use domain::ids;
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::ids::DeadLetterId;
use proto_schemas::{subjects, wire};

use crate::clock;
use crate::stage::{GiveUp, Outcome};

/// A larger payload goes to the object store. Escaped as JSON text it may grow sixfold, and must stay below
/// the server's `max_payload` of 1 MiB.
const INLINE_BYTES: usize = 128 * 1024;

/// Work to be buried.
#[derive(Debug)]
pub struct Remains {
    /// Tells this work from all other work of the stage; the same for each try to bury it.
    pub identity: String,
    /// The stream it came from; none when it came from outside.
    pub stream: Option<String>,
    /// The subject it came on, or the route.
    pub subject: String,
    /// The headers that a replay needs.
    pub headers: BTreeMap<String, String>,
    /// Its bytes.
    pub payload: Bytes,
}

impl Remains {
    /// What is left of a stream's message.
    pub fn of(stream: &str, work: &Work) -> Self {
        let kept = [wire::MESSAGE_TYPE, wire::TRACEPARENT];
        let headers = kept
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), work.header(name)?.to_owned())))
            .collect();
        Self {
            identity: format!("{stream}:{}:{}", work.sequence, work.stored_at.0),
            stream: Some(stream.to_owned()),
            subject: work.subject.clone(),
            headers,
            payload: work.payload.clone(),
        }
    }
}

/// Writes a dead letter and returns when it is confirmed: accepted, or a duplicate of one that was written
/// before. Doing so twice leaves one.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses; the work must not be let go of then.
pub async fn bury(
    bus: &Bus,
    stage: Stage,
    remains: Remains,
    give_up: &GiveUp,
    trace: TraceContext,
) -> Result<Published, BusError> {
    let id = ids::dead_letter_id(stage, &remains.identity);
    let dead_letter = DeadLetter {
        id: id.clone(),
        stage,
        class: give_up.class.to_owned(),
        cause: give_up.cause.clone(),
        attempts: give_up.attempts.clone(),
        stream: remains.stream,
        subject: remains.subject,
        headers: remains.headers,
        payload: payload(bus, &id, remains.payload).await?,
        buried_at: clock::now(),
    };
    let subject = subjects::dead_letter(stage, give_up.class, &id);
    let published = bus
        .publish(Outgoing::new(subject, &dead_letter, id.as_str(), trace)?)
        .await?;
    tracing::warn!(
        dead_letter = id.as_str(),
        class = give_up.class,
        cause = give_up.cause,
        attempts = give_up.attempts.len(),
        "gave up; a dead letter holds the work"
    );
    Ok(published)
}

/// What becomes of work whose dead letter is not confirmed: it stays, whatever the error. Only a broker that is away says
/// how soon it comes again.
pub(crate) fn put_off(error: BusError) -> Outcome {
    let cause = format!("the dead letter is not confirmed: {error}");
    match Outcome::from(error) {
        Outcome::Retry { after, .. } => Outcome::Retry { after, cause },
        Outcome::Done | Outcome::Duplicate | Outcome::GiveUp(_) | Outcome::Fatal(_) => Outcome::retry(cause),
    }
}

async fn payload(bus: &Bus, id: &DeadLetterId, bytes: Bytes) -> Result<Payload, BusError> {
    if bytes.len() > INLINE_BYTES {
        let key = format!("dead-letters/{id}");
        bus.store_file(&key, &bytes).await?;
        return Ok(Payload::Object(key));
    }
    Ok(match std::str::from_utf8(&bytes) {
        Ok(text) => Payload::Text(text.to_owned()),
        Err(_) => Payload::Hex(HEXLOWER.encode(&bytes)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_whose_dead_letter_is_not_confirmed_stays_and_an_outage_puts_it_off_for_a_moment() {
        let delay = |error| match put_off(error) {
            Outcome::Retry { after, .. } => after,
            other @ (Outcome::Done | Outcome::Duplicate | Outcome::GiveUp(_) | Outcome::Fatal(_)) => {
                panic!("{other:?}")
            }
        };
        let away = delay(BusError::Unavailable("no leader".to_owned()));
        assert!(
            away.is_some_and(|delay| delay < Duration::from_secs(2)),
            "{away:?}"
        );
        assert_eq!(delay(BusError::TooLarge), None);
        assert_eq!(delay(BusError::Conflict), None);
    }
}
