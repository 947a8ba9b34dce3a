//! Discord with the behaviour that matters to a bot (`channels.md`, section 4).

mod gateway;

pub use gateway::{BOT_USER, FakeGateway, direct_message, guild_message, mention};
