//! Discord's REST API with the behaviour that matters to a sender (`channels.md`, sections 4.4 to 4.6), and the
//! interactions that Discord would push and its Gateway (sections 4.1 and 4.2).

mod api;
mod channels;
mod gateway;
mod interaction;
mod request;
mod rest;

pub use self::channels::{SentFile, SentMessage};
pub use self::gateway::{BOT_USER, FakeGateway, direct_message, guild_message, mention};
pub use self::interaction::{
    APPLICATION, PUBLIC_KEY, command, event, in_direct_messages, ping, press, push_forged, push_interaction,
    with_file,
};
pub use self::request::Endpoint;
pub use self::rest::FakeDiscord;
