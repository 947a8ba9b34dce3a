//! The rules of who answers for a bot.

use std::collections::BTreeSet;

use proto_schemas::ids::IntegrationId;

use super::Report;
use crate::{Bot, Split};

const ARMS: std::ops::RangeInclusive<u64> = 2..=10;
const WEIGHTS: std::ops::RangeInclusive<u64> = 0..=1000;

impl Report {
    pub(super) fn webhook(&mut self, path: &str, bot: &Bot, known: &BTreeSet<String>) {
        match (&bot.integration, &bot.split) {
            (None, None) => self.add(
                format!("{path}.integration"),
                "is missing: one integration, or a split over several".to_owned(),
            ),
            (Some(_), Some(_)) => self.add(
                format!("{path}.split"),
                "is in place of integration: only one may be given".to_owned(),
            ),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if let Some(integration) = &bot.integration {
            self.known(format!("{path}.integration"), integration, known);
        }
        if let Some(split) = &bot.split {
            self.split(&format!("{path}.split"), split, known);
        }
        match &bot.fallback {
            Some(fallback) if Some(fallback) == bot.integration.as_ref() => self.add(
                format!("{path}.fallback"),
                "must be another than the integration".to_owned(),
            ),
            Some(fallback) => self.known(format!("{path}.fallback"), fallback, known),
            None => {}
        }
    }

    fn split(&mut self, path: &str, split: &Split, known: &BTreeSet<String>) {
        let path = format!("{path}.arms");
        self.number(path.clone(), split.arms.len() as u64, ARMS);
        self.unique(&path, split.arms.iter().map(|arm| arm.integration.as_str()));
        for arm in &split.arms {
            let path = format!("{path}.{}", arm.integration);
            self.known(path.clone(), &arm.integration, known);
            self.number(format!("{path}.weight"), arm.weight.into(), WEIGHTS);
        }
        if !split.arms.is_empty() && split.arms.iter().all(|arm| arm.weight == 0) {
            self.add(path, "one weight at least must be above 0".to_owned());
        }
    }

    fn known(&mut self, path: String, integration: &IntegrationId, known: &BTreeSet<String>) {
        if !known.contains(integration.as_str()) {
            self.add(
                path,
                format!("there is no integration {:?}", integration.as_str()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use crate::{Manifest, SplitBy, check_manifest};

    fn manifest(bot: Value) -> Manifest {
        let mut whole = json!({"id": "b", "name": "B"});
        whole
            .as_object_mut()
            .unwrap()
            .extend(bot.as_object().unwrap().clone());
        serde_json::from_value(json!({ "bots": [whole] })).unwrap()
    }

    /// What is told of a bot, where the integrations `a`, `b` and `c` are known.
    fn problems(bot: Value) -> Vec<String> {
        let known = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
        check_manifest(&manifest(bot), &BTreeSet::new(), &known)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn arms(arms: Value) -> Value {
        json!({"split": {"arms": arms}})
    }

    #[test]
    fn a_bot_has_an_integration_or_a_split_and_not_both() {
        let split = json!({"arms": [{"integration": "a"}, {"integration": "b"}]});
        assert_eq!(problems(json!({"integration": "a"})), [""; 0]);
        assert_eq!(problems(json!({ "split": split })), [""; 0]);
        assert_eq!(
            problems(json!({"error_message": ""})),
            [
                "bots.b.integration: is missing: one integration, or a split over several",
                "bots.b.error_message: must not be empty: a failure is told to the user",
            ]
        );
        assert_eq!(
            problems(json!({"integration": "nowhere", "split": split})),
            [
                "bots.b.split: is in place of integration: only one may be given",
                "bots.b.integration: there is no integration \"nowhere\"",
            ]
        );
    }

    #[test]
    fn a_split_is_by_conversation_and_even_unless_said_otherwise() {
        let manifest = manifest(arms(
            json!([{"integration": "a"}, {"integration": "b", "weight": 3}]),
        ));
        let split = manifest.bots[0].split.as_ref().unwrap();
        assert_eq!(split.by, SplitBy::Conversation);
        assert_eq!((split.arms[0].weight, split.arms[1].weight), (1, 3));
    }

    #[test]
    fn every_broken_rule_of_a_split_is_told() {
        let split =
            json!([{"integration": "a", "weight": 1001}, {"integration": "a"}, {"integration": "nowhere"}]);
        assert_eq!(
            problems(arms(split)),
            [
                "bots.b.split.arms.a: is listed twice",
                "bots.b.split.arms.a.weight: 1001 is not within 0 to 1000",
                "bots.b.split.arms.nowhere: there is no integration \"nowhere\"",
            ]
        );
        assert_eq!(
            problems(json!({"split": {}})),
            ["bots.b.split.arms: 0 is not within 2 to 10"]
        );
        assert_eq!(
            problems(arms(json!([{"integration": "a"}]))),
            ["bots.b.split.arms: 1 is not within 2 to 10"]
        );
        let eleven: Vec<Value> = (0..11)
            .map(|number| json!({"integration": format!("i{number}")}))
            .collect();
        assert_eq!(
            problems(arms(json!(eleven)))[0],
            "bots.b.split.arms: 11 is not within 2 to 10"
        );
    }

    #[test]
    fn an_arm_may_be_closed_but_not_all_of_them() {
        let closed = json!({"integration": "a", "weight": 0});
        let open = json!({"integration": "b", "weight": 1});
        assert_eq!(problems(arms(json!([closed, open]))), [""; 0]);
        let other = json!({"integration": "b", "weight": 0});
        assert_eq!(
            problems(arms(json!([closed, other]))),
            ["bots.b.split.arms: one weight at least must be above 0"]
        );
    }

    #[test]
    fn a_fallback_may_be_an_arm_but_not_the_only_integration() {
        let split = json!({"arms": [{"integration": "a"}, {"integration": "b"}]});
        for fallback in ["a", "c"] {
            assert_eq!(problems(json!({"split": split, "fallback": fallback})), [""; 0]);
        }
        assert_eq!(
            problems(json!({"integration": "a", "fallback": "a"})),
            ["bots.b.fallback: must be another than the integration"]
        );
        assert_eq!(
            problems(json!({"split": split, "fallback": "nowhere"})),
            ["bots.b.fallback: there is no integration \"nowhere\""]
        );
    }
}
