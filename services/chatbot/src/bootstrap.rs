//! `chatbot bootstrap`: what the services need of the broker, created by the one user who may.

use bus::{Bus, OnDifference};
use clap::Args;

use crate::Failure;
use crate::output::say;

/// Options of `bootstrap`.
#[derive(Args)]
pub(crate) struct Options {
    /// Changes what is there already to what this build wants.
    #[arg(long)]
    update: bool,
    /// Copies of each stream.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: u8,
}

/// Creates what is missing, and says what that was. Doing so again changes nothing.
pub(crate) async fn bootstrap(options: &Options, bus: &Bus) -> Result<(), Failure> {
    let on_difference = if options.update {
        OnDifference::Update
    } else {
        OnDifference::Keep
    };
    let before = bus.parts().await.map_err(Failure::new)?;
    bus.ensure_topology(on_difference).await.map_err(Failure::new)?;
    for (name, config) in bus.parts().await.map_err(Failure::new)? {
        match before.get(&name) {
            None => say!("created {name}"),
            Some(earlier) if *earlier != config => say!("changed {name}"),
            Some(_) => {}
        }
    }
    say!("streams, consumers and buckets are in place");
    Ok(())
}
