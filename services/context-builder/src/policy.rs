//! A bot's settings in the terms of the decisions.

use domain::policy::{BotPolicy, Overlap};
use domain::split::{Arm, Split, SplitBy, Webhook};
use proto_schemas::ids::{BotId, IntegrationId};
use registry::Bot;

/// What the user of a bot that is gone is told.
const ABSENT_BOT_MESSAGE: &str = "Sorry, this bot is not available any more.";
/// Names no integration: every attempt fails as `unknown_integration`.
const ABSENT_INTEGRATION: &str = "--absent-bot--";

/// What a bot's settings say.
pub(crate) fn of(bot: &Bot) -> BotPolicy {
    BotPolicy {
        name: bot.name.clone(),
        webhook: webhook(bot),
        fallback: bot.fallback.clone(),
        max_messages: bot.context.max_messages,
        max_bytes: bot.context.max_bytes,
        max_age: bot.context.max_age.map(|age| age.0),
        system_prompt: bot.context.system_prompt.clone(),
        overlap: match bot.overlap {
            registry::Overlap::Queue => Overlap::Queue,
            registry::Overlap::Coalesce => Overlap::Coalesce,
        },
        error_message: bot.error_message.clone(),
        reset_message: bot.reset_message.clone(),
    }
}

/// What stands for a bot that is gone: nobody answers for it, so its messages fail and the user is told.
pub(crate) fn absent(bot: &BotId) -> BotPolicy {
    BotPolicy {
        name: bot.to_string(),
        webhook: nobody(),
        fallback: None,
        max_messages: 0,
        max_bytes: 0,
        max_age: None,
        system_prompt: None,
        overlap: Overlap::Queue,
        error_message: ABSENT_BOT_MESSAGE.to_owned(),
        reset_message: String::new(),
    }
}

/// Who answers for a bot. The check of its settings has made sure that there is somebody.
fn webhook(bot: &Bot) -> Webhook {
    match (&bot.split, &bot.integration) {
        (Some(settings), _) => split(settings).map_or_else(nobody, Webhook::OneOf),
        (None, Some(integration)) => Webhook::One(integration.clone()),
        (None, None) => nobody(),
    }
}

fn split(settings: &registry::Split) -> Option<Split> {
    let by = match settings.by {
        registry::SplitBy::Conversation => SplitBy::Conversation,
        registry::SplitBy::Message => SplitBy::Message,
    };
    let arms = settings.arms.iter().map(|arm| Arm {
        integration: arm.integration.clone(),
        weight: arm.weight,
    });
    Split::new(by, arms.collect())
}

fn nobody() -> Webhook {
    Webhook::One(IntegrationId::new(ABSENT_INTEGRATION).expect("the literal is an identifier"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_answers_for_a_bot_that_is_gone_and_the_user_is_told() {
        let policy = absent(&BotId::new("gone").unwrap());
        assert_eq!(asked(&policy), ABSENT_INTEGRATION);
        assert_eq!(policy.error_message, ABSENT_BOT_MESSAGE);
    }

    #[test]
    fn nobody_answers_for_a_bot_that_names_nobody() {
        for webhook in [json!({}), json!({"split": {"arms": []}})] {
            let mut bot = json!({"id": "b", "name": "B"});
            let settings = bot.as_object_mut().unwrap();
            settings.extend(webhook.as_object().unwrap().clone());
            let bot: Bot = serde_json::from_value(bot).unwrap();
            assert_eq!(asked(&of(&bot)), ABSENT_INTEGRATION);
        }
    }

    fn asked(policy: &BotPolicy) -> &str {
        match &policy.webhook {
            Webhook::One(integration) => integration.as_str(),
            Webhook::OneOf(split) => panic!("{split:?} is not one"),
        }
    }
}
