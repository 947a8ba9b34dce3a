//! The rules of a format's settings.

use serde_json::Number;

use super::Report;
use crate::Format;

const MAX_MODEL_BYTES: usize = 256;
/// Far above what any model gives at once; what a reply may hold in bytes is bounded elsewhere.
const MAX_TOKENS: u64 = 1_000_000;
/// The highest temperature that OpenAI's API takes.
const OPENAI_HOTTEST: u32 = 2;
/// The highest temperature that Anthropic's API takes.
const ANTHROPIC_HOTTEST: u32 = 1;

impl Report {
    pub(super) fn format(&mut self, path: &str, format: &Format) {
        match format {
            Format::Platform => {}
            Format::Openai(settings) => {
                let path = format!("{path}.format.openai");
                self.model(&path, &settings.model);
                if let Some(tokens) = settings.max_tokens {
                    self.number(format!("{path}.max_tokens"), tokens.into(), 1..=MAX_TOKENS);
                }
                self.temperature(&path, settings.temperature.as_ref(), OPENAI_HOTTEST);
            }
            Format::Anthropic(settings) => {
                let path = format!("{path}.format.anthropic");
                self.model(&path, &settings.model);
                self.number(
                    format!("{path}.max_tokens"),
                    settings.max_tokens.into(),
                    1..=MAX_TOKENS,
                );
                self.temperature(&path, settings.temperature.as_ref(), ANTHROPIC_HOTTEST);
            }
        }
    }

    fn model(&mut self, path: &str, model: &str) {
        let path = format!("{path}.model");
        if model.trim().is_empty() {
            self.add(path, "is required: the model, as the API names it".to_owned());
        } else {
            self.length(path, model, MAX_MODEL_BYTES);
        }
    }

    fn temperature(&mut self, path: &str, temperature: Option<&Number>, hottest: u32) {
        let Some(temperature) = temperature else {
            return;
        };
        let within = |value: f64| (0.0..=f64::from(hottest)).contains(&value);
        if !temperature.as_f64().is_some_and(within) {
            self.add(
                format!("{path}.temperature"),
                format!("{temperature} is not within 0 to {hottest}"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use crate::{Manifest, check_manifest};

    fn problems(format: Value) -> Vec<String> {
        let integration = json!({"id": "i", "url": "https://a.example/", "format": format});
        let manifest: Manifest = serde_json::from_value(json!({"integrations": [integration]})).unwrap();
        check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_format_without_its_model_is_refused() {
        for (format, name) in [
            (json!("openai"), "openai"),
            (json!({"openai": {}}), "openai"),
            (json!({"openai": {"model": " "}}), "openai"),
            (json!("anthropic"), "anthropic"),
        ] {
            let expected =
                format!("integrations.i.format.{name}.model: is required: the model, as the API names it");
            assert_eq!(problems(format), [expected]);
        }
    }

    #[test]
    fn every_bound_is_told_at_once() {
        let model = "m".repeat(257);
        let settings = json!({"model": model, "max_tokens": 0, "temperature": 2.1});
        assert_eq!(
            problems(json!({"openai": settings})),
            [
                "integrations.i.format.openai.model: 257 bytes are more than 256",
                "integrations.i.format.openai.max_tokens: 0 is not within 1 to 1000000",
                "integrations.i.format.openai.temperature: 2.1 is not within 0 to 2",
            ]
        );
        let settings = json!({"max_tokens": 1_000_001, "temperature": -0.5});
        assert_eq!(
            problems(json!({"anthropic": settings})),
            [
                "integrations.i.format.anthropic.model: is required: the model, as the API names it",
                "integrations.i.format.anthropic.max_tokens: 1000001 is not within 1 to 1000000",
                "integrations.i.format.anthropic.temperature: -0.5 is not within 0 to 1",
            ]
        );
    }

    #[test]
    fn the_bounds_themselves_are_allowed() {
        let none: [&str; 0] = [];
        let most = json!({"model": "m".repeat(256), "max_tokens": 1_000_000, "temperature": 2});
        assert_eq!(problems(json!({"openai": most})), none);
        let least = json!({"model": "m", "max_tokens": 1, "temperature": 0});
        assert_eq!(problems(json!({"openai": least})), none);
        let most = json!({"model": "m", "temperature": 1.0});
        assert_eq!(problems(json!({"anthropic": most})), none);
        assert_eq!(problems(json!("platform")), none);
    }
}
