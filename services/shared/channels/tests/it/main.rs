//! The channels against recorded updates and fakes of the platforms.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod accounts;
mod discord_download;
mod discord_message;
mod discord_models;
mod discord_receive;
mod discord_send;
mod download;
mod http_receive;
mod http_send;
mod models;
mod platform;
mod sending;
mod slack_download;
mod slack_receive;
mod slack_send;
mod telegram_receive;
mod telegram_send;
