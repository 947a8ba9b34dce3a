//! `chatbot breakers`: which webhooks are left in peace, and how to have one asked again.

use clap::Subcommand;
use operations::breakers::{self, Breaker, CloseError, Closed};
use proto_schemas::ids::IntegrationId;
use serde::Deserialize;

use crate::Failure;
use crate::output::say;
use crate::platform::Platform;
use crate::server::{Server, Trouble};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the integrations whose webhook fails or said that it is gone (410).
    List,
    /// Has a webhook asked again at once.
    Close {
        /// The integration.
        integration: String,
    },
}

/// What the console lists.
#[derive(Deserialize)]
struct Open {
    items: Vec<Breaker>,
}

pub(crate) async fn run(command: Command, platform: &Platform) -> Result<(), Failure> {
    match command {
        Command::List => list(platform).await,
        Command::Close { integration } => close(platform, &integration).await,
    }
}

async fn list(platform: &Platform) -> Result<(), Failure> {
    let open = match platform {
        Platform::Broker(bus) => breakers::list(bus).await.map_err(Failure::new)?,
        Platform::Console(server) => server.get::<Open>("/v1/breakers").await?.value.items,
    };
    for breaker in &open {
        say!("{breaker}");
    }
    say!("{} integrations are left in peace", open.len());
    Ok(())
}

async fn close(platform: &Platform, integration: &str) -> Result<(), Failure> {
    let integration = IntegrationId::new(integration).map_err(Failure::new)?;
    let is_closed = match platform {
        Platform::Broker(bus) => match breakers::close(bus, &integration).await {
            Ok(_) => false,
            Err(CloseError::NotOpen) => true,
            Err(error @ (CloseError::Changed | CloseError::Bus(_))) => return Err(Failure::new(error)),
        },
        Platform::Console(server) => closed_already(server, &integration).await?,
    };
    if is_closed {
        return Err(Failure(format!(
            "the circuit breaker of {integration} is closed, or there is no such integration"
        )));
    }
    say!("{integration} is asked again");
    Ok(())
}

/// Has the console close a breaker; whether it was closed.
async fn closed_already(server: &Server, integration: &IntegrationId) -> Result<bool, Failure> {
    let path = format!("/v1/breakers/{integration}/close");
    match server.post::<Closed>(&path, &()).await {
        Ok(_) => Ok(false),
        Err(Trouble::Refused(refusal)) if ["breaker_closed", "not_found"].contains(&&*refusal.code) => {
            Ok(true)
        }
        Err(trouble) => Err(trouble.into()),
    }
}
