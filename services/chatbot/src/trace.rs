//! `chatbot trace`: what became of a message.

use bus::Bus;
use operations::trace::{self, Trace};
use proto_schemas::ids::MessageId;

use crate::Failure;
use crate::platform::Platform;

/// The story of a message, wherever it is asked for.
pub(crate) async fn find(platform: &Platform, message: &str) -> Result<Trace, Failure> {
    match platform {
        Platform::Broker(bus) => of(bus, message).await,
        Platform::Console(server) => {
            let message = parsed(message)?;
            let found = server.find(&format!("/v1/messages/{message}/trace")).await?;
            Ok(found.ok_or_else(|| unknown(&message))?.value)
        }
    }
}

/// The story of a message, over the broker.
pub(crate) async fn of(bus: &Bus, message: &str) -> Result<Trace, Failure> {
    let message = parsed(message)?;
    let found = trace::of(bus, &message).await.map_err(Failure::new)?;
    found.ok_or_else(|| unknown(&message))
}

fn parsed(message: &str) -> Result<MessageId, Failure> {
    let message = MessageId::new(message).map_err(Failure::new)?;
    if message.conversation().is_none() {
        return Err(Failure(format!("{message} is not a message of this platform")));
    }
    Ok(message)
}

fn unknown(message: &MessageId) -> Failure {
    Failure(format!(
        "{message} is not in the inbox: unknown, or older than it keeps"
    ))
}
